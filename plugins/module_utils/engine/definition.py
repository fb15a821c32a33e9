# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a module is, whoever runs it, and how an error becomes its result. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Mapping

from .errors import SteadfastError


@dataclass(frozen=True)
class ModuleDefinition:
    """What a module is: its options, the rules between them, and what it does.

    `run(params, check_mode)` returns the result of the task (`changed`, …) or raises a SteadfastError.
    It is called by `main` in a module process and by the action plugin inside the controller.
    """

    argument_spec: Mapping[str, Any]
    run: Callable[[Mapping[str, Any], bool], Dict[str, Any]]
    #: required_if, mutually_exclusive and their kin, as AnsibleModule takes them
    rules: Mapping[str, Any] = field(default_factory=dict)


def failure(error: SteadfastError) -> Dict[str, Any]:
    """The result of a task that failed with `error`."""
    return {"msg": error.message, "error": error.to_dict(), **error.details}
