#!/usr/bin/python
# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Look up volumes."""

from __future__ import annotations

DOCUMENTATION = r"""
module: volume_info
short_description: Look up EBS volumes and their attachments
version_added: 0.1.0
description:
  - Returns volumes with their attachments.
  - Makes only calls that read, and the fewest that the API allows.
extends_documentation_fragment:
  - steadfast.ec2.selection
  - steadfast.ec2.selection.fleet
  - steadfast.ec2.attributes.info
  - steadfast.ec2.attributes
  - steadfast.ec2.connection
seealso:
  - module: steadfast.ec2.volume
  - module: steadfast.ec2.fleet_info
author:
  - The steadfast.ec2 authors (@steadfast-collections)
"""

EXAMPLES = r"""
- name: Volumes that nothing uses
  steadfast.ec2.volume_info:
    filters:
      status: available
  register: unused
"""

RETURN = r"""
volumes:
  description: What was found, each as M(steadfast.ec2.volume) returns it, without C(planned); in order of name and id.
  returned: success
  type: list
  elements: dict
api:
  description: What the task cost.
  returned: success
  type: dict
  contains:
    calls:
      description: Requests sent, with those that were sent again.
      type: int
    retries:
      description: How many were sent again.
      type: int
    seconds:
      description: How long it took.
      type: float
"""

from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.info import VOLUME_INFO
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.module import main

if __name__ == "__main__":
    main(VOLUME_INFO)
