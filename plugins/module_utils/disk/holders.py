# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who holds a mount or a directory: processes by /proc, and what the kernel itself holds."""

from __future__ import annotations

import os
import pwd
import re
from typing import Callable, Iterator, Set, Tuple

from .machine import Machine
from .mounts import unescaped
from .state import Holder

#: (path as /proc shows it, device number) -> whether it lies in what is asked for
Inside = Callable[[str, str], bool]


def of_mount(machine: Machine, path: str, number: str) -> Tuple[Holder, ...]:
    """Who holds the filesystem with device `number` mounted at `path`."""
    return _found(machine, lambda _name, device: device == number, below(path))


def of_directory(machine: Machine, path: str) -> Tuple[Holder, ...]:
    """Who works in the directory `path`, which is not a mount point."""
    return _found(machine, lambda name, _device: below(path)(name), below(path))


def below(path: str) -> Callable[[str], bool]:
    """Whether a name lies in `path`."""
    return lambda name: name == path or name.startswith(path.rstrip("/") + "/")


def _found(machine: Machine, inside: Inside, in_path: Callable[[str], bool]) -> Tuple[Holder, ...]:
    holders = []
    own = str(os.getpid())
    for pid in machine.names("/proc"):
        if pid.isdigit() and pid != own:
            seen: Set[str] = {name for name, device in used(machine, pid) if inside(name, device)}
            holders += [Holder(int(pid), user(machine, pid), command(machine, pid), name) for name in sorted(seen)[:3]]
    return tuple(holders + [Holder(0, "", "", text) for text, name in kernel(machine) if in_path(name)])


def used(machine: Machine, pid: str) -> Iterator[Tuple[str, str]]:
    """(path, device number) of what a process has open or works in."""
    base = f"/proc/{pid}"
    links = [f"{base}/cwd", f"{base}/root", f"{base}/exe"]
    links += [f"{base}/fd/{number}" for number in machine.names(f"{base}/fd")]
    for link in links:
        try:
            name, device = os.readlink(machine.at(link)), os.stat(machine.at(link)).st_dev
        except OSError:
            continue
        yield name, f"{os.major(device)}:{os.minor(device)}"
    for line in machine.text(f"{base}/maps").splitlines():
        # address perms offset major:minor inode path
        fields = line.split(None, 5)
        number = re.fullmatch("([0-9a-f]+):([0-9a-f]+)", fields[3]) if len(fields) == 6 else None
        if number and fields[5].startswith("/"):
            major, minor = number.groups()
            yield fields[5], f"{int(major, 16)}:{int(minor, 16)}"


def kernel(machine: Machine) -> Iterator[Tuple[str, str]]:
    """(what, path) of swap files and loop devices."""
    for line in machine.text("/proc/swaps").splitlines()[1:]:
        fields = line.split()
        if fields:
            name = unescaped(fields[0])
            yield f"swap file {name}", name
    for disk in machine.names("/sys/block"):
        name = machine.text(f"/sys/block/{disk}/loop/backing_file")
        if name:
            yield f"loop device /dev/{disk} on {name}", name


def user(machine: Machine, pid: str) -> str:
    """Whose a process is."""
    try:
        uid = os.stat(machine.at(f"/proc/{pid}")).st_uid
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
    except OSError:
        return "?"


def command(machine: Machine, pid: str) -> str:
    """Its command line."""
    line = machine.text(f"/proc/{pid}/cmdline").replace("\0", " ").strip()
    return line[:80] or machine.text(f"/proc/{pid}/comm") or "?"
