# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options of the module disk. They stand here because a module file travels to the machine, and a fragment does not."""

from __future__ import annotations


class ModuleDocFragment:
    """What is declared about a disk."""

    DOCUMENTATION = r"""
options:
  volume:
    description:
      - The id of the EBS volume. The disk is found by its serial number, whatever its device is called.
      - On Xen instances, which show no serial numbers, give O(device) too.
    type: str
    aliases: [volume_id]
  device:
    description:
      - A disk without a volume id, by path or by attach name. Xen's C(/dev/xvdf) is also found as C(/dev/sdf).
      - With O(volume), it is only used where disks have no serial numbers.
    type: str
  path:
    description:
      - The mount point. It is made when it is not there.
      - Required with O(state=mounted). With the other states, leave it out to mean wherever the disk is mounted.
    type: path
  filesystem:
    description:
      - The kind of filesystem. A new one is V(ext4) when this is not given; a disk that carries another kind than the one given is refused.
    type: str
    choices: [ext4, xfs]
  partition:
    description:
      - Whether a blank disk gets a GPT partition table with one partition, aligned to 1 MiB, or carries the filesystem as it is.
      - A disk that has its filesystem already is mounted either way.
    type: bool
    default: true
  label:
    description: The label of the filesystem. Not managed when it is not given.
    type: str
  mkfs_options:
    description:
      - Options of C(mkfs) for a new filesystem, for example V(-i 4096). What is there already is never made again.
      - Options that decide what O(label), O(filesystem) and the plan decide are refused.
    type: list
    elements: str
    default: []
  erase:
    description:
      - What may be erased, by its UUID (of a filesystem, of a partition table, of whatever else is there), or by its kind where it has no
        UUID. The refusal of a disk that is not blank says what would have to be given.
      - A disk is only erased when everything that is on it is named, nothing of it is mounted, held or in C(/etc/fstab), and
        it carries one of the names. What is no longer there does no harm here, so the option can stay for the next runs.
    type: list
    elements: str
    default: []
  duplicate_uuid:
    description:
      - What to do when the filesystem has the UUID of another one on this machine, as a volume has that was restored from a snapshot and
        is attached beside the original.
      - V(refuse) fails. V(renew) gives the filesystem of this volume a UUID of its own, after it was checked; it must not be mounted.
    type: str
    choices: [refuse, renew]
    default: refuse
  mount_options:
    description:
      - The options in C(/etc/fstab). They are compared with what is in force, too; a volume that was remounted read-only is a difference.
      - What was not asked for may be as the filesystem has it as its default (C(tune2fs -o), C(tune2fs -e)).
      - C(x-systemd.automount) is refused.
    type: list
    elements: str
    default: [defaults, nofail, x-systemd.device-timeout=90s]
  content:
    description:
      - What to do with a mount point that is not empty.
      - V(refuse) fails. V(hide) mounts over it.
      - V(move) copies everything onto the volume, with owners, modes, times, extended attributes, hard links and holes, compares the copy
        byte by byte, and only then renames the directory aside and mounts the volume in its place. The volume must be empty, and
        nobody may be working in the directory.
    type: str
    choices: [refuse, move, hide]
    default: refuse
  keep_old_content:
    description:
      - Whether the directory that was moved stays beside the mount point, as O(path) with C(.before-) and the first letters of the
        filesystem's UUID. With V(false) it is removed once the volume is mounted, in a later run too.
    type: bool
    default: true
  owner:
    description: The owner of the mounted root, by name or number. Moved content brings its own.
    type: str
  group:
    description: The group of the mounted root, by name or number.
    type: str
  mode:
    description: The mode of the mounted root, as octal digits in quotes, for example V("0755").
    type: raw
  grow:
    description:
      - Whether partition and filesystem are grown, while they are in use, when the disk has become larger.
      - With V(ro) among O(mount_options) they are not, and the result says so in RV(notes).
    type: bool
    default: true
  size:
    description:
      - The size in GiB that the disk must have reached, as it is declared for the volume. A volume that has just been enlarged shows it
        a moment later; it is waited for up to O(timeout). Not given, the disk is taken as it is.
    type: int
  timeout:
    description: How many seconds to wait for the disk to appear, for its size, and for its lock.
    type: int
    default: 60
  state:
    description:
      - V(mounted) is the whole chain. V(unmounted) only unmounts. V(absent) unmounts, then takes the line out of C(/etc/fstab).
      - When the mount is in use, both fail before anything is changed, and name who uses it. Neither erases anything.
    type: str
    choices: [mounted, unmounted, absent]
    default: mounted
"""
