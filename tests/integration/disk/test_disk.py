# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module disk on a real machine: what it makes, what it refuses, and what survives it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from .conftest import MIB, SIZE, Guest, volume_id

pytestmark = pytest.mark.machine

GPT = "sfdisk -q -X gpt $d"
#: starting state → how it is made, what the refusal says
REFUSED = {
    "a partition of somebody else": (
        f"echo 'start=2048, type=linux' | {GPT}",
        "a gpt partition table with a partition that we did not make",
    ),
    "an empty GPT": ("echo 'label: gpt' | sfdisk -q $d", "a gpt partition table with no partition"),
    "two partitions": (f"printf 'size=10M\\nsize=10M\\n' | {GPT}", "2 partitions"),
    "an MBR": ("echo 'start=2048, type=83' | sfdisk -q -X dos $d", "a dos partition table with a partition that we did not make"),
    "swap": ("mkswap -q $d", "swap"),
    "LUKS": ("printf 'LUKS\\xba\\xbe\\x00\\x01' | dd of=$d conv=notrunc status=none", "crypto_LUKS"),
    "another kind of filesystem": ("mkfs.ext2 -q $d", r"found ext2 \(UUID"),
    "a stale filesystem": ("mkfs.ext4 -q -E offset=1048576 $d 20M", "no partition table, but ext4 .* at 1 MiB"),
    "the backup of a GPT": (
        f"echo 'start=2048, type=linux' | {GPT}; dd if=/dev/zero of=$d bs=17408 count=1 conv=notrunc status=none",
        "the backup of a GPT partition table at its end",
    ),
    "a GPT of a larger disk": (
        "truncate -s 256M /tmp/x; echo start=2048 | sfdisk -q -X gpt /tmp/x; dd if=/tmp/x of=$d bs=1M count=1 conv=notrunc status=none",
        "partition",
    ),
    "recorded errors": ("mkfs.ext4 -q $d; debugfs -w -R 'ssv state 3' $d 2>/dev/null", "has recorded errors"),
}
IN_FILE = "mkdir -p /mnt; mount {0} /mnt; echo kept >/mnt/file; umount /mnt"
ADOPTED = {
    "on the whole disk": "mkfs.ext4 -q $d; " + IN_FILE.format("$d"),
    "in somebody else's partition": f"echo 'start=2048' | {GPT}; udevadm settle; mkfs.ext4 -q ${{d}}1; " + IN_FILE.format("${d}1"),
    "in an MBR partition": "echo 'start=2048' | sfdisk -q -X dos $d; udevadm settle; mkfs.ext4 -q ${d}1; " + IN_FILE.format("${d}1"),
}
BLANK: dict[str, Any] = {"volume": volume_id("blank"), "path": "/srv/blank", "label": "images"}


def holds(runs: list[dict[str, Any]]) -> None:
    """check, apply, apply, check: yes, yes, no, no; and what was predicted is what was done."""
    assert [run.get("changed") for run in runs] == [True, True, False, False], runs
    assert runs[0]["diff"] == runs[1]["diff"]
    assert runs[0]["plan"] == runs[1]["plan"]


def test_every_disk_that_is_not_blank_is_refused_and_not_a_byte_of_it_changes(guest: Guest) -> None:
    """The refusal says what was found; the checksum over the whole device stays."""
    states = {name: commands for name, (commands, _) in REFUSED.items()}
    before = guest.shell("cat /etc/fstab; ls -d /srv/*", check=False)
    answers = guest.call("refused", {"volume": volume_id("scratch"), "path": "/srv/refused", "states": states})
    wrong = {name: answer["msg"] for name, answer in answers.items() if not re.search(REFUSED[name][1], answer["msg"])}
    assert wrong == {}
    assert [name for name, answer in answers.items() if not answer["untouched"]] == []
    assert guest.shell("cat /etc/fstab; ls -d /srv/*", check=False) == before


def test_other_disks_are_refused_with_what_is_there(guest: Guest) -> None:
    """The disk that the machine runs from; one that is blank and read-only; one that is not there."""
    root, read_only, missing = guest.call(
        "runs",
        [
            {"volume": "vol-00000000000000000", "path": "/srv/root"},
            {"volume": volume_id("read-only"), "path": "/srv/read-only"},
            {"volume": "vol-0fedcba9876543210", "path": "/srv/missing", "timeout": 1},
        ],
    )
    assert "is mounted elsewhere" in root["msg"]
    assert "is read-only and has no filesystem" in read_only["msg"]
    assert "no such disk" in missing["msg"]
    assert f"(vol00000000000000001, {SIZE // MIB} MiB)" in missing["msg"]


