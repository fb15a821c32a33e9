#!/usr/bin/python
# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Look up Elastic IPs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: elastic_ip_info
short_description: Look up Elastic IPs and what they point to
version_added: 0.1.0
description:
  - Returns Elastic IPs with the instances that they point to.
  - Makes only calls that read, and the fewest that the API allows.
extends_documentation_fragment:
  - steadfast.ec2.selection
  - steadfast.ec2.selection.fleet
  - steadfast.ec2.attributes.info
  - steadfast.ec2.attributes
  - steadfast.ec2.connection
seealso:
  - module: steadfast.ec2.elastic_ip
  - module: steadfast.ec2.fleet_info
author:
  - The steadfast.ec2 authors (@steadfast-collections)
"""

EXAMPLES = r"""
- name: Addresses that point to nothing, which AWS charges for
  steadfast.ec2.elastic_ip_info:
  register: all

- name: Show them
  ansible.builtin.debug:
    msg: "{{ all.elastic_ips | selectattr('instance_id', 'none') | map(attribute='public_ip') | list }}"
"""

RETURN = r"""
elastic_ips:
  description: What was found, each as M(steadfast.ec2.elastic_ip) returns it, without C(planned); in order of name and id.
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

from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.info import ELASTIC_IP_INFO
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.module import main

if __name__ == "__main__":
    main(ELASTIC_IP_INFO)
