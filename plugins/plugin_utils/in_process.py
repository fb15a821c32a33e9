# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs an EC2 module inside the controller when that means the same, because starting a module costs most of its time.

What cannot be honoured here (another machine, another user, another Python, `async`, `environment`, options that
Ansible has something to say about) goes the ordinary way, as if there were no action plugin.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ValidationResult
from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.action import ActionBase
from ansible.plugins.action.normal import ActionModule as OrdinaryModule

from ..module_utils.aws.client import BOTOCORE_IMPORT_ERROR, warm_up
from ..module_utils.engine.definition import ModuleDefinition
from .validated import validated

# Ansible imports an action in the process that forks its workers: what is loaded here, each task finds loaded.
warm_up()

_LOCAL = ("local", "ansible.builtin.local")
_DISCOVERED = ("auto", "auto_legacy", "auto_silent", "auto_legacy_silent")


class InProcess(OrdinaryModule):
    """Action of a module that works by API calls alone; a subclass names its definition."""

    definition: ModuleDefinition

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """The result of the module, wherever it ran."""
        validated = None if self._needs_process(task_vars or {}) else self._validated()
        if validated is None:
            ordinary: dict[str, Any] = super().run(tmp, task_vars)
            return ordinary
        result: dict[str, Any] = ActionBase.run(self, tmp, task_vars)
        if result.get("skipped"):
            return result
        options = validated.validated_parameters
        result.update(_plain(self.definition.result(options, bool(self._task.check_mode))))
        result["invocation"] = {"module_args": _plain(options)}
        cleaned: dict[str, Any] = remove_values(result, validated._no_log_values)
        return cleaned

    def _needs_process(self, task_vars: Mapping[str, Any]) -> bool:
        """Whether the task asks for something that only a process of its own gives."""
        task, play = self._task, self._play_context
        transport = getattr(self._connection, "_load_name", None) or getattr(self._connection, "transport", None)
        return bool(
            BOTOCORE_IMPORT_ERROR
            or transport not in _LOCAL
            or task.async_val
            or task.become
            or play.become
            or any(task.environment or ())
            or not self._same_python(task_vars)
        )

    def _same_python(self, task_vars: Mapping[str, Any]) -> bool:
        """Whether the module would be run by the Python that runs Ansible, as far as anybody said."""
        said = task_vars.get("ansible_python_interpreter") or constants.config.get_config_value("INTERPRETER_PYTHON")
        try:
            interpreter = str(self._templar.template(said))
        except AnsibleError:
            return False
        return interpreter in _DISCOVERED or _environment(interpreter) == _environment(sys.executable)

    def _validated(self) -> ValidationResult | None:
        """The options as the module would see them; None where Ansible itself has to complain or warn about them."""
        try:
            return validated(self.definition, _plain(self._task.args))
        except (TypeError, ValueError):
            return None


def _environment(interpreter: str) -> tuple[Path, Path]:
    """What decides which libraries an interpreter finds: the binary, and the directory that it is called from."""
    path = Path(interpreter)
    return path.resolve(), path.absolute().parent


def _plain(value: Any) -> Any:
    """`value` after the way that a module's options and results take: JSON, so nothing but plain data is left."""
    return json.loads(json.dumps(value, default=str))
