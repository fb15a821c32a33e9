# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The only file that knows AnsibleModule: what a module is, and its one error boundary."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Mapping

from ansible.module_utils.basic import AnsibleModule

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


def main(definition: ModuleDefinition) -> None:
    """The body of every module: parse the options, run, and end as success or as one clear failure."""
    module = AnsibleModule(argument_spec=dict(definition.argument_spec), supports_check_mode=True, **definition.rules)
    try:
        result = definition.run(module.params, module.check_mode)
    except SteadfastError as error:
        module.fail_json(**failure(error))
    module.exit_json(**result)


def failure(error: SteadfastError) -> Dict[str, Any]:
    """The result of a task that failed with `error`."""
    return {"msg": error.message, "error": error.to_dict(), **error.details}
