# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The kinds of filesystem: how each is made, grown and named, and what it says of itself."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Dict, Optional, Tuple

from .machine import Machine
from .state import Geometry, Mount, Node

#: A filesystem may end before its partition does, as what is left is too little for one more group.
SLACK = 16 * 1024 * 1024


@dataclass(frozen=True)
class Kind:
    """A kind of filesystem; in the commands {node}, {uuid}, {label} and {path} are filled in."""

    name: str
    make: Tuple[str, ...]
    make_label: Tuple[str, ...]
    grow: Tuple[str, ...]
    relabel: Tuple[str, ...]
    longest_label: int
    #: Whether `relabel` takes a label with blanks in it.
    blanks: bool = True
    #: Bytes per inode that a new one is made with; 0: inodes are made when needed.
    bytes_per_inode: int = 0
    #: How an unmounted one gets another UUID: commands, and the exit codes that mean success.
    renew: Tuple[Tuple[Tuple[str, ...], Tuple[int, ...]], ...] = ()
    #: Options of a mount that only writes its log out, where `renew` asks for that.
    replay: str = ""
    #: Options of `make` that would contradict the plan.
    taken: Tuple[str, ...] = ()
    #: Its options without a value: only these can be written together (`-qf`).
    flags: str = ""


KINDS: Dict[str, Kind] = {
    "ext4": Kind(
        name="ext4",
        make=("mkfs.ext4", "-q", "-U", "{uuid}", "{node}"),
        make_label=("-L", "{label}"),
        grow=("resize2fs", "{node}"),
        relabel=("e2label", "{node}", "{label}"),
        longest_label=16,
        bytes_per_inode=16384,
        # e2fsck: 1 is "errors were corrected", as after a journal was replayed. tune2fs asks for a checked filesystem.
        renew=((("e2fsck", "-f", "-p", "{node}"), (0, 1)), (("tune2fs", "-U", "{uuid}", "{node}"), (0,))),
        taken=("-F", "-L", "-M", "-n", "-S", "-t", "-U", "device=", "offset="),
        flags="cjnqvDFKSV",
    ),
    "xfs": Kind(
        name="xfs",
        make=("mkfs.xfs", "-q", "-m", "uuid={uuid}", "{node}"),
        make_label=("-L", "{label}"),
        grow=("xfs_growfs", "{path}"),
        relabel=("xfs_io", "-c", "label -s {label}", "{path}"),
        longest_label=12,
        blanks=False,
        renew=((("xfs_admin", "-U", "{uuid}", "{node}"), (0,)),),
        replay="nouuid",
        taken=("-f", "-L", "-N", "uuid=", "logdev", "rtdev", "name=", "file"),
        flags="CKNVfq",
    ),
}


def filled(argv: Tuple[str, ...], **values: object) -> Tuple[str, ...]:
    """A command of a kind with its places filled in."""
    return tuple(word.format(**values) for word in argv)


def geometry(machine: Machine, node: Node, mount: Optional[Mount]) -> Geometry:
    """What the filesystem on `node` says of itself; nothing of a kind that is not ours."""
    kind = node.signature.kind
    names = None if mount is None else machine.names(mount.path)
    if kind == "ext4":
        start = _start_of(machine, node)
        size, errors = ext4_superblock(start)
        # What the journal still holds, a look at an unmounted disk does not see.
        if names is None and not needs_recovery(start):
            names = ext4_names(machine.run("debugfs", "-R", "ls -p /", node.path, ok=(0, 1))[1])
        return Geometry(size, errors, names)
    if kind == "xfs":
        # While it is mounted, the superblock on the disk lags behind.
        size = xfs_superblock(_start_of(machine, node)) if mount is None else _xfs_mounted(machine, mount)
        return Geometry(size, False, names)
    return Geometry(names=names)


def ext4_superblock(start: bytes) -> Tuple[int, bool]:
    """(size in bytes, whether it has recorded errors) from the first bytes of an ext4."""
    if len(start) < 2048 or start[1080:1082] != b"\x53\xef":
        return 0, False
    block = start[1024:2048]
    low, shift = struct.unpack_from("<I", block, 4)[0], struct.unpack_from("<I", block, 24)[0]
    wide = struct.unpack_from("<I", block, 96)[0] & 0x80
    high = struct.unpack_from("<I", block, 336)[0] if wide else 0
    state = struct.unpack_from("<H", block, 58)[0]
    return ((high << 32) + low) * (1024 << min(shift, 6)), bool(state & 2)


def needs_recovery(start: bytes) -> bool:
    """Whether the journal of an ext4 holds what is not in its place yet, as after a power cut (EXT3_FEATURE_INCOMPAT_RECOVER)."""
    return len(start) >= 2048 and bool(struct.unpack_from("<I", start, 1024 + 96)[0] & 4)


def ext4_names(listing: str) -> Optional[Tuple[str, ...]]:
    """The names in a directory as `debugfs ls -p` prints it: /inode/mode/uid/gid/name/size/. None where it could not open it."""
    names = [line.split("/", 5)[5].rsplit("/", 2)[0] for line in listing.splitlines() if line.count("/") >= 7]
    return tuple(sorted(name for name in names if name not in (".", ".."))) if "." in names else None


def xfs_superblock(start: bytes) -> int:
    """The size in bytes from the first bytes of an xfs."""
    if len(start) < 16 or start[:4] != b"XFSB":
        return 0
    block_size, blocks = struct.unpack_from(">IQ", start, 4)
    return int(block_size * blocks)


def xfs_report(report: str) -> int:
    """The size in bytes from the output of xfs_info."""
    found = re.search(r"^data\s*=\s*bsize=(\d+)\s+blocks=(\d+)", report, re.MULTILINE)
    return int(found[1]) * int(found[2]) if found else 0


def _xfs_mounted(machine: Machine, mount: Mount) -> int:
    return xfs_report(machine.run("xfs_info", mount.path)[1])


def _start_of(machine: Machine, node: Node) -> bytes:
    return machine.bytes_at(node.path, 0, 2048)
