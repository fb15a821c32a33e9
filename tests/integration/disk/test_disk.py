# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module disk on a real machine: what it makes, what it refuses, and what survives it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from .conftest import MIB, TWIN, Guest, volume_id

pytestmark = pytest.mark.machine

#: starting state → what the refusal says
REFUSED = {
    "read-only": "is read-only and has no filesystem",
    "foreign-gpt": "a gpt partition table with a partition that we did not make",
    "empty-gpt": "a gpt partition table with no partition",
    "two-partitions": "2 partitions",
    "mbr": "a dos partition table with a partition that we did not make",
    "swap": "swap",
    "luks": "crypto_LUKS",
    "stale": "no partition table, but ext4 .* at 1 MiB",
    "backup-gpt": "the backup of a GPT partition table at its end",
    "beyond": "partition",
    "errors": "has recorded errors",
    "twin-1": f"same UUID.*{TWIN}",
}
BLANK = {"path": "/srv/blank", "owner": "www-data", "mode": "0750", "label": "images"}


def test_every_disk_that_is_not_blank_is_refused_and_not_a_byte_of_it_changes(guest: Guest) -> None:
    """The refusal says what was found; the checksum over the whole device stays."""
    before = {name: guest.digest(name) for name in REFUSED}
    answers = guest.call("plans", [{"volume": volume_id(name), "path": f"/srv/{name}"} for name in REFUSED])
    said = {name: answer.get("msg", "it was done") for name, answer in zip(REFUSED, answers, strict=True)}
    assert {name: text for name, text in said.items() if not re.search(REFUSED[name], text)} == {}
    assert {name: guest.digest(name) for name in REFUSED} == before
    assert "/srv/" not in guest.shell("cat /etc/fstab")


def test_the_root_disk_and_a_missing_disk_are_refused(guest: Guest) -> None:
    """The disk that the machine runs from is mounted elsewhere; a disk that is not there is named, with those that are."""
    root, missing = guest.call(
        "plans",
        [
            {"volume": "vol-00000000000000000", "path": "/srv/root"},
            {"volume": "vol-0fedcba9876543210", "path": "/srv/missing", "timeout": 1},
        ],
    )
    assert "is mounted elsewhere" in root["msg"]
    assert "no such disk" in missing["msg"]
    assert "vdb (vol00000000000000001, 128 MiB)" in missing["msg"]


def test_blank_to_mounted_is_predicted_done_once_and_left_alone(guest: Guest) -> None:
    """check, apply, apply, check: yes, yes, no, no; what was predicted is what is there."""
    runs = guest.four_ways("blank", BLANK)
    planned = {change["kind"]: {item["name"]: item["after"] for item in change["attributes"]} for change in runs[0]["plan"]}
    there = runs[3]["disk"]
    assert planned["filesystem"]["uuid"] == there["uuid"] == guest.shell("findmnt -no UUID /srv/blank")
    assert guest.shell("grep -c /srv/blank /etc/fstab") == "1"
    assert guest.shell("grep /srv/blank /etc/fstab") == planned["fstab"]["lines"]
    assert guest.shell("stat -c '%U %G %a' /srv/blank") == "www-data root 750"
    assert there["label"] == "images"
    assert there["mounted"] == ["/srv/blank"]


def test_a_mount_that_drifted_is_brought_back(guest: Guest) -> None:
    """Remounted read-only by hand, another owner, another line in fstab: all differences, all mended."""
    guest.shell("chown 1:1 /srv/blank; mount -o remount,ro,noatime /srv/blank; sed -i 's/nofail,//' /etc/fstab")
    runs = guest.four_ways("blank", BLANK)
    assert [change["kind"] for change in runs[0]["plan"]] == ["fstab", "mount", "directory"]
    assert "rw,relatime" in guest.shell("findmnt -no OPTIONS /srv/blank")


def test_a_larger_volume_is_grown_while_it_is_used(guest: Guest) -> None:
    """Partition and filesystem follow the disk, and what is on it stays."""
    guest.shell("echo kept >/srv/blank/file")
    guest.machine.resize(volume_id("blank"), 400 * MIB)
    runs = guest.four_ways("blank", BLANK)
    assert [(change["kind"], change["action"]) for change in runs[0]["plan"]] == [("partition", "update"), ("filesystem", "update")]
    assert int(guest.shell("df --output=size -m /srv/blank | tail -1")) > 300
    assert guest.shell("cat /srv/blank/file") == "kept"
    assert runs[3]["disk"]["size"] == 400 * MIB


def test_filesystems_that_are_there_are_mounted_as_they_are(guest: Guest) -> None:
    """On the whole disk or in somebody else's partition; a blank NVMe disk and one with 4096-byte sectors are made."""
    names = ("whole", "partitioned", "nvme", "sectors")
    cases = [{"volume": volume_id(name), "path": f"/srv/{name}"} for name in names]
    for run in (0, 1):
        answers = guest.call("plans", cases)
        assert [answer.get("changed") for answer in answers] == [run == 0] * 4, answers
    assert guest.shell("findmnt -no LABEL /srv/whole") == "whole"
    assert "-part1" not in guest.shell("findmnt -no SOURCE /srv/whole")
    table = guest.shell("sfdisk -d $(lsblk -npo PKNAME $(findmnt -no SOURCE /srv/sectors))")
    assert "sector-size: 4096" in table
    assert "start=         256" in table
    assert guest.shell("findmnt -no SOURCE /srv/nvme").startswith("/dev/nvme")


