# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The plan of a disk: from each starting state to what has to be done."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.plan import plan
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.state import (
    COMPLETE,
    PARTIAL,
    Desired,
    Folder,
    Geometry,
    Node,
    Signature,
    State,
)
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.plan import KNOWN_AFTER_APPLY, Change

from .states import (
    BLANK,
    EXT4,
    FOREIGN,
    FSTAB,
    FULL,
    GIB,
    LARGER,
    MADE,
    MOUNTED,
    PART,
    PARTITION,
    PATH,
    ROOT,
    TABLE,
    UNMOUNTED,
    UUID,
    WANTED,
    WHOLE,
    done,
    foreign,
    state,
)

LINE = ["make_directory", "write_fstab", "daemon_reload"]
MOUNT = ["mount"]
MAKE = ["mkfs.ext4", "wait_for_link"]
MOVE = ["mount_aside", "copy_content", "verify_content", "switch_content", "promote_content", "umount"]


def verbs(changes: tuple[Change, ...]) -> list[str]:
    """What is done, in order."""
    return [step.verb for change in changes for step in change.steps]


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
    "disk grown": (WANTED, done(disk=LARGER), ["sfdisk", "partx", "wait_for_udev", "resize2fs"]),
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


@pytest.mark.parametrize("case", DONE)
def test_each_state_leads_to_its_steps(case: str) -> None:
    """The steps that are left, in order; none where it is as declared."""
    desired, actual, steps = DONE[case]
    assert verbs(plan(desired, actual).effective) == steps


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


@pytest.mark.parametrize("actual", [done(disk=LARGER), done(geometry=Geometry(GIB // 2, False, ()))], ids=["partition", "filesystem"])
def test_what_is_mounted_read_only_is_not_grown_but_told_of(actual: State) -> None:
    """Growing it would fail in every run; without growth declared there is nothing to tell."""
    desired = replace(WANTED, options=("ro", "nofail"))
    line = FSTAB.replace("defaults,nofail,x-systemd.device-timeout=90s", "ro,nofail").encode()
    actual = replace(actual, mounts=(replace(MOUNTED, options=("ro", "relatime")),), table=line)
    result = plan(desired, actual).to_result()
    assert not result["changed"]
    assert "read-only is not grown" in result["notes"][0]
    assert plan(replace(desired, grow=False), actual).to_result()["notes"] == []


def test_disks_that_are_written_are_asked_again_whether_they_are_blank() -> None:
    """Each step that makes something out of nothing names the device that must still be blank then."""
    steps = [step for change in plan(WANTED, state()).changes for step in change.steps]
    asked = {step.verb: step.params["blank"] for step in steps if "blank" in step.params}
    assert asked == {"sfdisk": "/dev/vdb", "mkfs.ext4": "/dev/vdb1"}
