#!/usr/bin/python
# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Instances: there, running, stopped, or gone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: instance
short_description: Manage an EC2 instance
version_added: 0.1.0
description:
  - Launches an instance, changes what can be changed, and brings it to the declared state. It is found by its name alone, so a newer image
    or another subnet never makes a second one; two instances of the same name are an error.
  - What AWS cannot change in place is refused before anything happens, unless O(on_change) allows the way to it.
extends_documentation_fragment:
  - steadfast.ec2.resources.instance
  - steadfast.ec2.connection
  - steadfast.ec2.attributes
seealso:
  - module: steadfast.ec2.fleet
  - module: steadfast.ec2.volume
  - module: steadfast.ec2.elastic_ip
author:
  - The steadfast.ec2 authors (@steadfast-collections)
"""

EXAMPLES = r"""
- name: One web server
  steadfast.ec2.instance:
    name: web
    image:
      name: debian-12-amd64-*
      owner: "136693071363"
    instance_type: t3.micro
    key_pair: Moso-dev-nvir
    security_groups: [moso-web-dev-sg]
    zone: use1-az1
    state: running
  register: web

- name: A larger one, with a stop and a start
  steadfast.ec2.instance:
    name: web
    instance_type: t3.small
    on_change:
      instance_type: restart

- name: Gone
  steadfast.ec2.instance:
    name: web
    state: absent
"""

RETURN = r"""
instance:
  description: The instance. V(null) when it is absent.
  returned: success
  type: dict
  contains:
    id:
      description: The id of the instance.
      type: str
    name:
      description: Its C(Name) tag.
      type: str
    state:
      description: V(pending), V(running), V(stopping) or V(stopped).
      type: str
    image_id:
      description: The image it was launched from.
      type: str
    instance_type:
      description: Its type.
      type: str
    zone:
      description: The name of its zone.
      type: str
    zone_id:
      description: The id of its zone, the same for all accounts.
      type: str
    region:
      description: Its region.
      type: str
    public_ip:
      description: Its public address.
      type: str
    private_ip:
      description: Its private address.
      type: str
    public_dns:
      description: Its public name.
      type: str
    private_dns:
      description: Its private name.
      type: str
    key_pair:
      description: The key pair that can log in.
      type: str
    security_groups:
      description: Its groups, each with C(id) and C(name).
      type: list
      elements: dict
    vpc_id:
      description: Its VPC.
      type: str
    subnet_id:
      description: Its subnet.
      type: str
    iam_instance_profile:
      description: The name of its instance profile.
      type: str
    monitoring:
      description: Whether it is monitored every minute.
      type: bool
    ebs_optimized:
      description: Whether it has bandwidth of its own to EBS.
      type: bool
    launch_time:
      description: When it was last started.
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
    volumes:
      description: Its volumes by their declared names, as M(steadfast.ec2.volume) returns them; V(root) is the one it starts from.
      type: dict
    elastic_ip:
      description: Its Elastic IP.
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

from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.definitions import INSTANCE
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.module import main

if __name__ == "__main__":
    main(INSTANCE)
