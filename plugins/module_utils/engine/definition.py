# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a module is, whoever runs it, and the one boundary at which an error becomes a result. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Mapping

from .errors import SteadfastError


@dataclass(frozen=True)
class ModuleDefinition:
    """What a module is: its options, the rules between them, and what it does.

    `run(params, check_mode)` returns the result of the task (`changed`, …) or raises a SteadfastError. Whoever runs a module (Ansible's
    process, the controller, our own program on a machine) asks for its `result`.
    """

    argument_spec: Mapping[str, Any]
    run: Callable[[Mapping[str, Any], bool], Dict[str, Any]]
    #: required_if, mutually_exclusive and their kin, as AnsibleModule takes them
    rules: Mapping[str, Any] = field(default_factory=dict)

    def result(self, params: Mapping[str, Any], check_mode: bool) -> Dict[str, Any]:
        """What the task comes to, be it a failure."""
        try:
            return self.run(params, check_mode)
        except SteadfastError as error:
            return failure(error)


def failure(error: SteadfastError) -> Dict[str, Any]:
    """The result of a task that failed with `error`."""
    return {"failed": True, "msg": error.message, "error": error.to_dict(), **error.details}
