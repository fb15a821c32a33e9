# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which disk is which: by serial number, by the name it was attached with, by path. No link is trusted."""

from __future__ import annotations

import os
import re
from typing import Optional, Sequence, Tuple

from ..engine.errors import Ambiguous, InvalidInput, NotFound
from .machine import Machine
from .state import Desired, size_text

#: Disks of the kernel's own making, and the hidden paths of NVMe multipath; none of them is a volume.
_NOT_A_VOLUME = re.compile(r"^(loop\d|ram\d|zram\d|sr\d|fd\d|dm-\d|md|nbd\d|nvme\d+c\d+n\d)")
#: Names under which EBS volumes are attached: /dev/sdf, xvdf, /dev/sda1.
_ATTACHED = re.compile(r"^(?:sd|xvd)([a-z]+\d*)$")


def disks(machine: Machine) -> Tuple[str, ...]:
    """The kernel names of all disks, without those of the kernel's own making."""
    return tuple(name for name in machine.names("/sys/block") if not _NOT_A_VOLUME.match(name))


def volume_id(text: str) -> str:
    """`vol-0123…` from a serial number, or "" where it is none."""
    found = re.match(r"^vol-?([0-9a-f]+)$", text)
    return f"vol-{found[1]}" if found else ""


def serial_of(machine: Machine, name: str) -> str:
    """The serial number of a disk: where virtio shows it, and where NVMe does."""
    base = f"/sys/block/{name}"
    return machine.text(f"{base}/serial") or machine.text(f"{base}/device/serial")


def attach_name(machine: Machine, name: str) -> str:
    """The name that a disk was attached with, where its NVMe controller tells; else ""."""
    if not name.startswith("nvme"):
        return ""
    from . import nvme

    if machine.text(f"/sys/block/{name}/device/model") != nvme.EBS:
        return ""
    return nvme.attach_name(machine.identify(machine.at(f"/dev/{name}")))


def find(machine: Machine, desired: Desired) -> str:
    """The kernel name of the declared disk, or "" while it is not there."""
    there: Sequence[str] = disks(machine)
    if desired.volume:
        found = [name for name in there if volume_id(serial_of(machine, name)) == desired.volume]
        if len(found) > 1:
            raise Ambiguous("several disks have its serial number", resource=desired.volume, found=", ".join(found))
        if found or not desired.device:
            return found[0] if found else ""
        # Xen shows no serial numbers: there the attach name is all there is.
        there = [name for name in there if name.startswith("xvd") and not serial_of(machine, name)]
    return _by_device(machine, desired.device or "", there)


def _by_device(machine: Machine, device: str, there: Sequence[str]) -> str:
    path = device if device.startswith("/") else f"/dev/{device}"
    base = os.path.basename(path)
    attached = _ATTACHED.match(base)
    told = {name: _letters(attach_name(machine, name)) for name in there} if attached else {}
    found = [name for name, letters in told.items() if attached and letters == attached[1]]
    if len(found) > 1:
        raise Ambiguous("several disks say that they were attached under this name", resource=device, found=", ".join(found))
    if found:
        return found[0]
    name = os.path.basename(os.path.realpath(machine.at(path)))
    for candidate in (name, f"xvd{attached[1]}" if attached else ""):
        if candidate in there and not told.get(candidate) and not _stale(machine, base, candidate):
            return candidate
    if machine.text(f"/sys/class/block/{name}/partition"):
        raise InvalidInput("is a partition", resource=device, do="Name the whole disk; its partition is found by itself.")
    return ""


def _letters(name: str) -> str:
    found = _ATTACHED.match(name)
    return found[1] if found else ""


def _stale(machine: Machine, link: str, name: str) -> bool:
    """Whether a link by id leads to a disk with another id: such links can outlive a quick detach and attach."""
    meant = re.search(r"vol-?([0-9a-f]{8,})", link)
    return meant is not None and volume_id(serial_of(machine, name)) != f"vol-{meant[1]}"


def not_found(machine: Machine, desired: Desired, patience: float) -> NotFound:
    """The error for a disk that is not there, with those that are."""
    there = [
        f"{name} ({serial_of(machine, name) or 'no serial'}, {size_text(number(machine, f'/sys/block/{name}/size') * 512)})"
        for name in disks(machine)
    ]
    return NotFound(
        f"no such disk on this machine after {patience:.0f} s",
        resource=desired.name,
        found=", ".join(there) or "no disk at all",
        do="Is the volume attached to this instance? On Xen instances give `device`, its attach name, too.",
    )


def number(machine: Machine, path: str, default: Optional[int] = None) -> int:
    """The number in a small file; `default` (or 0) where there is none."""
    text = machine.text(path)
    return int(text) if text.isdigit() and text.isascii() else default or 0
