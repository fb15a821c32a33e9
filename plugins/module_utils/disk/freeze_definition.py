# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module `disk_freeze`: its options and its result."""

from __future__ import annotations

import os
from typing import Any, Dict, Mapping

from ..engine.definition import ModuleDefinition
from ..engine.errors import InvalidInput, Refused
from ..engine.reconcile import reconcile
from .freeze_target import FreezeTarget
from .machine import Machine

ARGUMENTS: Dict[str, Dict[str, Any]] = {
    "paths": {"type": "list", "elements": "path", "required": True},
    "state": {"type": "str", "choices": ["frozen", "thawed"], "required": True},
    "seconds": {"type": "int", "default": 60},
}
#: One hour: whoever needs longer does not want a freeze.
LONGEST = 3600


def run(params: Mapping[str, Any], check_mode: bool) -> Dict[str, Any]:
    """Freeze or thaw, or say what would change."""
    if os.geteuid() != 0:
        raise Refused("only root can freeze filesystems", resource="disk_freeze", do="Set `become: true`.")
    outcome = reconcile(declared(params), check_mode)
    frozen = [{"path": still.path, "seconds": still.left} for still in outcome.actual if still.left is not None]
    return {**outcome.plan.to_result(), "frozen": frozen}


def declared(params: Mapping[str, Any]) -> FreezeTarget:
    """The declaration, checked."""
    if not 1 <= params["seconds"] <= LONGEST:
        raise InvalidInput(f"from 1 to {LONGEST}", resource="seconds", found=str(params["seconds"]))
    relative = [path for path in params["paths"] if not path.startswith("/")]
    if relative:
        raise InvalidInput("a mount point is an absolute path", resource="paths", found=relative[0])
    paths = [os.path.normpath(path) for path in params["paths"]]
    return FreezeTarget(paths, params["state"], params["seconds"], Machine())


DEFINITION = ModuleDefinition(argument_spec=ARGUMENTS, run=run)
