# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The only file that knows AnsibleModule: the body of every module."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from .definition import ModuleDefinition


def main(definition: ModuleDefinition) -> None:
    """The body of every module: parse the options, run, and end as success or as one clear failure."""
    module = AnsibleModule(argument_spec=dict(definition.argument_spec), supports_check_mode=True, **definition.rules)
    result = definition.result(module.params, module.check_mode)
    if result.get("failed"):
        module.fail_json(**result)
    module.exit_json(**result)
