#!/usr/bin/python
# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Look up instances."""

from __future__ import annotations

DOCUMENTATION = r"""
module: instance_info
short_description: Look up instances, with their volumes and addresses
version_added: 0.1.0
description:
  - Returns instances with their volumes by name and their Elastic IPs, as the inventory plugin of this collection shows them.
  - Instances that were terminated a short while ago are returned too, as long as AWS shows them.
  - Makes only calls that read, and the fewest that the API allows.
extends_documentation_fragment:
  - steadfast.ec2.selection
  - steadfast.ec2.selection.fleet
  - steadfast.ec2.attributes.info
  - steadfast.ec2.attributes
  - steadfast.ec2.connection
seealso:
  - module: steadfast.ec2.instance
  - module: steadfast.ec2.fleet_info
author:
  - The steadfast.ec2 authors (@steadfast-collections)
"""

EXAMPLES = r"""
- name: The running instances of a fleet
  steadfast.ec2.instance_info:
    fleet: shop-dev
    filters:
      instance_state_name: running
  register: found

- name: Their disks for images
  ansible.builtin.debug:
    msg: "{{ found.instances | map(attribute='volumes') | selectattr('images', 'defined') | map(attribute='images.id') | list }}"
"""

RETURN = r"""
instances:
  description: What was found, each as M(steadfast.ec2.instance) returns it, without C(planned); in order of name and id.
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

from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.info import INSTANCE_INFO
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.module import main

if __name__ == "__main__":
    main(INSTANCE_INFO)
