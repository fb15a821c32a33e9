# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Starting states that only a machine has: disks that come late, fail, are copies, or lose their power in the middle."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from .conftest import MIB, SIZE, Guest, volume_id

pytestmark = pytest.mark.machine

ONE, TWO, TABLE = (f"7e57ab1e-0000-4000-8000-00000000000{number}" for number in (1, 2, 3))
#: starting state → how it is made, everything that has to be named
ERASED: dict[str, tuple[str, list[str]]] = {
    "two partitions": (
        f"printf 'label: gpt\\nlabel-id: {TABLE}\\n\\nsize=10M\\nsize=10M\\n' | sfdisk -q $d; udevadm settle; "
        f"mkfs.ext4 -q -U {ONE} ${{d}}1; mkswap -q -U {TWO} ${{d}}2",
        [ONE, TWO, TABLE],
    ),
    "swap on the whole disk": (f"mkswap -q -U {ONE} $d", [ONE]),
    "only the backup of a table": (
        f"printf 'label: gpt\\nlabel-id: {TABLE}\\n\\n' | sfdisk -q $d; dd if=/dev/zero of=$d bs=17408 count=1 conv=notrunc status=none",
        [TABLE],
    ),
    "a stale filesystem": (f"mkfs.ext4 -q -U {ONE} -E offset=1048576 $d 20M", [ONE]),
}


def holds(runs: list[dict[str, Any]]) -> None:
    """check, apply, apply, check: yes, yes, no, no; and what was predicted is what was done."""
    assert [run.get("changed", run.get("msg")) for run in runs] == [True, True, False, False]
    assert runs[0]["plan"] == runs[1]["plan"]


def test_only_what_is_named_is_erased(guest: Guest) -> None:
    """Nothing or half of it named: refused, not a byte changed. All named: made, once."""
    answers = guest.call("erased", {"volume": volume_id("scratch"), "path": "/srv/erased", "states": ERASED})
    for name, answer in answers.items():
        (told,) = re.findall(r"erase: \[(.*?)\]", answer["refused"][0])
        assert sorted(told.split(", ")) == sorted(ERASED[name][1])
        assert all("not everything on it was named" in message for message in answer["refused"][1:])
        assert (answer["untouched"], answer["changed"], answer["is_mount"]) == (True, [True, False], True), (name, answer)


def test_what_the_kernel_holds_is_refused_and_never_erased(guest: Guest) -> None:
    """Swap that is in use, though its UUID is named."""
    volume = volume_id("scratch")
    disk = f"$(readlink -f /dev/disk/by-id/virtio-{volume.replace('-', '')})"
    guest.shell(f"mkswap -q -U {ONE} {disk}; swapon {disk}")
    plain, named = guest.call("runs", [{"volume": volume, "path": "/srv/held"}, {"volume": volume, "path": "/srv/held", "erase": [ONE]}])
    in_use = guest.shell("tail -n +2 /proc/swaps | wc -l")
    guest.shell(f"swapoff {disk}; wipefs -qa {disk}")
    assert "in use as swap" in plain["msg"]
    assert "in use as swap" in named["msg"]
    assert in_use == "1"


def test_a_volume_that_is_attached_late_is_waited_for(guest: Guest) -> None:
    """The run begins before the disk is there."""
    with ExitStack() as stack:
        timer = threading.Timer(4, lambda: stack.enter_context(guest.with_volume("late")))
        timer.start()
        (answer,) = guest.call("runs", [{"volume": volume_id("late"), "path": "/srv/late", "timeout": 120}])
        timer.join()
        guest.call("runs", [{"volume": volume_id("late"), "path": "/srv/late", "state": "absent"}])
    assert answer.get("changed"), answer


