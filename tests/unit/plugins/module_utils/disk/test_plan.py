# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The plan of a disk: from each starting state to what has to be done, or to the refusal that says why not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.plan import plan
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.state import (
    COMPLETE,
    MIB,
    PARTIAL,
    Desired,
    Disk,
    Folder,
    Geometry,
    Holder,
    Mount,
    Node,
    Signature,
    State,
)
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import Busy, InvalidInput, NotFound, Refused, SteadfastError
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.plan import KNOWN_AFTER_APPLY, Change

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


def verbs(changes: tuple[Change, ...]) -> list[str]:
    """What is done, in order."""
    return [step.verb for change in changes for step in change.steps]


LINE = ["make_directory", "write_fstab", "daemon_reload"]
MOUNT = ["mount"]
MAKE = ["mkfs.ext4", "wait_for_link"]
MOVE = ["mount_aside", "copy_content", "verify_content", "switch_content", "promote_content", "umount"]
FULL = Folder(exists=True, real=PATH, names=("a", "b"), size=5 * MIB, inodes=2, uid=33, gid=33, mode="2775")
LARGER = replace(MADE, node=replace(MADE.node, size=2 * GIB))
UNMOUNTED = state(disk=MADE)

FOREIGN = "7e57ab1e-0000-4000-8000-000000000001"


def foreign(kind: str = "ext4") -> Disk:
    """Our partition with a filesystem whose UUID was made for another volume."""
    return replace(MADE, partitions=(replace(PARTITION, signature=Signature(kind, FOREIGN)),))


