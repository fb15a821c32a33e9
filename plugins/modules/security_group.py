#!/usr/bin/python
# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Security groups and their rules."""

from __future__ import annotations

DOCUMENTATION = r"""
module: security_group
short_description: Manage an EC2 security group and its rules
version_added: 0.1.0
description:
  - Brings the rules of a group to what is declared. New rules are authorised before old ones are revoked, so nothing is cut off in between.
  - What is not declared is not touched. Egress stays as it is unless O(egress_rules) is given.
extends_documentation_fragment:
  - steadfast.ec2.resources.security_group
  - steadfast.ec2.connection
  - steadfast.ec2.attributes
seealso:
  - module: steadfast.ec2.fleet
  - module: steadfast.ec2.instance
author:
  - The steadfast.ec2 authors (@steadfast-collections)
"""

EXAMPLES = r"""
- name: Web servers, with a login for me alone
  steadfast.ec2.security_group:
    name: moso-web-dev-sg
    description: web servers
    rules:
      - ports: [22]
        cidr: my_ip
        description: administration
      - ports: [80, 443]
        cidr: [0.0.0.0/0, "::/0"]

- name: A database that only the web servers reach
  steadfast.ec2.security_group:
    name: moso-db-dev-sg
    rules:
      - ports: [5432]
        group: moso-web-dev-sg

- name: Only the content delivery network comes in, ping from everywhere, and what there is besides stays
  steadfast.ec2.security_group:
    name: moso-web-dev-sg
    purge_rules: false
    rules:
      - ports: [443]
        prefix_list: com.amazonaws.global.cloudfront.origin-facing
      - protocol: icmp
        icmp_type: 8
        cidr: 0.0.0.0/0

- name: One rule gets another network, another one goes; both are known by their ids, and what there is besides stays
  steadfast.ec2.security_group:
    name: moso-web-dev-sg
    purge_rules: false
    rules:
      - id: sgr-0123456789abcdef0
        cidr: 198.51.100.0/24
        description: the new office
      - id: sgr-0123456789abcdef1
        state: absent
"""

RETURN = r"""
security_group:
  description: The group. V(null) when it is absent.
  returned: success
  type: dict
  contains:
    id:
      description: The id of the group.
      type: str
    name:
      description: Its name.
      type: str
    description:
      description: Its description.
      type: str
    vpc_id:
      description: Its VPC.
      type: str
    rules:
      description: Who is let in, one line for each rule.
      type: list
      elements: str
    egress_rules:
      description: Where traffic may go, one line for each rule.
      type: list
      elements: str
    tags:
      description: Its tags.
      type: dict
    fleet:
      description: The fleet that owns it.
      type: str
    planned:
      description: Whether it is only planned, in check mode; its ids are null then.
      type: bool
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
      description: One of V(create), V(update), V(restart), V(delete).
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

from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.definitions import SECURITY_GROUP
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.module import main

if __name__ == "__main__":
    main(SECURITY_GROUP)
