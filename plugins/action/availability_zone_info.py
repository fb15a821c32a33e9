# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action of the module availability_zone_info: inside the controller where that means the same."""

from __future__ import annotations

from ..module_utils.ec2.catalogue import AVAILABILITY_ZONE_INFO
from ..plugin_utils.in_process import InProcess


class ActionModule(InProcess):
    """Runs availability_zone_info."""

    definition = AVAILABILITY_ZONE_INFO
