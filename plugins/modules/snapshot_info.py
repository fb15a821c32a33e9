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
extends_documentation_fragment:
  - steadfast.ec2.selection
  - steadfast.ec2.selection.backups
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