#: what is declared, what is there, what is done
DONE: dict[str, tuple[Desired, State, list[str]]] = {
    "blank": (WANTED, state(), ["sfdisk", "wait_for_partition", *MAKE, *LINE, *MOUNT]),
    "blank, no partition wanted": (replace(WANTED, partition=False), state(), [*MAKE, *LINE, *MOUNT]),
    "partition made, kernel not told": (WANTED, state(replace(TABLE, untold=(PART,))), ["wait_for_partition", *MAKE, *LINE, *MOUNT]),
    "partition made, no filesystem": (
        WANTED,
        state(replace(TABLE, partitions=(replace(PARTITION, signature=Signature()),))),
        [*MAKE, *LINE, *MOUNT],
    ),
    "filesystem made": (WANTED, UNMOUNTED, [*LINE, *MOUNT]),
    "line written": (WANTED, replace(UNMOUNTED, table=(ROOT + FSTAB).encode()), ["make_directory", "daemon_reload", *MOUNT]),
    "mounted, no line": (WANTED, done(table=ROOT), LINE),
    "done": (WANTED, done(), []),
    "done, mounted twice": (WANTED, done(mounts=(MOUNTED, replace(MOUNTED, path="/mnt"))), []),
    "another line for the same path, its disk gone": (WANTED, done(table=f"UUID=bbbb {PATH} ext4 defaults 0 0\n"), LINE),
    "its line for another path": (WANTED, done(table=f"UUID={UUID} /old ext4 defaults 0 0\n"), LINE),
    "whole disk with a filesystem": (
        WANTED,
        state(replace(BLANK, node=replace(WHOLE, signature=EXT4)), uuids={UUID: ("vdb",)}),
        [*LINE, *MOUNT],
    ),
    "xfs where no kind is given": (
        WANTED,
        state(replace(MADE, partitions=(replace(PARTITION, signature=Signature("xfs", UUID)),))),
        [*LINE, *MOUNT],
    ),
    "remounted read-only": (WANTED, done(mounts=(replace(MOUNTED, options=("ro", "relatime")),)), ["mount"]),
    "options changed": (replace(WANTED, options=("noatime",)), done(), [*LINE, "mount"]),
    "owner and mode": (replace(WANTED, uid=33, mode="0750"), done(), ["set_attributes"]),
    "owner and mode are right": (replace(WANTED, uid=0, mode="0755"), done(), []),
    "owner of a new filesystem": (
        replace(WANTED, uid=33),
        state(),
        ["sfdisk", "wait_for_partition", *MAKE, *LINE, *MOUNT, "set_attributes"],
    ),
    "label": (replace(WANTED, label="images"), done(), ["e2label"]),
    "SELinux context of a new mount": (WANTED, replace(UNMOUNTED, selinux=True), [*LINE, "mount", "restorecon"]),
    "SELinux context that differs": (WANTED, done(selinux=True, context="Would relabel /srv/data"), ["restorecon"]),
    "SELinux context that is right": (WANTED, done(selinux=True), []),
    "the same UUID twice, mounted": (WANTED, done(uuids={UUID: ("vdb1", "vdc1")}), []),
    "the same UUID twice, renewed": (
        replace(WANTED, duplicate_uuid="renew"),
        state(foreign(), uuids={FOREIGN: ("vdb1", "vdc1")}),
        ["e2fsck", "tune2fs", "wait_for_link", *LINE, *MOUNT],
    ),
    "the same UUID twice, renewed, xfs with a log": (
        replace(WANTED, duplicate_uuid="renew"),
        state(foreign("xfs"), uuids={FOREIGN: ("vdb1", "vdc1")}),
        ["mount_aside", "umount", "xfs_admin", "wait_for_link", *LINE, *MOUNT],
    ),
    "disk grown": (WANTED, done(disk=LARGER), ["sfdisk", "partx", "resize2fs"]),
    "disk grown, not wanted": (replace(WANTED, grow=False), done(disk=LARGER), []),
    "partition grown, filesystem not": (WANTED, done(geometry=Geometry(GIB // 2)), ["resize2fs"]),
    "content hidden": (replace(WANTED, content="hide"), replace(UNMOUNTED, folder=FULL), [*LINE, *MOUNT]),
    "content moved": (replace(WANTED, content="move"), replace(UNMOUNTED, folder=FULL), [*MOVE, *LINE, *MOUNT]),
    "content moved, old copy not kept": (
        replace(WANTED, content="move", keep_old=False),
        replace(UNMOUNTED, folder=FULL),
        [*MOVE, *LINE, *MOUNT, "remove_tree"],
    ),
    "old copy is no longer to be kept": (
        replace(WANTED, keep_old=False),
        done(folder=Folder(exists=True, real=PATH, old=(f"{PATH}.before-{UUID[:8]}", f"{PATH}.before-other"))),
        ["remove_tree"],
    ),
    "copy interrupted": (
        replace(WANTED, content="move"),
        replace(UNMOUNTED, folder=FULL, geometry=Geometry(GIB, False, (PARTIAL, "lost+found"))),
        [*MOVE, *LINE, *MOUNT],
    ),
    "move interrupted after the switch": (
        WANTED,
        replace(UNMOUNTED, folder=Folder(), geometry=Geometry(GIB, False, (COMPLETE, "a"))),
        ["mount_aside", "promote_content", "umount", *LINE, *MOUNT],
    ),
    "move interrupted after the switch, on a volume that cannot be looked into unmounted": (
        WANTED,
        replace(UNMOUNTED, folder=Folder(exists=True, real=PATH, old=(f"{PATH}.before-{UUID[:8]}",)), geometry=Geometry(GIB)),
        ["mount_aside", "promote_content", "umount", *LINE, *MOUNT],
    ),
    "a volume that cannot be looked into unmounted, no move before": (WANTED, replace(UNMOUNTED, geometry=Geometry(GIB)), [*LINE, *MOUNT]),
    "the same UUID twice, killed while its log was written out": (
        replace(WANTED, duplicate_uuid="renew"),
        state(foreign("xfs"), uuids={FOREIGN: ("vdb1", "vdc1")}, mounts=(replace(MOUNTED, path=f"/run/steadfast-disk/log-{UUID}"),)),
        ["mount_aside", "umount", "xfs_admin", "wait_for_link", *LINE, *MOUNT],
    ),
    "left mounted aside": (
        WANTED,
        state(MADE, mounts=(replace(MOUNTED, path=f"/run/steadfast-disk/{UUID}"),)),
        ["umount", *LINE, *MOUNT],
    ),
    "unmounted": (replace(WANTED, state="unmounted"), done(), ["umount"]),
    "absent": (replace(WANTED, state="absent"), done(), ["umount", "write_fstab", "daemon_reload"]),
    "absent, wherever it is": (replace(WANTED, path=None, state="absent"), done(), ["umount", "write_fstab", "daemon_reload"]),
    "absent, disk gone": (replace(WANTED, state="absent"), done(disk=None, mounts=(), sources={}), ["write_fstab", "daemon_reload"]),
    "absent, never there": (replace(WANTED, state="absent"), state(disk=None), []),
}

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


@pytest.mark.parametrize("case", DONE)
def test_each_state_leads_to_its_steps(case: str) -> None:
    """The steps that are left, in order; none where it is as declared."""
    desired, actual, steps = DONE[case]
    assert verbs(plan(desired, actual).effective) == steps


@pytest.mark.parametrize("case", REFUSED)
def test_what_must_not_be_touched_is_refused_with_what_was_found(case: str) -> None:
    """The error comes from the plan, so before any write, and says what to do."""
    desired, actual, kind, words = REFUSED[case]
    with pytest.raises(kind) as caught:
        plan(desired, actual)
    assert words in caught.value.message
    assert caught.value.do or kind is NotFound


LINE_BYTES = FSTAB.encode()
TURNED = f"UUID={UUID}\t{PATH}\text4\t{','.join(reversed(WANTED.options))}\t0\t2\n".encode()
#: what stands in fstab when the volume is mounted, and what has to stand there after
TABLES: dict[str, tuple[bytes, bytes]] = {
    "nothing": (b"", LINE_BYTES),
    "comments, tabs and blank lines of others": (
        b"# a\n\n\t \nLABEL=x\t/x\text4\tro\t0\t0\n",
        b"# a\n\n\t \nLABEL=x\t/x\text4\tro\t0\t0\n" + LINE_BYTES,
    ),
    "no line end at the end": (b"LABEL=x /x ext4", b"LABEL=x /x ext4\n" + LINE_BYTES),
    "bytes that are no text": (b"# caf\xe9\n/dev/\xff\xfe /y ext4\n", b"# caf\xe9\n/dev/\xff\xfe /y ext4\n" + LINE_BYTES),
    "lines that end as on Windows": (b"LABEL=x /x ext4\r\n", b"LABEL=x /x ext4\r\n" + LINE_BYTES),
    "its path twice, both disks gone": (f"UUID=b {PATH} ext4\n# between\n/dev/xvdz {PATH} xfs\n".encode(), LINE_BYTES + b"# between\n"),
    "its UUID twice, at other paths": (f"UUID={UUID} /a ext4\nUUID={UUID} /b ext4\n".encode(), LINE_BYTES),
    "its UUID in quotes": (f'UUID="{UUID}" {PATH} ext4 defaults 0 0\n'.encode(), LINE_BYTES),
    "its path with a slash": (f"UUID={UUID} {PATH}/ ext4 defaults 0 0\n".encode(), LINE_BYTES),
    "its link by UUID": (f"/dev/disk/by-uuid/{UUID} {PATH} ext4 defaults 0 0\n".encode(), LINE_BYTES),
    "its line with four fields": (f"UUID={UUID} {PATH} ext4 defaults\n".encode(), LINE_BYTES),
    "its line with three fields": (f"UUID={UUID} {PATH} ext4\n".encode(), LINE_BYTES),
    "its line in another order": (TURNED, TURNED),
    "a line that is commented out": (f"#UUID={UUID} {PATH} ext4\n".encode(), f"#UUID={UUID} {PATH} ext4\n".encode() + LINE_BYTES),
    "a path that begins like its own": (f"LABEL=x {PATH}base ext4\n".encode(), f"LABEL=x {PATH}base ext4\n".encode() + LINE_BYTES),
}


@pytest.mark.parametrize("name", TABLES)
def test_fstab_has_one_line_of_ours_and_every_other_byte(name: str) -> None:
    """Whatever people wrote there; a second run finds nothing to do."""
    before, after = TABLES[name]
    changes = [change for change in plan(WANTED, replace(done(), table=before)).changes if change.kind == "fstab"]
    assert [change.steps[1].params["after"] for change in changes] == ([after] if after != before else [])
    assert not plan(WANTED, replace(done(), table=after)).changed


def test_the_line_and_the_uuid_are_known_before_the_disk_is_touched() -> None:
    """What check mode shows for a blank disk is what will stand in fstab."""
    changes = {change.kind: change for change in plan(WANTED, state()).changes}
    assert changes["fstab"].after == {"lines": FSTAB.strip()}
    assert changes["filesystem"].after is not None
    assert changes["filesystem"].after["uuid"] == UUID
    written = changes["fstab"].steps[1].params["after"]
    assert written == (ROOT + FSTAB).encode()


@pytest.mark.parametrize(("sector", "start"), [(512, 2048), (4096, 256)])
def test_the_partition_starts_at_one_mebibyte(sector: int, start: int) -> None:
    """Whatever the sector size is."""
    change = plan(WANTED, state(replace(BLANK, sector=sector))).changes[0]
    assert f"start={start}, " in change.steps[0].params["text"]


def test_a_volume_that_does_not_exist_yet_is_predicted() -> None:
    """What is decided later reads so, and nothing fails on it."""
    unknown = replace(state(replace(BLANK, node=Node("")), sources={"host:/x": ""}), seed="", table=b"host:/x /x nfs\n")
    result = plan(replace(WANTED, volume=KNOWN_AFTER_APPLY), unknown).to_result()
    assert [change["kind"] for change in result["plan"]] == ["partition", "filesystem", "fstab", "mount"]
    assert "host:/x" not in str(result["diff"])
    assert f"UUID={KNOWN_AFTER_APPLY} {PATH}" in str(result["diff"]).replace("\\\\040", " ")


def test_a_second_move_does_not_overwrite_the_first_old_copy() -> None:
    """An old copy that is there keeps its name."""
    old = f"{PATH}.before-{UUID[:8]}"
    change = plan(replace(WANTED, content="move"), replace(UNMOUNTED, folder=replace(FULL, old=(old,)))).changes[0]
    assert change.after is not None
    assert change.after["old copy"] == f"{old}-2"


def test_a_grown_disk_with_an_old_table_is_told_of() -> None:
    """Only GPT partitions are grown; nothing is left out in silence."""
    result = plan(WANTED, done(disk=replace(LARGER, node=replace(LARGER.node, signature=Signature(table="dos"))))).to_result()
    assert not result["changed"]
    assert "only GPT partitions are grown" in result["notes"][0]


def test_disks_that_are_written_are_asked_again_whether_they_are_blank() -> None:
    """Each step that makes something out of nothing names the device that must still be blank then."""
    steps = [step for change in plan(WANTED, state()).changes for step in change.steps]
    asked = {step.verb: step.params["blank"] for step in steps if "blank" in step.params}
    assert asked == {"sfdisk": "/dev/vdb", "mkfs.ext4": "/dev/vdb1"}
