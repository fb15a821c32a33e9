# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action of the module instance_type_info: inside the controller where that means the same."""

from __future__ import annotations

from ..module_utils.ec2.catalogue import INSTANCE_TYPE_INFO
from ..plugin_utils.in_process import InProcess


class ActionModule(InProcess):
    """Runs instance_type_info."""

    definition = INSTANCE_TYPE_INFO