def test_two_disks_with_one_uuid_are_refused(guest: Guest) -> None:
    """As after a restore from a snapshot: mounting by UUID could take either."""
    make = "mkfs.ext4 -q -U 7e57ab1e-0000-4000-8000-000000000001 $(readlink -f /dev/disk/by-id/virtio-{0})"
    names = [volume_id(name).replace("-", "") for name in ("scratch", "twin")]
    guest.shell("; ".join([make.format(name) for name in names]))
    for name in ("scratch", "twin"):
        (answer,) = guest.call("runs", [{"volume": volume_id(name), "path": "/srv/twin"}])
        assert "has the same UUID as vd" in answer["msg"]


def test_blank_to_mounted_is_predicted_done_once_and_left_alone(guest: Guest) -> None:
    """With Ansible over ssh: what check mode predicted, down to the UUID and the line in fstab, is what is there."""
    task = {"steadfast.ec2.disk": {**BLANK, "owner": "www-data", "mode": "0750"}}
    runs = guest.play(*({**task, "check_mode": checked, "diff": True} for checked in (True, False, False, True)))
    holds(runs)
    planned = {change["kind"]: {item["name"]: item["after"] for item in change["attributes"]} for change in runs[0]["plan"]}
    assert planned["filesystem"]["uuid"] == runs[3]["disk"]["uuid"] == guest.shell("findmnt -no UUID /srv/blank")
    assert guest.shell("grep /srv/blank /etc/fstab") == planned["fstab"]["lines"]
    assert guest.shell("stat -c '%U %G %a' /srv/blank; findmnt -no LABEL /srv/blank") == "www-data root 750\nimages"


def test_a_mount_that_drifted_is_brought_back(guest: Guest) -> None:
    """Remounted read-only by hand, another owner, another line in fstab: all differences, all mended."""
    guest.shell("chown 1:1 /srv/blank; mount -o remount,ro,noatime /srv/blank; sed -i 's/nofail,//' /etc/fstab")
    runs = guest.call("four_ways", {**BLANK, "uid": 33})
    holds(runs)
    assert [change["kind"] for change in runs[0]["plan"]] == ["fstab", "mount", "directory"]
    assert "rw,relatime" in guest.shell("findmnt -no OPTIONS /srv/blank")


def test_a_larger_volume_is_grown_while_it_is_used(guest: Guest) -> None:
    """Partition and filesystem follow the disk, and what is on it stays."""
    guest.shell("echo kept >/srv/blank/file")
    guest.machine.resize(volume_id("blank"), 400 * MIB)
    runs = guest.call("four_ways", BLANK)
    holds(runs)
    assert [(change["kind"], change["action"]) for change in runs[0]["plan"]] == [("partition", "update"), ("filesystem", "update")]
    assert int(guest.shell("df --output=size -m /srv/blank | tail -1")) > 300
    assert guest.shell("cat /srv/blank/file") == "kept"
    assert runs[3]["disk"]["size"] == 400 * MIB


def test_options_in_force_are_those_of_the_next_boot(guest: Guest) -> None:
    """A default of the superblock, and what mount(8) makes of `user`: asked for once, and as fstab mounts it nothing is left to change."""
    guest.shell("tune2fs -e remount-ro $(findmnt -no SOURCE /srv/blank); umount /srv/blank; mount /srv/blank")
    wanted = {**BLANK, "options": ["user", "errors=remount-ro", "nofail"]}
    holds(guest.call("four_ways", wanted))
    guest.shell("umount /srv/blank; mount /srv/blank")
    (mounted,) = guest.call("foretold", [wanted])
    assert mounted["plan"] == []
    assert "noexec" in mounted["disk"]["options"]


def test_a_larger_volume_is_not_grown_where_it_is_read_only(guest: Guest) -> None:
    """It is told of, and grown as soon as it is writable again."""
    guest.machine.resize(volume_id("blank"), 440 * MIB)
    read_only, again, writable = guest.call("runs", [*2 * [{**BLANK, "options": ["ro", "nofail"]}], BLANK])
    assert (read_only["changed"], again["changed"]) == (True, False)
    assert "read-only is not grown" in again["notes"][0]
    assert [change["kind"] for change in writable["plan"]] == ["partition", "fstab", "mount", "filesystem"]


