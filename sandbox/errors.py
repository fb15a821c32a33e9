# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Errors as the EC2 API answers them."""

from __future__ import annotations

from moto.ec2.exceptions import EC2ClientError


class Ec2Error(EC2ClientError):
    """An error with a code and a message as EC2 gives them."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
