#!/usr/bin/python
# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Look up images."""

from __future__ import annotations

DOCUMENTATION = r"""
module: image_info
short_description: Look up images
version_added: 0.1.0
description:
  - Returns images, the newest first. Makes only calls that read.
extends_documentation_fragment:
  - steadfast.ec2.selection
  - steadfast.ec2.selection.backups
  - steadfast.ec2.attributes.info
  - steadfast.ec2.attributes
  - steadfast.ec2.connection
seealso:
  - module: steadfast.ec2.image
author:
  - The steadfast.ec2 authors (@steadfast-collections)
"""

EXAMPLES = r"""
- name: The newest of a series
  steadfast.ec2.image_info:
    series: web
  register: found

- name: Its id
  ansible.builtin.debug:
    msg: "{{ found.images[0].id }}"
"""

RETURN = r"""
images:
  description: The images, the newest first, each as M(steadfast.ec2.image) returns it without C(planned).
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Its id.
      type: str
    name:
      description: Its name.
      type: str
    state:
      description: V(pending), V(available) or V(failed).
      type: str
    message:
      description: Why it failed.
      type: str
    description:
      description: Its description.
      type: str
    encrypted:
      description: Whether all of its snapshots are encrypted.
      type: bool
    created:
      description: When it was made, in UTC.
      type: str
    owner_id:
      description: The account that owns it.
      type: str
    shared_with:
      description: The accounts that may use it, V(all) for everybody; V(null) where that was not asked for.
      type: list
      elements: str
    tags:
      description: Its tags.
      type: dict
    series:
      description: The series it stands in.
      type: str
    architecture:
      description: The architecture that it is for.
      type: str
    boot_mode:
      description: How it starts.
      type: str
    root_device:
      description: The name of its root volume.
      type: str
    source_instance_id:
      description: The instance it was made from.
      type: str
    public:
      description: Whether everybody may use it.
      type: bool
    volumes:
      description: Its volumes, each with C(device), C(snapshot_id), C(size) and C(encrypted).
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

from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.backup.definitions import IMAGE_INFO
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.module import main

if __name__ == "__main__":
    main(IMAGE_INFO)
