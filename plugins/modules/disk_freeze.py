#!/usr/bin/python
# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filesystems that stand still while a snapshot begins."""

from __future__ import annotations

DOCUMENTATION = r"""
module: disk_freeze
short_description: Hold filesystems still while a snapshot of their volume begins, for a bounded time
version_added: 0.1.0
description:
  - Writes out what is in memory (C(sync)), then freezes the filesystems, as C(fsfreeze) does. Whoever writes waits; reading goes on.
    A snapshot that begins now has all files as they are, with nothing to recover.
  - The freeze ends with O(state=thawed), and after O(seconds) in any case, also when the run, the controller or the network dies
    meanwhile. A process of its own on the machine sees to that.
  - A snapshot of EBS is of the moment in which CreateSnapshot answers. So thaw then, and wait for its completion afterwards.
options:
  paths:
    description:
      - The mount points. They are frozen all, or none where one of them cannot be.
      - Refused is what the machine itself lives on (C(/), C(/var), C(/home), …), as nobody could log in to thaw it.
    type: list
    elements: path
    required: true
  state:
    description:
      - V(frozen) holds them still. Those that are frozen already get the whole time again when half of it is over.
      - V(thawed) lets them go on. It fails where that has happened already because the time was over, since a snapshot that was begun
        meanwhile may be of a moment after that. Nothing to thaw is no error.
    type: str
    choices: [frozen, thawed]
    required: true
  seconds:
    description: After how many seconds they are thawed by themselves. From 1 to 3600.
    type: int
    default: 60
attributes:
  check_mode:
    support: full
    description: Tells what would be frozen or thawed, and changes nothing.
  diff_mode:
    support: full
    description: The diff is the plan.
  idempotent:
    support: full
    description: What is frozen for long enough, or is not frozen, is left alone.
requirements:
  - a filesystem that can be frozen (ext4, xfs, btrfs)
  - root
notes:
  - What a database has in its own memory is not written by it. Freeze it too, or rely on its log, as after a power cut.
  - A freeze that somebody else made (C(fsfreeze -f)) is not seen and not ended.
seealso:
  - module: steadfast.ec2.snapshot
  - module: steadfast.ec2.disk
author:
  - The steadfast.ec2 authors (@steadfast-collections)
"""

EXAMPLES = r"""
- name: A snapshot with everything that was written so far
  block:
    - name: Freeze
      steadfast.ec2.disk_freeze:
        paths: [/var/www/html/images]
        state: frozen
        seconds: 30

    - name: Begin the snapshot
      steadfast.ec2.snapshot:
        name: "web-images-{{ now(utc=true, fmt='%Y-%m-%d') }}"
        volume: "{{ ec2.volumes.images.id }}"
        wait: false
      delegate_to: localhost
      become: false
  always:
    - name: Thaw
      steadfast.ec2.disk_freeze:
        paths: [/var/www/html/images]
        state: thawed
"""

RETURN = r"""
frozen:
  description: What stands still after the task, with the seconds that are left.
  returned: success
  type: list
  elements: dict
  sample:
    - path: /var/www/html/images
      seconds: 29.9
plan:
  description: What has to change (in check mode) or was changed, in order, with the attributes and the steps.
  returned: success
  type: list
  elements: dict
summary:
  description: The plan in one line.
  returned: success
  type: str
  sample: "Plan: 1 to update."
notes:
  description: What is not as it could be, and is not changed by the module.
  returned: success
  type: list
  elements: str
error:
  description: Why the task failed, as data.
  returned: failure
  type: dict
  sample:
    code: TimedOut
    resource: /var/www/html/images
"""

from ansible_collections.steadfast.ec2.plugins.module_utils.disk.freeze_definition import DEFINITION
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.module import main

if __name__ == "__main__":
    main(DEFINITION)
