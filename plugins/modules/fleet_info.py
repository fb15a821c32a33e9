#!/usr/bin/python
# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What exists, as a declaration."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_info
short_description: Read existing resources as the declaration of a fleet
version_added: 0.1.0
description:
  - Reads what a fleet owns, or instances that you select together with what belongs to them, and returns it as options of
    M(steadfast.ec2.fleet), ready for a file.
  - Applying that declaration changes nothing. What no fleet owns yet is declared with C(adopt=true), so that the fleet owns it
    afterwards.
  - User data are never returned, because they may hold secrets; private keys are not known to AWS. What a declaration cannot say is
    left out, and named in RV(notes).
  - The security group C(default) and whatever belongs to another fleet is referred to, but not declared.
options:
  name:
    description: The name of the fleet in the declaration. Without O(ids), O(tags) and O(filters) it is what this fleet owns that is read.
    type: str
    required: true
  ids:
    description: Instances by their ids.
    type: list
    elements: str
    aliases: [instance_ids]
  tags:
    description: Instances by their tags; a value may be a list of values, of which one must be there.
    type: dict
  filters:
    description: Instances by filters of C(DescribeInstances). V(_) may be written for V(-) in their names.
    type: dict
  complete:
    description: Whether values that a new resource would get anyway are written out too.
    type: bool
    default: false
  details:
    description: Whether to ask for what AWS tells of one instance at a time only, with a few calls for each. These are the protection
      against termination and stop, the shutdown behaviour, CPU credits, and whether there are user data.
    type: bool
    default: false
  parts:
    description: The kinds of resources that are declared; the others are only referred to.
    type: list
    elements: str
    choices: [key_pairs, security_groups, instances, volumes, elastic_ips]
    default: [key_pairs, security_groups, instances, volumes, elastic_ips]
extends_documentation_fragment:
  - steadfast.ec2.attributes.info
  - steadfast.ec2.attributes
  - steadfast.ec2.connection
seealso:
  - module: steadfast.ec2.fleet
  - module: steadfast.ec2.instance_info
author:
  - The steadfast.ec2 authors (@steadfast-collections)
"""

EXAMPLES = r"""
- name: Two servers that were made by hand
  steadfast.ec2.fleet_info:
    name: shop-dev
    tags:
      Name: [web-1, web-2]
  register: found

- name: As a playbook; after a run of it they belong to the fleet, and nothing else about them has changed
  ansible.builtin.copy:
    content: "{{ [{'hosts': 'localhost', 'tasks': [{'steadfast.ec2.fleet': found.declaration}]}] | to_nice_yaml(indent=2) }}"
    dest: shop-dev.yml
    mode: "0644"

- name: What a fleet owns, with every value written out
  steadfast.ec2.fleet_info:
    name: shop-dev
    complete: true
    details: true
"""

RETURN = r"""
declaration:
  description: Options of M(steadfast.ec2.fleet).
  returned: success
  type: dict
  sample:
    name: shop-dev
    tags: {Project: shop}
    security_groups: [{name: shop-web-dev-sg, description: web servers, rules: [{ports: ["80"], cidr: [0.0.0.0/0]}]}]
    instances: [{name: web, count: 2, image: ami-0123456789abcdef0, instance_type: t3.micro, security_groups: [shop-web-dev-sg],
      zone: [eu-central-1a, eu-central-1b], volumes: [{name: images, size: 8, device: /dev/sdf}]}]
  contains:
    name:
      description: The name of the fleet.
      type: str
    tags:
      description: The tags that everything in it has in common.
      type: dict
    purge_tags:
      description: V(false) where tags had to be left out, so that they stay.
      type: bool
    adopt:
      description: V(true) where something belongs to no fleet yet.
      type: bool
    key_pairs:
      description: Key pairs, with their public halves.
      type: list
      elements: dict
    security_groups:
      description: Security groups with their rules.
      type: list
      elements: dict
    instances:
      description: Instances with their volumes; those that are alike are one entry with a count.
      type: list
      elements: dict
notes:
  description: What was left out, and why.
  returned: success
  type: list
  elements: str
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

from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.info import FLEET_INFO
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.module import main

if __name__ == "__main__":
    main(FLEET_INFO)