def test_a_disk_whose_writes_fail_is_an_error_and_nothing_is_mounted(guest: Guest) -> None:
    """The program that failed is named; fstab is as it was; the machine goes on."""
    before = guest.shell("cat /etc/fstab")
    with guest.with_failing_volume("failing", "write") as volume:
        (answer,) = guest.call("runs", [{"volume": volume, "path": "/srv/failing", "timeout": 20}])
    assert answer["error"]["code"] in ("CommandFailed", "TimedOut"), answer
    assert guest.shell("cat /etc/fstab; findmnt -n /srv/failing || true") == before


def test_a_disk_that_cannot_be_read_is_not_blank(guest: Guest) -> None:
    """To blkid it has nothing on it; to us it cannot be told."""
    with guest.with_failing_volume("unreadable", "read") as volume:
        (answer,) = guest.call("runs", [{"volume": volume, "path": "/srv/unreadable", "timeout": 20}])
        carries = [disk["carries"] for disk in guest.call("shown", {})["disks"] if disk["volume"] == volume]
    assert answer["error"]["code"] == "CommandFailed", answer
    assert carries == ["cannot be read"]


def test_a_full_disk_leaves_fstab_whole(guest: Guest) -> None:
    """The line cannot be written: nothing is mounted, no draft stays, and the next run finishes."""
    case = {"volume": volume_id("scratch"), "path": "/srv/full"}
    answer = guest.call("full", case)
    again, gone = guest.call("runs", [case, {**case, "state": "absent"}])
    guest.call("refused", {"volume": volume_id("scratch"), "path": "/srv/full", "states": {}})
    assert "No space left" in answer["msg"]
    assert (answer["same"], answer["drafts"]) == (True, [])
    assert again.get("changed"), again
    assert gone.get("changed"), gone


@pytest.fixture
def original(guest: Guest) -> Iterator[dict[str, Any]]:
    """A volume that is in use; what its run returned, with its declaration."""
    declared = {"volume": volume_id("twin"), "path": "/srv/original"}
    (made,) = guest.call("runs", [declared])
    assert made.get("changed"), made
    yield {**made, "declared": declared}
    guest.call("runs", [{**declared, "state": "absent"}])
    guest.call("refused", {"volume": volume_id("twin"), "path": "/srv/original", "states": {}})


@pytest.mark.long
def test_a_frozen_filesystem_is_copied_whole(guest: Guest, original: dict[str, Any]) -> None:
    """What nobody has synced is in the copy, in its place, with nothing to recover; who writes meanwhile waits; and the dead thaw, too."""
    copy, path, freeze = guest.file("copy"), "/srv/original", "steadfast.ec2.disk_freeze"
    copied = {"ansible.builtin.command": {"cmd": f"cp --sparse=always {guest.file('twin')} {copy}"}, "delegate_to": "localhost"}
    runs = guest.play(
        {"ansible.builtin.copy": {"content": "kept\n", "dest": f"{path}/file", "mode": "0600"}},
        {freeze: {"paths": [path], "state": "frozen"}},
        {"ansible.builtin.shell": {"cmd": f"(echo late >{path}/late) >/dev/null 2>&1 & sleep 1; cat {path}/file; ls {path}"}},
        {**copied, "become": False},
        {freeze: {"paths": [path], "state": "thawed"}},
        {"ansible.builtin.command": {"cmd": f"cat {path}/late"}},
    )
    assert (runs[1].get("changed"), [still["path"] for still in runs[1]["frozen"]]) == (True, [path])
    assert runs[2]["stdout"].split() == ["kept", "file", "lost+found"]
    assert (runs[4].get("changed"), runs[4]["frozen"], runs[5]["stdout"]) == (True, [], "late")
    partition = f"{copy}?offset={MIB}"
    look = ["debugfs", "-R", "cat /file", partition], ["dumpe2fs", "-h", partition], ["e2fsck", "-f", "-n", partition]
    content, header, _checked = [subprocess.run(argv, capture_output=True, text=True, check=True).stdout for argv in look]
    assert content == "kept\n"
    assert "needs_recovery" not in header
    assert guest.call("frozen_by_the_dead", {"path": path}) == {"killed": True, "written": True, "msg": ["TimedOut", None]}