def test_filesystems_that_are_there_are_mounted_as_they_are(guest: Guest) -> None:
    """On the whole disk or in a partition that somebody else made: nothing is made, and the files are there."""
    answers = guest.call("adopted", {"volume": volume_id("scratch"), "path": "/srv/adopted", "states": ADOPTED})
    assert answers == {name: {"changed": [True, False], "kept": "kept\n"} for name in ADOPTED}


def test_content_is_refused_until_it_is_decided_and_nobody_works_there(guest: Guest) -> None:
    """No decision, no mount; a directory that is in use is not moved."""
    guest.shell("mkdir -p /srv/move; echo one >/srv/move/file; cd /srv/move; nohup sleep 900 >/dev/null 2>&1 & echo $! >/run/holder")
    declared = {"volume": volume_id("scratch"), "path": "/srv/move"}
    undecided, busy = guest.call("runs", [declared, {**declared, "content": "move"}])
    guest.shell("kill $(cat /run/holder); rm -r /srv/move; ! grep /srv/move /etc/fstab")
    assert "the mount point is not empty" in undecided["msg"]
    assert undecided["error"]["found"] == "file"
    assert busy["error"]["code"] == "Busy"
    assert re.search(r"sleep 900 \(pid \d+, user root\): /srv/move", busy["msg"])


#: how many steps each run may do until it is killed, the next one going on from there; what it was about to do
KILLED: list[dict[str, Any]] = [
    # what a step has just written is all that the next run finds
    {
        "steps": [1, 1, 1, 2, 3, 4, 2, 1, 2, 2],
        "before": [
            "wait_for_partition",
            "wait_for_link",
            "copy_content",
            "verify_content",
            "switch_content",
            "promote_content",
            "umount",
            "make_directory",
            "daemon_reload",
            "mount",
        ],
    },
    # the others: nothing was done yet, or only waited for
    {"steps": [0, 2, 2, 7], "before": ["sfdisk", "mkfs.ext4", "mount_aside", "write_fstab"]},
    {
        "steps": [6],
        "before": ["verify_content"],
        "torn": "cd .steadfast-move.partial && rm -f one && truncate -s 100 'with blank/random'",
    },
    {"steps": [8], "before": ["promote_content"], "torn": "mv .steadfast-move/sub ."},  # some of the copy is at the top
]


def test_a_move_that_is_killed_anywhere_loses_and_doubles_nothing(guest: Guest) -> None:
    """Killed with SIGKILL before each of its steps, run again: all files are on the volume, and once more in the old copy."""
    case = {"volume": volume_id("scratch"), "path": "/srv/move", "content": "move"}
    guest.shell("mkdir -p /srv/move; touch /srv/move/file")
    (planned,) = guest.call("foretold", [case])
    steps = [step for change in planned["plan"] for step in change["steps"]]
    assert {step for one in KILLED for step in one["before"]} == set(steps), steps
    answers = guest.call("killed_moves", [{"volume": case["volume"], "path": case["path"], **one} for one in KILLED])
    for one, answer in zip(KILLED, answers, strict=True):
        result = answer.pop("result")
        assert "error" not in result, (one, result)
        wanted = {
            "before": one["before"],
            "changed_again": False,
            "same": [True, True],
            "is_mount": True,
            "marks": [],
            "aside": [],
            "lines": 1,
        }
        assert (one, answer) == (one, wanted)


def test_a_busy_mount_is_left_alone_and_its_users_are_named(guest: Guest) -> None:
    """Process, user, command and path; fstab and mount stay as they are."""
    guest.shell("exec 9>/srv/blank/open; nohup setpriv --reuid=www-data sleep 901 >/dev/null 2>&1 & echo $! >/run/holder")
    before = guest.shell("cat /etc/fstab")
    (busy,) = guest.call("runs", [{**BLANK, "state": "absent"}])
    guest.shell("kill $(cat /run/holder); rm /srv/blank/open; mountpoint /srv/blank")
    assert busy["error"]["code"] == "Busy"
    assert re.search(r"sleep 901 \(pid \d+, user www-data\): /srv/blank/open", busy["msg"])
    assert guest.shell("cat /etc/fstab") == before


