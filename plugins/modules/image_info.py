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
options:
  ids:
    description:
      - Only those with one of these ids. An id that does not exist is no error, it is just not in the answer.
      - When several of these options are given, all of them must hold.
    type: list
    elements: str
  names:
    description: Only those with one of these names, where V(*) and V(?) stand for any characters.
    type: list
    elements: str
    aliases: [name]
  series:
    description: Only those of this series.
    type: str
  tags:
    description: Only those that carry these tags; a value may be a list of values, of which one must be there.
    type: dict
  filters:
    description: Filters of the EC2 API, with their values. V(_) may be written for V(-) in their names.
    type: dict
  owners:
    description: The accounts whose images are meant, by number, or V(self) or V(amazon).
    type: list
    elements: str
    default: [self]
    aliases: [owner]
  sharing:
    description: Whether to ask with whom each is shared, which takes a call for each.
    type: bool
    default: false
extends_documentation_fragment:
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
