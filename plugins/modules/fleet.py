#!/usr/bin/python
# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A whole fleet in one task."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet
short_description: Declare key pairs, security groups, instances, their volumes and addresses together
version_added: 0.1.0
description:
  - Reads everything that belongs to the fleet in a few calls, plans all of it, and applies the plan concurrently in the right order.
  - Check mode works from an empty account to the end, because parts of a plan can refer to resources that do not exist yet.
  - Whatever is wrong with the declaration is refused before the first change. What fails on the way stops only what needs it; the result
    says what was done and what was not, and the next run goes on from there, without making anything twice.
  - The fleet owns what carries its tags. It never deletes anything else, and volumes only where that is declared.
extends_documentation_fragment:
  - steadfast.ec2.resources.fleet
  - steadfast.ec2.connection
  - steadfast.ec2.attributes
seealso:
  - module: steadfast.ec2.instance
  - module: steadfast.ec2.volume
  - module: steadfast.ec2.disk
author:
  - The steadfast.ec2 authors (@steadfast-collections)
"""

EXAMPLES = r"""
- name: Two web servers in two zones, each with a disk and an address
  steadfast.ec2.fleet:
    name: moso-dev-nvir
    tags:
      Project: moso
      Environment: dev
    key_pairs:
      - name: Moso-dev-nvir
        private_key_file: ~/.ssh/Moso-dev-nvir.pem
    security_groups:
      - name: moso-web-dev-sg
        description: web servers
        rules:
          - ports: [22]
            cidr: my_ip
          - ports: [80]
            cidr: 0.0.0.0/0
    instances:
      - name: web
        count: 2
        image:
          name: debian-12-amd64-*
          owner: "136693071363"
        instance_type: t3.micro
        key_pair: Moso-dev-nvir
        security_groups: [moso-web-dev-sg]
        zone: [use1-az1, use1-az2]
        elastic_ip: true
        volumes:
          - name: images
            size: 8
            device: /dev/sdf

- name: Everything gone but the volumes, and never more than ten deletions
  steadfast.ec2.fleet:
    name: moso-dev-nvir
    state: absent
    max_deletions: 10
"""

RETURN = r"""
fleet:
  description: The fleet as it is; in check mode, what does not exist yet is marked as planned.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      type: str
    region:
      description: Its region.
      type: str
    key_pairs:
      description: Its key pairs, as M(steadfast.ec2.key_pair) returns them.
      type: list
      elements: dict
    security_groups:
      description: Its groups, as M(steadfast.ec2.security_group) returns them.
      type: list
      elements: dict
    instances:
      description: Its instances, as M(steadfast.ec2.instance) returns them.
      type: list
      elements: dict
    volumes:
      description: Its volumes, as M(steadfast.ec2.volume) returns them.
      type: list
      elements: dict
    elastic_ips:
      description: Its addresses, as M(steadfast.ec2.elastic_ip) returns them.
      type: list
      elements: dict
summary:
  description: The plan in one line, for people.
  returned: success
  type: str
  sample: "Plan: 1 to create."
plan:
  description: The changes, each with its reasons, the attributes that differ, and the API calls in order.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: The kind of resource.
      type: str
    name:
      description: Its name.
      type: str
    action:
      description: One of V(create), V(update), V(restart), V(replace), V(delete).
      type: str
    reasons:
      description: Why.
      type: list
      elements: str
    attributes:
      description: What differs, as C(name), C(before) and C(after).
      type: list
      elements: dict
    steps:
      description: The operations of the API.
      type: list
      elements: str
notes:
  description: What is not changed, but should be known.
  returned: success
  type: list
  elements: str
undeclared:
  description:
    - Volumes that somebody attached to instances of this fleet, and that neither this declaration nor the fleet knows. They are left alone;
      a drift check reports them. What is deleted with its instance does not count, since it came with the image.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: C(volume).
      type: str
    name:
      description: Its id.
      type: str
    action:
      description: C(none).
      type: str
    reasons:
      description: Empty.
      type: list
      elements: str
    attributes:
      description: What it is attached to, as C(name), C(before) and C(after), which is null.
      type: list
      elements: dict
    steps:
      description: Empty.
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
error:
  description: Why the task failed, as data.
  returned: failure
  type: dict
  contains:
    code:
      description: The API's error code, or the kind of error.
      type: str
    operation:
      description: The operation of the API that failed.
      type: str
    resource:
      description: What it is about.
      type: str
    wanted:
      description: What was declared.
      type: str
    found:
      description: What there is.
      type: str
    why:
      description: What is wrong.
      type: str
    do:
      description: What to do about it.
      type: str
done:
  description: Changes that were carried out before it failed; C(failed_changes) and C(not_done) hold the others.
  returned: when some changes failed
  type: list
  elements: dict
failed_changes:
  description: Changes that failed, each with its C(error).
  returned: when some changes failed
  type: list
  elements: dict
not_done:
  description: Changes that were not begun or not finished, because they need one that failed.
  returned: when some changes failed
  type: list
  elements: dict
"""

from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.definitions import FLEET
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.module import main

if __name__ == "__main__":
    main(FLEET)