@pytest.mark.long
def test_the_role_mounts_by_declared_name_and_detaches(guest: Guest) -> None:
    """An unknown name is refused with those that exist, and foretold in check mode; an NVMe disk with 4096-byte sectors is made."""
    name, tasks = "ansible.builtin.include_role", {"name": "steadfast.ec2.data_disk"}
    wrong = {"data_disk_mounts": [{"volume": "imagse", "path": "/srv/x"}]}
    right = {"data_disk_mounts": [{"volume": "images", "path": "/srv/nvme", "mode": "0711"}]}
    look = "sh -c 'stat -c %a /srv/nvme; findmnt -no SOURCE /srv/nvme; sfdisk -d /dev/nvme0n1'"
    said = {"ansible.builtin.set_fact": {"said": "{{ ansible_failed_result.msg }}"}}
    runs = guest.play(
        {"block": [{name: tasks, "vars": wrong}], "rescue": [said]},
        {"ansible.builtin.debug": {"msg": "{{ said }}"}},
        {name: tasks, "vars": right},
        {"ansible.builtin.command": look},
        {name: {**tasks, "tasks_from": "detach"}, "vars": right},
        ec2={"volumes": {"images": {"id": volume_id("nvme"), "device": "/dev/sdf"}, "other": {"id": "vol-1"}}},
    )
    assert "imagse, but this host has images, other" in runs[1]["msg"]
    mode, source, *table = runs[3]["stdout"].splitlines()
    assert (mode, source) == ("711", "/dev/nvme0n1p1")
    assert any("sector-size: 4096" in line for line in table)
    assert any(re.search(r"start= *256,", line) for line in table)
    assert "/srv/nvme" not in guest.shell("cat /etc/fstab; cat /proc/mounts")


#: lines of others: a disk that is not there, in four fields; a line of one field; bytes that are no UTF-8
FOREIGN = "UUID=00000000-dead-4000-8000-000000000000 /mnt ext4 nofail,x-systemd.device-timeout=5s\\n\\tgarbage\\n# caf\\xe9 \\t\\n"
SERVICE = (
    "[Unit]\\nRequiresMountsFor={0}\\n[Service]\\nType=oneshot\\nRemainAfterExit=yes\\nExecStart=/bin/true\\n"
    "[Install]\\nWantedBy=multi-user.target\\n"
)


@pytest.mark.long
def test_mounts_are_back_after_a_reboot_whatever_else_is_wrong(guest: Guest) -> None:
    """Lines of others stay to the byte and do not stop the boot; a disk with another name is found; services wait for their mounts."""
    write, needs = "printf '{1}' >/etc/systemd/system/{0}.service", {"waits": "/srv/blank", "lacks": "/mnt"}
    services = [write.format(name, SERVICE.format(path)) for name, path in needs.items()]
    guest.call("runs", [BLANK])
    guest.shell(f"echo kept >/srv/blank/file; printf '{FOREIGN}' >>/etc/fstab; {'; '.join(services)}; systemctl enable waits lacks")
    others = "grep -av /srv/blank /etc/fstab | md5sum"
    before, source = guest.shell(others), guest.shell("findmnt -no SOURCE /srv/blank")
    again, gone = guest.call("runs", [{**BLANK, "options": ["nofail", "noatime"]}, {**BLANK, "state": "unmounted"}])
    for name in ("blank", "scratch"):
        guest.machine.detach(volume_id(name))
    for name in ("scratch", "blank"):
        guest.machine.attach(volume_id(name), guest.file(name))
    guest.reboot()
    assert (again.get("changed"), gone.get("changed")) == (True, True), (again, gone)
    assert guest.shell("cat /srv/blank/file; systemctl is-active ssh waits") == "kept\nactive\nactive"
    assert guest.shell("systemctl is-active lacks", check=False) != "active"
    assert guest.shell("findmnt -no SOURCE /srv/blank") != source
    assert guest.shell(others) == before
    (after,) = guest.call("runs", [{**BLANK, "options": ["nofail", "noatime"]}])
    guest.shell("systemctl disable waits lacks; sed -i '/dead\\|garbage\\|caf/d' /etc/fstab")
    assert after.get("changed") is False, after
