# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""States of a disk and of the machine around it, for the tests of the plan."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.steadfast.ec2.plugins.module_utils.disk.state import (
    MIB,
    Desired,
    Disk,
    Folder,
    Geometry,
    Mount,
    Node,
    Signature,
    State,
)

SEED = "vol-0123456789abcdef0"
PATH = "/srv/data"
GIB = 1024 * MIB
WANTED = Desired(volume=SEED, path=PATH)

EMPTY = State(seed=SEED)
UUID, PART = str(EMPTY.derived("filesystem")), str(EMPTY.derived("partition"))
FSTAB = f"UUID={UUID} {PATH} ext4 defaults,nofail,x-systemd.device-timeout=90s 0 2\n"
ROOT = "UUID=aaaa / ext4 errors=remount-ro 0 1\n"
EXT4 = Signature("ext4", UUID)
GPT = Signature(table="gpt")

WHOLE = Node("vdb", GIB, "254:16")
PARTITION = Node("vdb1", GIB - 2 * MIB, "254:17", MIB, EXT4, PART)
BLANK = Disk(WHOLE, "vol0123456789abcdef0")
TABLE = replace(BLANK, node=replace(WHOLE, signature=GPT))
MADE = replace(TABLE, partitions=(PARTITION,))

MOUNTED = Mount("254:17", PATH, ("rw", "relatime"), "ext4", "/dev/vdb1", ("rw",))
SOURCES = {f"UUID={UUID}": "vdb1", "UUID=aaaa": "vda1"}


def state(disk: Disk | None = BLANK, table: str = ROOT, mounts: tuple[Mount, ...] = (), **more: Any) -> State:
    """A machine with this disk."""
    uuids = {UUID: ("vdb1",), "aaaa": ("vda1",)}
    geometry = Geometry(GIB - 2 * MIB, False, ())
    folder = Folder(exists=True, real=PATH)
    facts: dict[str, Any] = {"sources": SOURCES, "uuids": uuids, "geometry": geometry, "folder": folder, **more}
    return State(disk=disk, seed=SEED, mounts=mounts, table=table.encode(), **facts)


def done(**more: Any) -> State:
    """The state in which nothing is left to do."""
    return state(**{"disk": MADE, "table": ROOT + FSTAB, "mounts": (MOUNTED,), **more})


FULL = Folder(exists=True, real=PATH, names=("a", "b"), size=5 * MIB, inodes=2, uid=33, gid=33, mode="2775")
LARGER = replace(MADE, node=replace(MADE.node, size=2 * GIB))
UNMOUNTED = state(disk=MADE)

FOREIGN = "7e57ab1e-0000-4000-8000-000000000001"


def foreign(kind: str = "ext4") -> Disk:
    """Our partition with a filesystem whose UUID was made for another volume."""
    return replace(MADE, partitions=(replace(PARTITION, signature=Signature(kind, FOREIGN)),))
