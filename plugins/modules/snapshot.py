#!/usr/bin/python
# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Snapshots of volumes."""

from __future__ import annotations

DOCUMENTATION = r"""
module: snapshot
short_description: Manage a snapshot of a volume, and how many of a series are kept
version_added: 0.1.0
description:
  - Makes a snapshot once and finds it again by its name, copies snapshots between regions and into encryption, shares them, and deletes
    the old ones of a series.
  - A run that was killed while it waited can simply be run again. No request is sent twice where that would make two snapshots.
options:
  name:
    description:
      - The name of the snapshot, kept in its C(Name) tag, by which it is found again.
      - Not needed where only O(series) and O(keep) are given, to delete what is too old.
    type: str
  state:
    description: Whether it is there. One that an image or a launch template uses is not deleted.
    type: str
    choices: [present, absent]
    default: present
  volume:
    description: The volume, by id or C(Name) tag. Needed for a new snapshot that is no copy.
    type: str
    aliases: [volume_id]
  copy_from:
    description: What it is a copy of. The way to another region, and from not encrypted to encrypted.
    type: dict
    suboptions:
      snapshot:
        description: The snapshot by id or, if it is your own, by name.
        type: str
        required: true
      region:
        description: Its region; this one when it is not given.
        type: str
  description:
    description: The description of the snapshot. AWS never changes it again, so another one than there is, is refused.
    type: str
  encrypted:
    description: Whether a copy is encrypted. Without a copy, it is encrypted as what it is made from.
    type: bool
  kms_key_id:
    description: The key to encrypt a copy with. The account's default key when it is not given.
    type: str
  copy_tags:
    description: Whether a new one gets the tags of what it is made from, beside O(tags). They are then not purged.
    type: bool
    default: false
  tags:
    description: Its tags. Not managed when they are not given; V({}) means none.
    type: dict
    aliases: [resource_tags]
  purge_tags:
    description: Whether tags that are not in O(tags) are removed. C(Name) and those that begin with C(aws:) or C(steadfast:) always stay.
    type: bool
    default: true
  share_with:
    description:
      - The accounts that may use it, exactly these; V(all) for everybody. Not managed when it is not given; V([]) means nobody.
      - What is encrypted with the account's default key cannot be shared.
    type: list
    elements: str
  series:
    description: The series it belongs to, kept in the tag C(steadfast:series). O(keep) counts within it.
    type: str
  keep:
    description:
      - What stays of the series; the others are deleted, after the new one is complete. With both, what either of them keeps stays.
      - Never deleted by it are the last one known to be complete, what carries the tag C(steadfast:protected) with the value V(true), and
        what an image or a launch template uses. RV(notes) names them.
    type: dict
    suboptions:
      newest:
        description: So many of the newest, with the one that this task makes. What was made at the same moment as the last stays too.
        type: int
      days:
        description: Those that are younger than so many days.
        type: int
  wait:
    description: Whether to wait until it is complete. One that an earlier run began is waited for too.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to wait. What is not complete by then fails the task with the last state seen.
    type: int
    default: 3600
extends_documentation_fragment:
  - steadfast.ec2.attributes
  - steadfast.ec2.connection
seealso:
  - module: steadfast.ec2.snapshot_info
  - module: steadfast.ec2.volume
author:
  - The steadfast.ec2 authors (@steadfast-collections)
"""

EXAMPLES = r"""
- name: Every day one, seven of them kept
  steadfast.ec2.snapshot:
    name: "web-images-{{ now(utc=true, fmt='%Y-%m-%d') }}"
    volume: web-images
    copy_tags: true
    series: web-images
    keep:
      newest: 7

- name: A copy that is encrypted, in another region
  steadfast.ec2.snapshot:
    region: eu-west-1
    name: web-images-offsite
    copy_from:
      snapshot: snap-0123456789abcdef0
      region: eu-central-1
    encrypted: true

- name: For another account to restore
  steadfast.ec2.snapshot:
    name: web-images-offsite
    share_with: ["123456789012"]
"""

RETURN = r"""
snapshot:
  description: The snapshot. V(null) when it is absent.
  returned: success
  type: dict
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
    planned:
      description: Whether it is only planned, in check mode; its id is null then.
      type: bool
    copy_of:
      description: What it is to be a copy of; only while it is planned.
      type: str
series:
  description: What there is of the series, the newest first.
  returned: when O(series) is given
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

from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.backup.definitions import SNAPSHOT_MODULE
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.module import main

if __name__ == "__main__":
    main(SNAPSHOT_MODULE)
