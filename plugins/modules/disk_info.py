#!/usr/bin/python
# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The disks of a machine, in one look."""

from __future__ import annotations

DOCUMENTATION = r"""
module: disk_info
short_description: Show the disks of a machine, what is on them, where it is mounted, and who uses it
version_added: 0.1.0
description:
  - What C(lsblk), C(fdisk -l), C(df), C(findmnt) and C(lsof) show, in one task, with the ids of EBS volumes and the names they were
    declared with; as data, and as a table to read.
  - Nothing is written, and nothing is mounted. Disks of the kernel's own making (loop, RAM, device mapper, md) are left out; what they
    hold is told at the disk that they hold.
options:
  volumes:
    description:
      - The volumes by the name that each was declared with, so that the disks can be called by it.
      - The host's variable C(ec2.volumes) as the inventory plugin gives it, or a mapping from names to ids.
    type: dict
    default: {}
  processes:
    description:
      - Whether to look for processes that have files open on mounted disks. The filesystem of C(/), where everything runs, is left out.
    type: bool
    default: true
extends_documentation_fragment:
  - steadfast.ec2.attributes.info
requirements:
  - C(blkid) of util-linux
  - root
seealso:
  - module: steadfast.ec2.disk
author:
  - The steadfast.ec2 authors (@steadfast-collections)
"""

EXAMPLES = r"""
- name: Look at the disks
  steadfast.ec2.disk_info:
    volumes: "{{ ec2.volumes | default({}) }}"
  register: found

- name: Show them
  ansible.builtin.debug:
    var: found.table

- name: Fail when a mounted filesystem is nearly full
  ansible.builtin.assert:
    that: item.available > 0.1 * item.total
    fail_msg: "{{ item.path }} has {{ item.available }} of {{ item.total }} bytes left"
  loop: "{{ found.mounts }}"
  loop_control:
    label: "{{ item.path }}"
"""

RETURN = r"""
disks:
  description: Every disk with its partitions. Sizes are bytes; what there is not is null.
  returned: success
  type: list
  elements: dict
  contains:
    device:
      description: The node of the disk.
      type: str
      sample: /dev/nvme1n1
    name:
      description: The name that the volume was declared with, where O(volumes) has its id.
      type: str
      sample: images
    volume:
      description: The id of the EBS volume.
      type: str
      sample: vol-0123456789abcdef0
    serial:
      description: The serial number.
      type: str
      sample: vol0123456789abcdef0
    attach_name:
      description: The name that the volume was attached with, where its NVMe controller tells.
      type: str
      sample: sdf
    model:
      description: The model, where the kernel knows it.
      type: str
      sample: Amazon Elastic Block Store
    size:
      description: The size of the disk.
      type: int
      sample: 8589934592
    start:
      description: Where it begins; 0 for a disk.
      type: int
    sector:
      description: The size of a logical sector.
      type: int
      sample: 512
    read_only:
      description: Whether it cannot be written.
      type: bool
    table:
      description: The kind of partition table.
      type: str
      sample: gpt
    table_uuid:
      description: The UUID of the partition table.
      type: str
    filesystem:
      description: The kind of filesystem, or of whatever else is on it (V(swap), V(LVM2_member), V(crypto_LUKS)…).
      type: str
      sample: ext4
    uuid:
      description: Its UUID.
      type: str
    label:
      description: Its label.
      type: str
    partition_type:
      description: The type of a partition.
      type: str
    partition_name:
      description: The name of a partition.
      type: str
    partition_uuid:
      description: The UUID of a partition.
      type: str
    carries:
      description: Table and filesystem in words; V(blank) where there is nothing.
      type: str
      sample: gpt
    mounted:
      description: Where it is mounted.
      type: list
      elements: str
    held:
      description: Who in the kernel holds it, as device mapper or swap.
      type: list
      elements: str
    behind_partitions:
      description: The bytes behind the last partition; null without partitions.
      type: int
    partitions:
      description: The partitions in their order on the disk, with the same facts as a disk as far as they have them.
      type: list
      elements: dict
mounts:
  description: What is mounted from block devices, with options in force, space and inodes.
  returned: success
  type: list
  elements: dict
  sample:
    - path: /var/www/html/images
      source: /dev/nvme1n1p1
      filesystem: ext4
      options: [rw, relatime]
      in_fstab: true
      total: 8350298112
      used: 24576
      available: 7905005568
      inodes: 524288
      inodes_used: 11
fstab:
  description: The lines of C(/etc/fstab), with the devices that each one fits (two are a twin, as after a restore from a snapshot).
  returned: success
  type: list
  elements: dict
  sample:
    - source: UUID=0b6a1f3c-0000-5000-8000-000000000000
      path: /var/www/html/images
      filesystem: ext4
      options: [defaults, nofail]
      dump: "0"
      passno: "2"
      devices: [/dev/nvme1n1p1]
      mounted: true
processes:
  description: Who has files open on what is mounted; a swap file or loop device on it has process 0.
  returned: success
  type: list
  elements: dict
  sample:
    - mount: /var/www/html/images
      pid: 812
      user: www-data
      command: "nginx: worker process"
      path: /var/www/html/images/a.png
table:
  description: The same as lines for people.
  returned: success
  type: list
  elements: str
  sample:
    - DEVICE            NAME    VOLUME                 SIZE   CARRIES  LABEL  UUID  MOUNTED AT            USED    AVAILABLE
    - /dev/nvme1n1      images  vol-0123456789abcdef0  8 GiB  gpt      -      -     -                     -       -
    - "  /dev/nvme1n1p1  -       -                      8 GiB  ext4     -      0b6…  /var/www/html/images  24 KiB  7.362 GiB"
"""

from ansible_collections.steadfast.ec2.plugins.module_utils.disk.info_definition import DEFINITION
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.module import main

if __name__ == "__main__":
    main(DEFINITION)
