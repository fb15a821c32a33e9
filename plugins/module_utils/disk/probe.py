# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Find the disk and read what stands on it and on the machine. Nothing here writes, and no link by id is trusted."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import stat
from dataclasses import replace
from typing import Any, Dict, Optional, Tuple

from ..engine.errors import CommandFailed, TimedOut
from . import devices, filesystems, fstab, mounts
from .machine import PACKAGES, Machine
from .state import LOST, MIB, Desired, Disk, Folder, Holder, Mount, Node, Signature, State, size_text


def read(machine: Machine, desired: Desired, patience: float) -> State:
    """Everything that the plan needs, waiting up to `patience` seconds for the disk to appear."""
    name = machine.wait(lambda: devices.find(machine, desired), patience)
    if not name and desired.state == "mounted":
        raise devices.not_found(machine, desired, patience)
    if name and desired.state == "mounted":
        _large_enough(machine, desired, name, patience)
    others = _others(machine)
    disk = _disk(machine, name) if name else None
    mounted = mounts.parse(machine.text("/proc/self/mountinfo"))
    seed = _seed(machine, desired, disk)
    table = read_table(machine)
    selinux = os.path.exists(machine.at("/sys/fs/selinux/enforce"))
    state = State(
        disk=disk,
        selinux=selinux,
        seed=seed,
        mounts=mounted,
        table=table,
        sources={line.entry.source: _means(machine, others, line.entry.source) for line in fstab.parse(table) if line.entry},
        uuids=_by_uuid(others),
        programs=frozenset(program for program in PACKAGES if shutil.which(program, path=_PATH)),
    )
    return _with_filesystem(machine, desired, state)


def _large_enough(machine: Machine, desired: Desired, name: str, patience: float) -> None:
    """A volume that has just grown shows its new size a moment later."""

    def size() -> int:
        return devices.number(machine, f"/sys/block/{name}/size") * 512

    wanted = (desired.size or 0) << 30
    if not machine.wait(lambda: size() >= wanted, patience):
        raise TimedOut(
            f"is still smaller than declared after {patience:.0f} s",
            resource=desired.name,
            wanted=size_text(wanted),
            found=f"{size_text(size())} at /dev/{name}",
            do="Has the volume grown (its modification is `optimizing` or `completed`)? A machine that does not see it needs a reboot.",
        )


#: {kernel name: what blkid says of it}
Fields = Dict[str, Dict[str, str]]
_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin:/bin"


def _seed(machine: Machine, desired: Desired, disk: Optional[Disk]) -> str:
    serial = disk.serial if disk else ""
    if desired.volume or serial:
        return desired.volume or devices.volume_id(serial) or serial
    return f"{machine.text('/etc/machine-id')}:{disk.node.name if disk else desired.device}"


