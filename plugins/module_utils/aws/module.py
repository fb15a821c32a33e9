# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The connection options of every EC2 module. Their documentation is the fragment `connection`."""

from __future__ import annotations

from typing import Any, Dict, Mapping

CONNECTION: Mapping[str, Mapping[str, Any]] = {
    "region": {"type": "str", "aliases": ["aws_region", "ec2_region"]},
    "profile": {"type": "str", "aliases": ["aws_profile"]},
    "access_key": {"type": "str", "aliases": ["aws_access_key_id", "aws_access_key", "ec2_access_key"], "no_log": False},
    "secret_key": {"type": "str", "aliases": ["aws_secret_access_key", "aws_secret_key", "ec2_secret_key"], "no_log": True},
    "session_token": {"type": "str", "aliases": ["aws_session_token"], "no_log": True},
    "endpoint_url": {"type": "str", "aliases": ["aws_endpoint_url", "ec2_url"]},
    "ca_bundle": {"type": "path", "aliases": ["aws_ca_bundle"]},
    "validate_certs": {"type": "bool", "default": True},
    # a proxy's address may hold its password
    "proxies": {"type": "dict", "no_log": True},
    "role_arn": {"type": "str", "aliases": ["assume_role_arn", "iam_role_arn"]},
    "role_session_name": {"type": "str"},
    "external_id": {"type": "str", "no_log": True},
}


def with_connection(options: Mapping[str, Any]) -> Dict[str, Any]:
    """`options` and the connection options."""
    return {**CONNECTION, **options}
