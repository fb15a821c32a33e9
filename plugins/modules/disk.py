#!/usr/bin/python
# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From a blank EBS volume to a mounted filesystem, in one task."""

from __future__ import annotations

DOCUMENTATION = r"""
module: disk
short_description: Bring an EBS volume from blank to mounted, and keep it there
version_added: 0.1.0
description:
  - Finds the disk of an EBS volume, partitions it, makes a filesystem, moves what lies at the mount point onto it, writes C(/etc/fstab),
    mounts it, sets owner and mode of the mounted root, and grows partition and filesystem when the volume has grown.
  - All of it is one plan. Check mode tells it exactly, down to the UUID and the line in C(/etc/fstab), before the disk is touched;
    and whatever must be refused is refused before the first write.
  - A filesystem is only ever made on a disk that is blank. Blank means that low-level C(blkid) finds neither a filesystem nor a
    partition table, nothing at 1 MiB either, no partition, no holder, no swap and no mount, and that the disk can be opened exclusively.
    A disk that carries one ext4 or xfs filesystem is mounted as it is. Every other disk is refused, with what was found on it, unless all
    of that is named in O(erase).
  - Killed at any moment and run again, it continues where it stopped.
extends_documentation_fragment:
  - steadfast.ec2.disk
attributes:
  check_mode:
    support: full
    description: Tells the whole plan, and changes nothing.
  diff_mode:
    support: full
    description: The diff is the plan; what is undecided reads V((known after apply\)).
  idempotent:
    support: full
    description: A second run finds nothing to do.
requirements:
  - C(blkid), C(sfdisk), C(partx), C(findmnt) and C(mount) of util-linux (Debian has C(sfdisk) in the package C(fdisk)).
  - e2fsprogs for ext4, xfsprogs for xfs.
  - root
notes:
  - Filesystems are mounted with V(nofail), so that a missing volume does not keep the machine from booting. Such mounts do not hold back
    the services that need them. Give those services C(RequiresMountsFor=) with the path.
  - In check mode O(volume) may be V((known after apply\)), for a volume that the same run is going to create.
seealso:
  - module: steadfast.ec2.disk_info
  - module: steadfast.ec2.disk_freeze
  - module: steadfast.ec2.volume
author:
  - The steadfast.ec2 authors (@steadfast-collections)
"""

EXAMPLES = r"""
- name: Images of the site live on their own volume, with what is there already
  steadfast.ec2.disk:
    volume: "{{ ec2.volumes.images.id }}"
    path: /var/www/html/images
    content: move
    owner: www-data
    mode: "0755"

- name: A database volume with xfs
  steadfast.ec2.disk:
    volume: vol-0123456789abcdef0
    path: /var/lib/postgresql
    filesystem: xfs
    mount_options: [noatime, nofail]

- name: A volume restored from a snapshot, beside the original
  steadfast.ec2.disk:
    volume: vol-0fedcba9876543210
    path: /srv/yesterday
    duplicate_uuid: renew

- name: Before the volume is detached
  steadfast.ec2.disk:
    volume: vol-0123456789abcdef0
    path: /var/lib/postgresql
    state: absent
"""

RETURN = r"""
disk:
  description: The disk as it is after the task (in check mode, as it is).
  returned: success
  type: dict
  sample:
    volume: vol-0123456789abcdef0
    serial: vol0123456789abcdef0
    device: /dev/nvme1n1
    node: /dev/nvme1n1p1
    size: 8589934592
    partition_uuid: 6f6f6f6f-0000-5000-8000-000000000000
    filesystem: ext4
    uuid: 0b6a1f3c-0000-5000-8000-000000000000
    label: null
    path: /var/www/html/images
    mounted: [/var/www/html/images]
    options: [rw, relatime]
    total: 8350298112
    free: 7905005568
    owner: 33
    group: 33
    mode: "0755"
plan:
  description: What has to change (in check mode) or was changed, in order, with the attributes and the steps.
  returned: success
  type: list
  elements: dict
summary:
  description: The plan in one line.
  returned: success
  type: str
  sample: "Plan: 4 to create."
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
    code: Refused
    resource: disk /dev/nvme1n1
    found: "xfs (UUID 0b6a1f3c-0000-5000-8000-000000000000)"
"""

from ansible_collections.steadfast.ec2.plugins.module_utils.disk.definition import DEFINITION
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.module import main

if __name__ == "__main__":
    main(DEFINITION)
