# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action of the module snapshot: inside the controller where that means the same."""

from __future__ import annotations

from ..module_utils.ec2.backup.definitions import SNAPSHOT_MODULE
from ..plugin_utils.in_process import InProcess


class ActionModule(InProcess):
    """Runs snapshot."""

    definition = SNAPSHOT_MODULE
