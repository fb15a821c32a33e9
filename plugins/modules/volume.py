#!/usr/bin/python
# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""EBS volumes: made, grown, attached."""

from __future__ import annotations

DOCUMENTATION = r"""
module: volume
short_description: Manage an EBS volume and its attachment
version_added: 0.1.0
description:
  - Makes a volume, grows it or changes its type with one request that is waited for, attaches and detaches it.
  - Impossible wishes (shrinking, another zone, a volume that another instance holds) are refused before the first change.
extends_documentation_fragment:
  - steadfast.ec2.resources.volume
  - steadfast.ec2.connection
  - steadfast.ec2.attributes
seealso:
  - module: steadfast.ec2.fleet
  - module: steadfast.ec2.instance
  - module: steadfast.ec2.disk
author:
  - The steadfast.ec2 authors (@steadfast-collections)
"""

EXAMPLES = r"""
- name: A disk for images, on the web server
  steadfast.ec2.volume:
    name: web-images
    size: 8
    instance: web

- name: Larger and faster
  steadfast.ec2.volume:
    name: web-images
    size: 16
    iops: 4000
    throughput: 200

- name: Shared by two machines of a cluster
  steadfast.ec2.volume:
    name: quorum
    size: 4
    type: io2
    iops: 100
    multi_attach: true
    instances: [db-1, db-2]

- name: Off the instance, but kept
  steadfast.ec2.volume:
    name: web-images
    instance: ""
"""

RETURN = r"""
volume:
  description: The volume. V(null) when it is absent.
  returned: success
  type: dict
  contains:
    id:
      description: The id of the volume.
      type: str
    name:
      description: Its declared name, without that of its instance.
      type: str
    state:
      description: V(available) or V(in-use).
      type: str
    size:
      description: Its size in GiB.
      type: int
    type:
      description: Its type.
      type: str
    iops:
      description: Its operations per second.
      type: int
    throughput:
      description: Its throughput in MiB per second.
      type: int
    encrypted:
      description: Whether it is encrypted.
      type: bool
    kms_key_id:
      description: The key it is encrypted with.
      type: str
    snapshot_id:
      description: The snapshot it was made from.
      type: str
    zone:
      description: The name of its zone.
      type: str
    zone_id:
      description: The id of its zone.
      type: str
    instance_id:
      description: The instance it is attached to.
      type: str
    device:
      description: The name it is attached under.
      type: str
    attachment:
      description: The state of the attachment.
      type: str
    delete_on_termination:
      description: Whether it is deleted with its instance.
      type: bool
    multi_attach:
      description: Whether several instances may hold it at once.
      type: bool
    attachments:
      description: All its attachments, each with C(instance_id), C(device), C(state) and C(delete_on_termination).
      type: list
      elements: dict
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

from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.definitions import VOLUME
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.module import main

if __name__ == "__main__":
    main(VOLUME)