@pytest.mark.long
def test_a_restored_snapshot_is_mounted_beside_its_original(guest: Guest, original: dict[str, Any]) -> None:
    """Refused without a request; with it, the copy has a UUID of its own, and both have their files, also after a reboot."""
    first = original["declared"]
    guest.shell("echo kept >/srv/original/file; sync")
    # like a snapshot of a volume that is in use: its journal was not written out
    with guest.with_volume("copy", source=guest.file("twin")) as volume:
        copy = {"volume": volume, "path": "/srv/copy", "timeout": 60}
        refused, again = guest.call("runs", [copy, first])  # the first waits until the copy is there
        runs = guest.call("four_ways", {**copy, "duplicate_uuid": "renew"})
        unchanged = guest.call("runs", [first])[0]
        guest.reboot()
        files = guest.shell("cat /srv/original/file /srv/copy/file; findmnt -no UUID /srv/original; findmnt -no UUID /srv/copy")
        guest.call("runs", [{**copy, "state": "absent"}])
    assert (again["changed"], "at the next boot either" in str(again["notes"])) == (False, True)
    assert "duplicate_uuid: renew" in refused["msg"]
    holds(runs)
    assert (unchanged["changed"], unchanged["notes"]) == (False, [])
    assert files.split() == ["kept", "kept", original["disk"]["uuid"], runs[1]["disk"]["uuid"]]


@pytest.mark.long
@pytest.mark.parametrize(("name", "options"), [("xfs", {}), ("nvme-xfs", {"bus": "nvme"})])
def test_xfs_is_made_labelled_and_grown(guest: Guest, name: str, options: dict[str, Any]) -> None:
    """On virtio and on NVMe; QEMU's NVMe disks cannot be enlarged while they are attached, so those are detached for it."""
    with guest.with_volume(name, 320 * MIB, **options) as volume:
        declared = {"volume": volume, "path": "/srv/xfs", "filesystem": "xfs", "timeout": 60}
        holds(guest.call("four_ways", declared))
        holds(guest.call("four_ways", {**declared, "label": "images"}))
        guest.shell("echo kept >/srv/xfs/file")
        if options:
            guest.call("runs", [{**declared, "state": "absent"}])
            guest.machine.detach(volume)
            with guest.file(name).open("r+b") as file:
                file.truncate(512 * MIB)
            guest.machine.attach(volume, guest.file(name), **options)
        else:
            guest.machine.resize(volume, 512 * MIB)
        runs = guest.call("four_ways", declared)
        holds(runs)
        kinds = [change["kind"] for change in runs[0]["plan"]]
        assert [kind for kind in kinds if kind in ("partition", "filesystem")] == ["partition", "filesystem"]
        assert guest.shell("cat /srv/xfs/file; findmnt -no LABEL /srv/xfs") == "kept\nimages"
        assert int(guest.shell("df --output=size -m /srv/xfs | tail -1")) > 400
        guest.call("runs", [{**declared, "state": "absent"}])


@pytest.mark.long
def test_growth_is_one_run_of_the_role(guest: Guest) -> None:
    """The inventory tells the declared size; the machine sees it a moment later, and partition and filesystem follow in the same run."""
    role, mounts = "ansible.builtin.include_role", {"data_disk_mounts": [{"volume": "images", "path": "/srv/growing", "timeout": 180}]}
    task = {role: {"name": "steadfast.ec2.data_disk"}, "vars": mounts}
    with guest.with_volume("late") as volume:
        (mounted,) = guest.call("runs", [{"volume": volume, "path": "/srv/growing"}])
        timer = threading.Timer(10, lambda: guest.machine.resize(volume, 1024 * MIB))
        timer.start()
        guest.play(task, ec2={"volumes": {"images": {"id": volume, "device": "/dev/sdf", "size": 1}}})
        timer.join()
        size = int(guest.shell("df --output=size -m /srv/growing | tail -1"))
        (again,) = guest.call("runs", [{"volume": volume, "path": "/srv/growing"}])
        guest.call("runs", [{"volume": volume, "path": "/srv/growing", "state": "absent"}])
    assert mounted.get("changed"), mounted
    assert size > 900
    assert again.get("changed") is False


