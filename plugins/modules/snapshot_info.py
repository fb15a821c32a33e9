#!/usr/bin/python
# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Look up snapshots."""

from __future__ import annotations

DOCUMENTATION = r"""
module: snapshot_info
short_description: Look up snapshots
version_added: 0.1.0
description:
  - Returns snapshots, the newest first. Makes only calls that read.
options:
  ids:
    description:
      - Only those with one of these ids. An id that does not exist is no error, it is just not in the answer.
      - When several of these options are given, all of them must hold.
    type: list
    elements: str
  names:
    description: Only those with one of these names, where V(*) and V(?) stand for any characters. It is the C(Name) tag that is meant.
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
    description: The accounts whose snapshots are meant, by number, or V(self) or V(amazon).
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
  - module: steadfast.ec2.snapshot
author:
  - The steadfast.ec2 authors (@steadfast-collections)
"""

EXAMPLES = r"""
- name: The newest of a series
  steadfast.ec2.snapshot_info:
    series: web
  register: found

- name: Its id
  ansible.builtin.debug:
    msg: "{{ found.snapshots[0].id }}"
"""

RETURN = r"""
snapshots:
  description: The snapshots, the newest first, each as M(steadfast.ec2.snapshot) returns it without C(planned).
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Its id.
      type: str
    name:
      description: Its C(Name) tag.
      type: str
    state:
      description: V(pending), V(completed) or V(error).
      type: str
    message:
      description: Why it failed.
      type: str
    description:
      description: Its description.
      type: str
    encrypted:
      description: Whether it is encrypted.
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
    progress:
      description: How much of it is copied.
      type: str
    volume_id:
      description: The volume it is of; of a copy, none that exists.
      type: str
    size:
      description: The size of the volume in GiB.
      type: int
    kms_key_id:
      description: The key it is encrypted with.
      type: str
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

from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.backup.definitions import SNAPSHOT_INFO
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.module import main

if __name__ == "__main__":
    main(SNAPSHOT_INFO)
