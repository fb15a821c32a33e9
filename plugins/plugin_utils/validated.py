# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Ansible makes of a task's options, before a module runs without it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator, ValidationResult

from ..module_utils.engine.definition import ModuleDefinition


def validated(definition: ModuleDefinition, arguments: Mapping[str, Any]) -> ValidationResult | None:
    """The options as the module would see them; None where Ansible itself has to complain or to warn about them."""
    found = ArgumentSpecValidator(dict(definition.argument_spec), **definition.rules).validate(dict(arguments))
    return None if found.error_messages or found._deprecations or found._warnings else found