CUT: list[dict[str, Any]] = [
    {"steps": 1},  # the partition is in the table
    {"steps": 3},  # the filesystem is made
    {"steps": 6},  # fstab has its line
    {"steps": 7, "move": True},  # the copy is verified
    {"steps": 9, "move": True},  # the directory is renamed aside, and the copy is at the top
]


@pytest.mark.long
def test_a_power_cut_at_any_step_loses_and_doubles_nothing(guest: Guest) -> None:
    """The machine is killed with nothing synced; it boots, and the next run finishes each volume from where it is."""
    with ExitStack() as stack:
        names = [f"cut-{number}" for number in range(len(CUT))]
        volumes = [stack.enter_context(guest.with_volume(name)) for name in names]
        cases = [{**case, "volume": volume, "path": f"/srv/{name}"} for case, name, volume in zip(CUT, names, volumes, strict=True)]
        before = guest.call("cut_short", cases)
        guest.lose_power()
        answers = guest.call("finished", cases)
    for case, digest, answer in zip(cases, before, answers, strict=True):
        trees = [digest, digest] if case.get("move") else [digest]
        wanted = {"error": None, "again": False, "trees": trees, "is_mount": True, "marks": [], "lines": 1}
        assert (case, answer) == (case, wanted)


@pytest.mark.long
def test_the_power_may_go_before_every_change_of_a_run(guest: Guest) -> None:
    """From a blank volume to a moved directory: the volume has written all by then, the machine's own disk only what it was asked to; the
    next run finishes, and no file is lost or doubled. (The other way round, `early: [home]`, costs as much again, and was tried by hand.)
    """
    case = {"volume": volume_id("scratch"), "home": volume_id("twin"), "early": ["volume"], "keep_old": True}
    answer = guest.call("power_cuts", case)
    assert answer["wrong"] == {}, answer
    assert len(answer["cuts"]) > 10, answer["cuts"]


def test_disk_info_shows_what_the_usual_tools_show(guest: Guest) -> None:
    """Sizes as lsblk, space as df, mounts as findmnt, a process as lsof; with Ansible over ssh."""
    guest.call("runs", [{"volume": volume_id("scratch"), "path": "/srv/shown"}])
    guest.shell("cd /srv/shown; nohup sleep 902 >/dev/null 2>&1 & echo $! >/run/holder; sleep 1")
    disk = f"/dev/disk/by-id/virtio-{volume_id('scratch').replace('-', '')}"
    looks = f"lsblk -bdno SIZE {disk}; df -B1 --output=size /srv/shown | tail -1; findmnt -no SOURCE,UUID /srv/shown"
    size, total, mount = guest.shell(looks).splitlines()
    volumes = {"images": {"id": volume_id("scratch")}}
    (found,) = guest.play({"steadfast.ec2.disk_info": {"volumes": volumes}, "check_mode": True})
    guest.shell("kill $(cat /run/holder)")
    guest.call("runs", [{"volume": volume_id("scratch"), "path": "/srv/shown", "state": "absent"}])
    (shown,) = [disk for disk in found["disks"] if disk["name"] == "images"]
    (place,) = [place for place in found["mounts"] if place["path"] == "/srv/shown"]
    (line,) = [line for line in found["fstab"] if line["path"] == "/srv/shown"]
    assert (shown["size"], place["total"]) == (int(size), int(total)) == (SIZE, int(total))
    assert f"{place['source']} {shown['partitions'][0]['uuid']}".split() == mount.split()
    assert line["devices"] == [place["source"]]
    assert [(one["command"], one["user"]) for one in found["processes"] if one["mount"] == "/srv/shown"] == [("sleep 902", "root")]
    assert any("images" in text for text in found["table"])
