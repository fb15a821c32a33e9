# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the plan of a disk refuses: before any write, with what was found and what to do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.plan import plan
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.state import (
    COMPLETE,
    PARTIAL,
    Desired,
    Folder,
    Geometry,
    Holder,
    Mount,
    Node,
    Signature,
    State,
)
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import Busy, InvalidInput, NotFound, Refused, SteadfastError

from .states import (
    BLANK,
    EXT4,
    FOREIGN,
    FULL,
    GIB,
    MADE,
    MOUNTED,
    PARTITION,
    PATH,
    TABLE,
    UNMOUNTED,
    UUID,
    WANTED,
    WHOLE,
    done,
    foreign,
    state,
)

OTHER = Mount("254:33", PATH, ("rw",), "ext4", "/dev/vdc1", ("rw",))
HOLDER = Holder(42, "www-data", "nginx: worker", f"{PATH}/a")


def partitioned(*parts: Node) -> State:
    """A GPT disk with these partitions."""
    return state(replace(TABLE, partitions=parts))


def whole(**signature: Any) -> State:
    """A disk with this signature and no partitions."""
    return state(replace(BLANK, node=replace(WHOLE, signature=Signature(**signature))))


#: what is declared, what is there, the kind of error, words of the message
REFUSED: dict[str, tuple[Desired, State, type[SteadfastError], str]] = {
    "no disk": (WANTED, state(disk=None), NotFound, "no such disk"),
    "swap": (WANTED, whole(kind="swap", uuid="s"), Refused, "swap (UUID s)"),
    "LVM": (WANTED, whole(kind="LVM2_member", uuid="l"), Refused, "LVM2_member"),
    "LUKS": (WANTED, whole(kind="crypto_LUKS", uuid="c"), Refused, "crypto_LUKS"),
    "contradicting signatures": (WANTED, whole(unclear=True), Refused, "contradict"),
    "empty MBR": (WANTED, whole(table="dos"), Refused, "a dos partition table with no partition"),
    "empty GPT": (WANTED, whole(table="gpt"), Refused, "a gpt partition table with no partition"),
    "somebody else's empty partition": (
        WANTED,
        partitioned(replace(PARTITION, signature=Signature(), part_uuid="other")),
        Refused,
        "a partition that we did not make",
    ),
    "another table inside our empty partition": (
        WANTED,
        partitioned(replace(PARTITION, signature=Signature(table="gpt"))),
        Refused,
        "a gpt partition table on /dev/vdb1",
    ),
    "two partitions": (WANTED, partitioned(PARTITION, replace(PARTITION, name="vdb2")), Refused, "2 partitions (vdb1: ext4"),
    "stale filesystem under a wiped table": (WANTED, state(replace(BLANK, inside=EXT4)), Refused, "at 1 MiB"),
    "backup of a table": (WANTED, state(replace(BLANK, remains="the backup of a GPT")), Refused, "the backup of a GPT"),
    "held by device mapper": (WANTED, state(replace(BLANK, node=replace(WHOLE, held=("held by dm-0",)))), Refused, "held by dm-0"),
    "opened exclusively": (WANTED, partitioned(replace(PARTITION, held=("opened exclusively",))), Refused, "opened exclusively"),
    "blank and read-only": (WANTED, state(replace(BLANK, read_only=True)), Refused, "read-only and has no filesystem"),
    "filesystem on a read-only disk": (WANTED, state(replace(MADE, read_only=True)), Refused, "Add `ro`"),
    "another kind of filesystem": (replace(WANTED, filesystem="xfs"), UNMOUNTED, Refused, "ext4 (UUID"),
    "the same UUID twice": (WANTED, state(MADE, uuids={UUID: ("vdb1", "vdc1")}), Refused, "same UUID as vdc1"),
    "a partition larger than the disk": (WANTED, state(replace(MADE, node=replace(MADE.node, size=GIB // 2))), Refused, "ends behind"),
    "the original of a copy, not mounted": (
        replace(WANTED, duplicate_uuid="renew"),
        state(MADE, uuids={UUID: ("vdb1", "vdc1")}),
        Refused,
        "declare the copy",
    ),
    "a copy that is mounted elsewhere": (
        replace(WANTED, duplicate_uuid="renew"),
        state(foreign(), uuids={FOREIGN: ("vdb1", "vdc1")}, mounts=(replace(MOUNTED, path="/mnt"),)),
        Busy,
        "found /mnt",
    ),
    "a copy whose own UUID is taken": (
        replace(WANTED, duplicate_uuid="renew"),
        state(foreign(), uuids={FOREIGN: ("vdb1", "vdc1"), UUID: ("vdd",)}),
        Refused,
        "in use, too",
    ),
    "blank, its UUID on a copy": (WANTED, state(uuids={UUID: ("vdc1",)}), Refused, "in use on vdc1"),
    "a filesystem without a UUID": (
        WANTED,
        state(replace(MADE, partitions=(replace(PARTITION, signature=Signature("ext4")),))),
        Refused,
        "no UUID to mount it by",
    ),
    "an option that a remount cannot change": (replace(WANTED, options=("data=journal",)), done(), Refused, "data=journal"),
    "a label too long for what is there": (
        replace(WANTED, label="longer than xfs"),
        done(disk=replace(MADE, partitions=(replace(PARTITION, signature=Signature("xfs", UUID)),))),
        InvalidInput,
        "longer than xfs allows",
    ),
    "a label that what is there does not take": (
        replace(WANTED, label="two words"),
        done(disk=replace(MADE, partitions=(replace(PARTITION, signature=Signature("xfs", UUID)),))),
        InvalidInput,
        "takes blanks only when it is made",
    ),
    "erasing on a read-only disk": (
        replace(WANTED, erase=(FOREIGN,)),
        state(replace(foreign(), read_only=True, node=replace(MADE.node, signature=Signature())), sources={}),
        Refused,
        "is read-only",
    ),
    "erasing what cannot be told": (
        replace(WANTED, erase=("gpt",)),
        state(replace(TABLE, partitions=(replace(PARTITION, signature=Signature(unclear=True)),))),
        Refused,
        "contradict",
    ),
    "recorded errors": (WANTED, state(MADE, geometry=Geometry(GIB, True)), Refused, "e2fsck"),
    "something else is mounted there": (WANTED, state(MADE, mounts=(OTHER,)), Refused, "/dev/vdc1"),
    "mounted elsewhere": (WANTED, state(MADE, mounts=(replace(MOUNTED, path="/mnt"),)), Refused, "path: /mnt"),
    "a symbolic link": (WANTED, state(MADE, folder=Folder(exists=True, real="/data")), Refused, "without symbolic links"),
    "a line of something else": (WANTED, state(MADE, table=f"UUID=aaaa {PATH} ext4 defaults 0 0\n"), Refused, "UUID=aaaa"),
    "a line of a network filesystem": (WANTED, state(MADE, table=f"host:/x {PATH} nfs defaults 0 0\n"), Refused, "host:/x"),
    "content and no decision": (WANTED, replace(UNMOUNTED, folder=FULL), Refused, "found a, b"),
    "content on both sides": (
        replace(WANTED, content="move"),
        replace(UNMOUNTED, folder=FULL, geometry=Geometry(GIB, False, ("c",))),
        Refused,
        "not merged",
    ),
    "content that does not fit": (
        replace(WANTED, content="move"),
        replace(UNMOUNTED, folder=replace(FULL, size=2 * GIB)),
        Refused,
        "does not fit",
    ),
    "more files than inodes": (
        replace(WANTED, content="move"),
        replace(UNMOUNTED, folder=replace(FULL, inodes=10**6)),
        Refused,
        "does not fit",
    ),
    "content in use": (replace(WANTED, content="move"), replace(UNMOUNTED, folder=FULL, holders=(HOLDER,)), Busy, "nginx: worker (pid 42"),
    "a mount inside the content": (
        replace(WANTED, content="move"),
        state(MADE, mounts=(replace(OTHER, path=f"{PATH}/x"),), folder=FULL),
        Refused,
        f"{PATH}/x",
    ),
    "an orphaned copy": (WANTED, replace(UNMOUNTED, geometry=Geometry(GIB, False, (PARTIAL,))), Refused, "interrupted copy"),
    "files that appeared during a move": (
        replace(WANTED, content="move"),
        replace(UNMOUNTED, folder=replace(FULL, old=(f"{PATH}.before-{UUID[:8]}",)), geometry=Geometry(GIB, False, (COMPLETE,))),
        Refused,
        "new files have appeared",
    ),
    "no sfdisk": (WANTED, state(programs=frozenset({"mkfs.ext4"})), NotFound, "fdisk"),
    "busy": (replace(WANTED, state="absent"), done(holders=(HOLDER,)), Busy, f"nginx: worker (pid 42, user www-data): {PATH}/a"),
    "a mount below": (
        replace(WANTED, state="absent"),
        done(mounts=(MOUNTED, replace(OTHER, path=f"{PATH}/x"))),
        Busy,
        f"/dev/vdc1 at {PATH}/x",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_must_not_be_touched_is_refused_with_what_was_found(case: str) -> None:
    """The error comes from the plan, so before any write, and says what to do."""
    desired, actual, kind, words = REFUSED[case]
    with pytest.raises(kind) as caught:
        plan(desired, actual)
    assert words in caught.value.message
    assert caught.value.do or kind is NotFound