def _disk(machine: Machine, name: str) -> Disk:
    base = f"/sys/block/{name}"
    sector = devices.number(machine, f"{base}/queue/logical_block_size") or 512
    inner = [part for part in machine.names(base) if machine.text(f"{base}/{part}/partition")]
    own = fields_of(machine, name, *inner) if inner else {}
    partitions = tuple(_node(machine, part, f"{base}/{part}", own) for part in inner)
    node = _node(machine, name, base, own, exclusive=not partitions)
    disk = Disk(
        node=node,
        serial=devices.serial_of(machine, name),
        sector=sector,
        read_only=machine.text(f"{base}/ro") == "1",
        partitions=tuple(sorted(partitions, key=lambda part: part.start)),
    )
    if node.signature.blank:
        return _with_remains(machine, replace(disk, inside=signature(machine, node.path, MIB)))
    if node.signature.table and not partitions:
        told = _untold(machine, node.path)
        unseen = tuple(str(start) for _uuid, start in told if start != MIB // sector)
        disk = replace(disk, untold=tuple(uuid for uuid, _start in told), unseen=unseen)
    if node.signature.table and all(part.start != MIB for part in partitions):
        return replace(disk, inside=signature(machine, node.path, MIB))
    return disk


def _node(machine: Machine, name: str, base: str, own: Fields, exclusive: bool = True) -> Node:
    path = f"/dev/{name}"
    # Only what is asked for alone tells "nothing" from "contradicting".
    code, fields = (0, own[name]) if name in own else low_level(machine, path)
    held = held_by(machine, name, base)
    if exclusive and not held and _opened_exclusively(machine, path):
        held = ("opened exclusively (mounted, or used by a program)",)
    return Node(
        name=name,
        size=devices.number(machine, f"{base}/size") * 512,
        number=machine.text(f"{base}/dev"),
        start=devices.number(machine, f"{base}/start") * 512,
        signature=to_signature(code, fields),
        part_uuid=fields.get("PART_ENTRY_UUID", "").lower(),
        held=held,
    )


def held_by(machine: Machine, name: str, base: str) -> Tuple[str, ...]:
    """Who in the kernel holds a device: device mapper, md, swap."""
    held = []
    for holder in machine.names(f"{base}/holders"):
        mapped = machine.text(f"/sys/block/{holder}/dm/name")
        held.append(f"held by {holder}" + (f" ({mapped})" if mapped else ""))
    if any(line.split()[:1] == [f"/dev/{name}"] for line in machine.text("/proc/swaps").splitlines()):
        held.append("in use as swap")
    return tuple(held)


def _opened_exclusively(machine: Machine, path: str) -> bool:
    try:
        os.close(os.open(machine.at(path), os.O_RDONLY | os.O_EXCL))
    except OSError as error:
        return error.errno == errno.EBUSY
    return False


def signature(machine: Machine, path: str, offset: int = 0) -> Signature:
    """What low-level blkid sees on a device from `offset` on."""
    return to_signature(*low_level(machine, path, offset))


def low_level(machine: Machine, path: str, offset: int = 0) -> Tuple[int, Dict[str, str]]:
    """(exit code, fields) of low-level blkid; code 8 means signatures that contradict each other."""
    # 2: nothing found; 8: contradicting signatures. Anything else is an error, and an error is never "blank".
    code, output = machine.run("blkid", "-p", "-o", "export", "-O", str(offset), path, ok=(0, 2, 8))
    return code, _fields(output)


def _fields(output: str) -> Dict[str, str]:
    pairs = (line.partition("=") for line in output.splitlines())
    return {name: re.sub(r"\\(.)", r"\1", value) for name, equals, value in pairs if equals}


def to_signature(code: int, fields: Dict[str, str]) -> Signature:
    """What the fields of blkid, and its exit code, say."""
    return Signature(
        kind=fields.get("TYPE", ""),
        uuid=fields.get("UUID", ""),
        label=fields.get("LABEL", ""),
        table=fields.get("PTTYPE", ""),
        unclear=code == 8,
        table_uuid=fields.get("PTUUID", ""),
    )


def _with_remains(machine: Machine, disk: Disk) -> Disk:
    """With a backup partition table at the end, which blkid does not report once the first one is wiped."""
    # To blkid, what cannot be read, or is no longer there, is nothing; to us it must not be blank.
    for place in (0, MIB):
        machine.bytes_at(disk.node.path, place, 4096)
    for size in sorted({disk.sector, 512, 4096}):
        place = max(disk.node.size - size, 0)
        found = backup_table(machine, disk.node.path, place)
        if found:
            return replace(disk, remains="the backup of a GPT partition table at its end", remains_uuid=found, remains_at=place)
    return disk


def backup_table(machine: Machine, path: str, place: int) -> str:
    """The UUID of the GPT header at `place`, or ""; its layout is that of the UEFI specification."""
    header = machine.bytes_at(path, place, 92)
    if header[:8] != b"EFI PART" or len(header) != 92:
        return ""
    import uuid

    return str(uuid.UUID(bytes_le=header[56:72]))


def _untold(machine: Machine, path: str) -> Tuple[Tuple[str, Any], ...]:
    """(UUID, first sector) of partitions that stand in a table whose partitions the kernel does not show."""
    code, output = machine.run("sfdisk", "--json", path, ok=(0, 1))
    if code != 0 or not output.strip():
        return ()
    try:
        table = json.loads(output)["partitiontable"]
        return tuple((part.get("uuid", "").lower(), part.get("start")) for part in table.get("partitions", ()))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise CommandFailed("its output is not understood", resource=f"sfdisk --json {path}", operation="sfdisk") from error


def _others(machine: Machine) -> Fields:
    """{device: its blkid fields} of everything on the machine that carries something."""
    return _blocks(machine.run("blkid", "-c", "/dev/null", "-o", "export", ok=(0, 2))[1])


def fields_of(machine: Machine, *names: str) -> Fields:
    """The low-level fields of a disk and its partitions, where all of them carry something; blkid stops at the first that does not."""
    return _blocks(machine.run("blkid", "-p", "-o", "export", *(f"/dev/{name}" for name in names), ok=(0, 2, 8))[1])


def _blocks(output: str) -> Fields:
    blocks = [_fields(block) for block in output.split("\n\n")]
    return {os.path.basename(block["DEVNAME"]): block for block in blocks if "DEVNAME" in block}


def _by_uuid(others: Fields) -> Dict[str, Tuple[str, ...]]:
    result: Dict[str, Tuple[str, ...]] = {}
    for name, fields in others.items():
        if fields.get("UUID"):
            result[fields["UUID"]] = (*result.get(fields["UUID"], ()), name)
    return result


def _means(machine: Machine, others: Fields, source: str) -> str:
    """The kernel name of the device that a source in fstab means; "" where there is none, all of them where there are several."""
    tag, equals, value = source.partition("=")
    if equals and tag in ("UUID", "LABEL", "PARTUUID", "PARTLABEL"):
        return " ".join(name for name, fields in others.items() if fields.get(tag) == value)
    if not source.startswith("/dev/") or "\0" in source:
        return ""
    real = os.path.realpath(machine.at(source))
    return os.path.basename(real) if os.path.exists(real) else ""


def read_table(machine: Machine) -> bytes:
    """The bytes of /etc/fstab; none where there is no such file."""
    try:
        with open(machine.at("/etc/fstab"), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def current_node(disk: Optional[Disk]) -> Optional[Node]:
    """The device that carries the filesystem, or would: the only partition, or the disk itself."""
    if disk is None:
        return None
    if disk.partitions:
        return disk.partitions[0] if len(disk.partitions) == 1 else None
    return disk.node


def mounts_of(state: State) -> Tuple[Mount, ...]:
    """Where the filesystem is mounted."""
    node = current_node(state.disk)
    return tuple(mount for mount in state.mounts if node and node.number and mount.number == node.number)


def _with_filesystem(machine: Machine, desired: Desired, state: State) -> State:
    node = current_node(state.disk)
    if node is not None and node.signature.kind == "ext4":
        # mountinfo leaves out what the superblock has as its default; this file has everything that is in force
        own, ours = tuple(machine.text(f"/proc/fs/ext4/{node.name}/options").split()), mounts_of(state)
        state = replace(state, mounts=tuple(replace(mount, own=own) if mount in ours else mount for mount in state.mounts))
    mounted = mounts_of(state)
    if node is not None and node.signature.kind in filesystems.KINDS and desired.state == "mounted":
        state = replace(state, geometry=filesystems.geometry(machine, node, mounted[0] if mounted else None))
    if desired.path:
        here = mounts.at(state.mounts, desired.path)
        state = replace(state, folder=folder(machine, desired, here))
        if state.selinux and here is not None and here in mounted:
            # -n changes nothing; -v says what it would change
            state = replace(state, context=machine.run("restorecon", "-n", "-v", desired.path)[1].strip())
    return replace(state, holders=_holders(machine, desired, state, mounted))


def _holders(machine: Machine, desired: Desired, state: State, mounted: Tuple[Mount, ...]) -> Tuple[Holder, ...]:
    if desired.state == "mounted" and not (desired.path and desired.content == "move" and state.folder.inodes):
        return ()
    from . import holders

    if desired.state != "mounted":
        found = [holders.of_mount(machine, mount.path, mount.number) for mount in mounted if desired.path in (None, mount.path)]
        return tuple(dict.fromkeys(holder for group in found for holder in group))
    return holders.of_directory(machine, str(desired.path))


def folder(machine: Machine, desired: Desired, here: Optional[Mount]) -> Folder:
    """The directory at the mount point; weighed only where its content is to be moved."""
    path = str(desired.path)
    real, parent = machine.real(path), os.path.dirname(path)
    old = tuple(f"{parent.rstrip('/')}/{name}" for name in machine.names(parent) if name.startswith(f"{os.path.basename(path)}.before-"))
    try:
        found = os.lstat(machine.at(path))
    except FileNotFoundError:
        return Folder(real=real, old=old)
    except OSError as error:
        return Folder(real=f"not a directory ({error.strerror})")
    if not stat.S_ISDIR(found.st_mode):
        return Folder(exists=True, real=real if real != path else "not a directory", old=old)
    names = tuple(name for name in machine.names(path) if name != LOST or not _is_directory(machine.at(f"{path}/{name}")))
    size, inodes = _weight(machine.at(path)) if names and here is None and desired.content == "move" else (0, 0)
    space = os.statvfs(machine.at(path))
    return Folder(
        exists=True,
        real=real,
        names=names,
        size=size,
        inodes=inodes,
        uid=found.st_uid,
        gid=found.st_gid,
        mode=f"{stat.S_IMODE(found.st_mode):04o}",
        old=old,
        total=space.f_blocks * space.f_frsize,
        free=space.f_bavail * space.f_frsize,
    )


def _is_directory(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)


def _weight(path: str) -> Tuple[int, int]:
    """(bytes used, number of inodes) of what lies in a directory; a file with several names counts once."""
    seen = {}
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            found = os.lstat(os.path.join(folder, name))
            seen[(found.st_dev, found.st_ino)] = found.st_blocks * 512
    return sum(seen.values()), len(seen)
