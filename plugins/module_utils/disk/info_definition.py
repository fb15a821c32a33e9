# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module `disk_info`: its options and its result."""

from __future__ import annotations

import os
from typing import Any, Dict, Mapping

from ..engine.definition import ModuleDefinition
from ..engine.errors import InvalidInput, Refused
from . import devices, info
from .machine import Machine

ARGUMENTS: Dict[str, Dict[str, Any]] = {
    "volumes": {"type": "dict", "default": {}},
    "processes": {"type": "bool", "default": True},
}


def run(params: Mapping[str, Any], check_mode: bool) -> Dict[str, Any]:
    """What is there; check mode makes no difference, as nothing is changed."""
    names = declared_names(params["volumes"])
    if os.geteuid() != 0:
        raise Refused("only root can read disks", resource="disk_info", do="Set `become: true`.")
    facts = info.look(Machine(), names, params["processes"])
    return {"changed": False, **facts, "table": info.table(facts)}


def declared_names(volumes: Mapping[str, Any]) -> Dict[str, str]:
    """{volume id: declared name} from {declared name: id}, or from the host's variable `ec2.volumes`, where each has its `id`."""
    result: Dict[str, str] = {}
    for name, value in volumes.items():
        found = value.get("id") if isinstance(value, Mapping) else value
        volume = devices.volume_id(str(found))
        if not volume:
            raise InvalidInput(
                "is not a volume id", resource=f"volumes.{name}", found=str(found), do="Give {name: vol-0123…} or ec2.volumes."
            )
        result[volume] = str(name)
    return result


DEFINITION = ModuleDefinition(argument_spec=ARGUMENTS, run=run)
