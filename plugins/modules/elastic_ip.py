#!/usr/bin/python
# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Elastic IPs: allocated once, moved, released."""

from __future__ import annotations

DOCUMENTATION = r"""
module: elastic_ip
short_description: Manage an Elastic IP
version_added: 0.1.0
description:
  - Allocates an address once, points it to an instance or a network interface, moves it, releases it.
  - It is found by its name in a tag, so a second run, or a run after one that was killed, finds the same address.
extends_documentation_fragment:
  - steadfast.ec2.resources.elastic_ip
  - steadfast.ec2.connection
  - steadfast.ec2.attributes
seealso:
  - module: steadfast.ec2.fleet
  - module: steadfast.ec2.instance
author:
  - The steadfast.ec2 authors (@steadfast-collections)
"""

EXAMPLES = r"""
- name: An address that stays, whatever happens to the instance
  steadfast.ec2.elastic_ip:
    name: entry
    instance: web

- name: An address that is known outside, taken over under a name
  steadfast.ec2.elastic_ip:
    name: entry
    address: 203.0.113.7
    instance: web

- name: On the second private address of an interface that moves between machines
  steadfast.ec2.elastic_ip:
    name: service
    network_interface: eni-0123456789abcdef0
    private_ip: 172.31.16.78

- name: Given back, so that it costs nothing
  steadfast.ec2.elastic_ip:
    name: entry
    state: absent
"""

RETURN = r"""
elastic_ip:
  description: The address. V(null) when it is absent.
  returned: success
  type: dict
  contains:
    id:
      description: The allocation id of the address.
      type: str
    name:
      description: Its name.
      type: str
    public_ip:
      description: The address.
      type: str
    association_id:
      description: The id of its association.
      type: str
    instance_id:
      description: The instance it points to.
      type: str
    network_interface_id:
      description: The network interface it points to.
      type: str
    private_ip:
      description: The private address it points to.
      type: str
    tags:
      description: Its tags.
      type: dict
    fleet:
      description: The fleet that owns it.
      type: str
    member:
      description: Its name in the fleet.
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

from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.definitions import ELASTIC_IP
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.module import main

if __name__ == "__main__":
    main(ELASTIC_IP)
