# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Stock clients get the sandbox through the environment, as they would get any endpoint."""

from __future__ import annotations

from tests.integration.sandbox_cloud.conftest import sandbox, shared_sandbox

__all__ = ["sandbox", "shared_sandbox"]
