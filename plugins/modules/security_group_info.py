#!/usr/bin/python
# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Look up security groups."""

from __future__ import annotations

DOCUMENTATION = r"""
module: security_group_info
short_description: Look up security groups and their rules
version_added: 0.1.0
description:
  - Returns security groups with their rules, each with its id.
  - Makes only calls that read, and the fewest that the API allows.
extends_documentation_fragment:
  - steadfast.ec2.selection
  - steadfast.ec2.selection.fleet
  - steadfast.ec2.attributes.info
  - steadfast.ec2.attributes
  - steadfast.ec2.connection
seealso:
  - module: steadfast.ec2.security_group
  - module: steadfast.ec2.fleet_info
author:
  - The steadfast.ec2 authors (@steadfast-collections)
"""

EXAMPLES = r"""
- name: The groups of a network
  steadfast.ec2.security_group_info:
    filters:
      vpc_id: vpc-0123456789abcdef0
  register: groups

- name: The rule that somebody described as temporary, whatever it lets in
  steadfast.ec2.security_group:
    name: moso-web-dev-sg
    purge_rules: false
    rules:
      - id: "{{ item }}"
        state: absent
  loop: "{{ groups.security_groups | map(attribute='rule_entries') | flatten | selectattr('description', 'defined')
    | selectattr('description', 'eq', 'temporary') | map(attribute='id') }}"
"""

RETURN = r"""
security_groups:
  description: What was found, each as M(steadfast.ec2.security_group) returns it, without C(planned); in order of name and id.
  returned: success
  type: list
  elements: dict
  contains:
    rule_entries:
      description:
        - Every rule by itself, with its C(id), as C(text) for people, whether it is for C(egress), its C(tags), and the options that
          declare it, C(protocol), C(ports) or C(icmp_type) and C(icmp_code), one of C(cidr), C(group) and C(prefix_list), and
          C(description).
        - With C(id) and those options, it can be an entry of O(steadfast.ec2.security_group#module:rules).
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

from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.info import SECURITY_GROUP_INFO
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.module import main

if __name__ == "__main__":
    main(SECURITY_GROUP_INFO)