def test_content_is_refused_moved_or_hidden_as_declared(guest: Guest) -> None:
    """No decision, no mount; and nobody may be working in a directory that is moved."""
    guest.shell("mkdir -p /srv/move; echo one >/srv/move/file")
    untouched = guest.digest("move")
    declared: dict[str, Any] = {"volume": volume_id("move"), "path": "/srv/move"}
    refused = guest.call("plans", [declared])[0]
    assert "the mount point is not empty" in refused["msg"]
    assert "file" in refused["error"]["found"]
    guest.shell("cd /srv/move && (nohup sleep 300 >/dev/null 2>&1 & echo $! >/run/holder)")
    busy = guest.call("plans", [{**declared, "content": "move"}])[0]
    guest.shell("kill $(cat /run/holder)")
    assert busy["error"]["code"] == "Busy"
    assert re.search(r"sleep 300 \(pid \d+, user root\): /srv/move", busy["msg"])
    assert guest.digest("move") == untouched


KILLED: list[dict[str, Any]] = [
    {"steps": 1},  # the partition is in the table
    {"steps": 3},  # the filesystem is made
    {"steps": 5},  # it is mounted aside
    {"steps": 6},  # the copy is made
    {"steps": 6, "torn": "cd .steadfast-move.partial && rm -f one && truncate -s 100 'with blank/random'"},
    {"steps": 7},  # the copy is verified
    {"steps": 8},  # the directory is renamed aside
    {"steps": 8, "torn": "mv .steadfast-move/sub ."},  # some of the copy is at the top
    {"steps": 9},  # all of it is
    {"steps": 10},  # it is no longer mounted aside
    {"steps": 12},  # fstab has its line
    {"steps": 14},  # it is mounted
]


def test_a_move_that_is_killed_anywhere_loses_and_doubles_nothing(guest: Guest) -> None:
    """Killed with SIGKILL after each step, run again: all files are on the volume, and once more in the old copy."""
    guest.shell("rm -rf /srv/move")
    answers = guest.call("killed_moves", [{"volume": volume_id("move"), "path": "/srv/move", **case} for case in KILLED])
    for case, answer in zip(KILLED, answers, strict=True):
        assert answer.pop("killed"), case
        assert "error" not in answer.pop("result"), case
        wanted = {"changed_again": False, "same": [True, True], "is_mount": True, "marks": [], "aside": [], "lines": 1}
        assert (case, answer) == (case, wanted)


def test_a_busy_mount_is_left_alone_and_its_users_are_named(guest: Guest) -> None:
    """Process, user, command and path; fstab and mount stay as they are. When they are gone, it is unmounted, then forgotten."""
    guest.shell("exec 9>/srv/whole/open; nohup setpriv --reuid=www-data sleep 301 >/dev/null 2>&1 & echo $! >/run/holder")
    fstab = guest.shell("cat /etc/fstab")
    declared = {"volume": volume_id("whole"), "path": "/srv/whole", "state": "absent"}
    busy = guest.call("plans", [declared])[0]
    assert re.search(r"sleep 301 \(pid \d+, user www-data\): /srv/whole/open", busy["msg"])
    assert guest.shell("cat /etc/fstab") == fstab
    guest.shell("kill $(cat /run/holder); mountpoint /srv/whole")
    answers = guest.call("plans", [declared, declared])
    assert [answer.get("changed") for answer in answers] == [True, False]
    assert "/srv/whole" not in guest.shell("cat /etc/fstab; cat /proc/mounts")


def test_the_role_mounts_by_declared_name_and_detaches(guest: Guest) -> None:
    """The name comes from the host's volumes; an unknown one is refused with those that exist, and predicted in check mode."""
    volumes = {"images": {"id": volume_id("nvme"), "device": "/dev/sdf"}, "other": {"id": "vol-1"}}
    role: dict[str, Any] = {"ansible.builtin.include_role": {"name": "data_disk"}}
    wrong = {"data_disk_mounts": [{"volume": "imagse", "path": "/srv/x"}]}
    right = {"data_disk_mounts": [{"volume": "images", "path": "/srv/nvme", "mode": "0711"}]}
    runs = guest.play(
        {**role, "vars": wrong, "check_mode": False},
        {**role, "vars": right},
        {"ansible.builtin.include_role": {"name": "data_disk", "tasks_from": "detach"}, "vars": right},
        ec2={"volumes": volumes},
    )
    assert runs
    assert "/srv/nvme" not in guest.shell("cat /etc/fstab; cat /proc/mounts")


def test_mounts_are_back_after_a_reboot_and_a_missing_volume_does_not_keep_it_from_booting(guest: Guest) -> None:
    """fstab does it, without us; `nofail` lets the machine up when a volume is gone."""
    guest.shell("umount /srv/sectors; sync")
    guest.machine.detach(volume_id("sectors"))
    guest.reboot()
    assert guest.shell("cat /srv/blank/file") == "kept"
    assert guest.shell("findmnt -no SOURCE /srv/partitioned")
    assert not guest.shell("findmnt -no SOURCE /srv/sectors", check=False)
    assert guest.shell("systemctl is-active ssh") == "active"
