# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The floor of every inventory plugin: it is told hosts, variables and groups, and hands them to ansible-core."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible.plugins.inventory import BaseInventoryPlugin

DOCUMENTATION = r"""
name: ready
short_description: Ready-made hosts
description: Hosts out of a file, for a benchmark.
options:
  plugin: {description: This plugin., required: true, choices: [ready]}
  file: {description: "JSON: the list of hosts, each with name, variables and groups.", required: true}
"""


class InventoryModule(BaseInventoryPlugin):
    """No work of its own."""

    NAME = "ready"

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Add every host."""
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        for name, variables, groups in json.loads(Path(self.get_option("file")).read_text()):
            inventory.add_host(name)
            host = inventory.hosts[name]
            for variable, value in variables.items():
                host.set_variable(variable, value)
            for group in groups:
                inventory.add_child(inventory.add_group(group), name)
