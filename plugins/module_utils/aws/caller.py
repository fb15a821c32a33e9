# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who the credentials belong to, and where they work."""

from __future__ import annotations

from typing import Any, Dict, Mapping

from ..engine.definition import ModuleDefinition
from .module import with_connection
from .role import connect


def _run(params: Mapping[str, Any], check_mode: bool) -> Dict[str, Any]:
    client = connect(params, service="sts")
    answer = client.call("GetCallerIdentity", {})
    arn = str(answer["Arn"])
    caller = {
        "account": answer["Account"],
        "arn": arn,
        "user_id": answer["UserId"],
        "partition": arn.split(":")[1],
        "region": client.region,
    }
    return {"changed": False, "caller": caller, "api": client.api()}


CALLER_INFO = ModuleDefinition(with_connection({}), _run)
