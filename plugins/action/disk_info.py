# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action of the module disk_info: on its machine, with our own code only."""

from __future__ import annotations

from ..module_utils.disk.info_definition import DEFINITION
from ..plugin_utils.on_machine import OnMachine


class ActionModule(OnMachine):
    """Runs disk_info."""

    definition = DEFINITION
    defined_in = "disk/info_definition.py"
