# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""disk_info: everything that the usual tools show, nothing written, and no disk that hides the others."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.steadfast.ec2.plugins.module_utils.disk import info
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.info_definition import ARGUMENTS, declared_names, run
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.state import MIB
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import InvalidInput

from .conftest import Fake

MODULE = Path(__file__).resolve().parents[5] / "plugins" / "modules" / "disk_info.py"
UUID = "2f260d08-d6b1-582c-93cc-54ede5834a4e"
GIB = 1024 * MIB


@pytest.fixture
def served(fake: Fake) -> Fake:
    """A machine with a root disk, a mounted volume that was grown, a twin of its filesystem, and a blank disk."""
    fake.disk("vda", "", 8 * GIB)
    fake.disk("vdb", "vol00000000000000001", 2 * GIB)
    fake.partition("vdb", "vdb1", "254:17", MIB, 1022 * MIB)
    fake.disk("vdc", "vol00000000000000002", 1 * GIB)
    fake.disk("vdd", "vol00000000000000003", 3 * GIB)
    fake.programs.says("blkid -p -o export /dev/vdb /dev/vdb1", fixture="blkid-own.txt")
    fake.programs.says("blkid -p -o export -O 0 /dev/vdc", text=f"DEVNAME=/dev/vdc\nUUID={UUID}\nTYPE=ext4\nLABEL=a\\ b\n")
    fake.programs.says("blkid -p -o export -O 0 /dev/vda", code=4)
    fake.write("/etc/fstab", f"UUID={UUID} /srv/data ext4 defaults,nofail 0 2\nhost:/x /nfs nfs\n")
    mounts = [
        "26 1 254:1 / / rw - ext4 /dev/vda1 rw",
        "60 26 254:17 / /srv/data rw,noatime - ext4 /dev/vdb1 rw",
        "61 26 0:5 / /run rw - tmpfs tmpfs rw",
    ]
    fake.write("/proc/self/mountinfo", "\n".join(mounts))
    (fake.root / "srv/data").mkdir(parents=True)
    return fake


def look(fake: Fake, processes: bool = True) -> dict[str, Any]:
    """All that is shown."""
    return info.look(fake.machine, {"vol-00000000000000001": "images"}, processes)


def test_disks_are_shown_with_ids_names_and_what_they_carry(served: Fake) -> None:
    """A volume by its declared name; partitions at their disk; what cannot be read does not hide the rest."""
    disks = {disk["device"]: disk for disk in look(served)["disks"]}
    assert {name: disk["carries"] for name, disk in disks.items()} == {
        "/dev/vda": "cannot be read",
        "/dev/vdb": "gpt",
        "/dev/vdc": "ext4",
        "/dev/vdd": "blank",
    }
    images = disks["/dev/vdb"]
    assert (images["name"], images["volume"], images["size"]) == ("images", "vol-00000000000000001", 2 * GIB)
    assert images["behind_partitions"] == GIB + MIB
    (part,) = images["partitions"]
    assert (part["filesystem"], part["uuid"], part["mounted"]) == ("ext4", UUID, ["/srv/data"])
    assert (part["partition_name"], part["partition_type"][:8]) == ("vol-00000000000000001", "0fc63daf")
    assert (disks["/dev/vdc"]["name"], disks["/dev/vdc"]["label"], disks["/dev/vdc"]["behind_partitions"]) == (None, "a b", None)


def test_mounts_are_shown_with_space_and_whether_fstab_knows_them(served: Fake) -> None:
    """Only what comes from block devices."""
    mounts = {mount["path"]: mount for mount in look(served)["mounts"]}
    space = os.statvfs(served.root / "srv/data")
    assert list(mounts) == ["/", "/srv/data"]
    assert mounts["/srv/data"]["total"] == space.f_blocks * space.f_frsize
    assert mounts["/srv/data"]["options"] == ["rw", "noatime"]
    assert [mount["in_fstab"] for mount in mounts.values()] == [False, True]


def test_a_line_of_fstab_that_fits_two_devices_shows_both(served: Fake) -> None:
    """A volume that was restored from a snapshot, attached beside the original."""
    ours, other = look(served)["fstab"]
    assert (ours["devices"], ours["mounted"]) == (["/dev/vdb1", "/dev/vdc"], True)
    assert (other["source"], other["devices"], other["mounted"]) == ("host:/x", [], False)


def test_processes_are_shown_by_mount(served: Fake) -> None:
    """By mapped files here; those of the root filesystem are left out, and nobody is asked when nobody is wanted."""
    served.write("/proc/42/comm", "postgres")
    maps = ["7f00-7f01 r--s 0 fe:11 12 /srv/data/base", "7f00-7f01 r--s 0 fe:01 12 /usr/bin/postgres"]
    served.write("/proc/42/maps", "\n".join(maps))
    served.write("/proc/swaps", "Filename Type\n/srv/data/swap file 1 0 -2\n")
    found = [(one["mount"], one["pid"], one["command"], one["path"]) for one in look(served)["processes"]]
    assert found == [("/srv/data", 42, "postgres", "/srv/data/base"), ("/srv/data", 0, "", "swap file /srv/data/swap")]
    assert look(served, processes=False)["processes"] == []


def test_the_table_has_a_line_for_everything(served: Fake) -> None:
    """Disks, partitions, free space behind them, and processes; every column begins at the same place."""
    served.write("/proc/42/comm", "postgres")
    served.write("/proc/42/maps", "7f00-7f01 r--s 0 fe:11 12 /srv/data/base\n")
    lines = info.table(look(served))
    assert [line.split()[0] for line in lines] == [
        "DEVICE",
        "/dev/vda",
        "/dev/vdb",
        "/dev/vdb1",
        "(free)",
        "/dev/vdc",
        "/dev/vdd",
        "/srv/data",
    ]
    assert "images" in lines[2]
    assert "vol-00000000000000001" in lines[2]
    assert "1.001 GiB" in lines[4]
    assert "postgres (pid 42" in lines[-1]
    size = lines[0].index("SIZE")
    assert all(line[size - 1] == " " and line[size] != " " for line in lines[:-1])


def test_nothing_is_written(served: Fake) -> None:
    """Only blkid is asked, in its low-level form; no file changes."""
    before = {path: path.stat().st_mtime_ns for path in served.root.rglob("*")}
    look(served)
    assert {line.split()[0:2] == ["blkid", "-p"] for line in served.programs.asked} == {True}
    assert {path: path.stat().st_mtime_ns for path in served.root.rglob("*")} == before


@pytest.mark.parametrize("volumes", [{"images": "vol-0123"}, {"images": {"id": "vol-0123", "size": 8}}, {"images": "vol0123"}])
def test_names_come_as_ids_or_as_the_host_variable(volumes: dict[str, Any]) -> None:
    """`ec2.volumes` can be given as it is."""
    assert declared_names(volumes) == {"vol-0123": "images"}


@pytest.mark.parametrize("value", ["images", None, {"name": "x"}, 7])
def test_what_is_no_id_is_refused(value: Any) -> None:
    """Before the machine is looked at."""
    with pytest.raises(InvalidInput, match=r"volumes\.images.*is not a volume id"):
        run({"volumes": {"images": value}, "processes": False}, False)


def test_this_machine_can_be_shown(served: Fake) -> None:
    """What is returned is data and nothing else."""
    facts = look(served)
    assert json.loads(json.dumps(facts)) == facts


def test_a_disk_that_vanishes_is_not_called_blank(served: Fake) -> None:
    """To blkid, a device that is gone is one with nothing on it."""
    (served.root / "dev/vdd").unlink()
    assert {disk["device"]: disk["carries"] for disk in look(served)["disks"]}["/dev/vdd"] == "cannot be read"


def test_the_documentation_has_the_options_and_the_facts(served: Fake) -> None:
    """Options with their types and defaults, and every fact of a disk."""
    text = MODULE.read_text()
    documentation, returned = (yaml.safe_load(text.split(f'{name} = r"""')[1].split('"""')[0]) for name in ("DOCUMENTATION", "RETURN"))
    said = {name: {fact: option[fact] for fact in ("type", "default")} for name, option in documentation["options"].items()}
    assert said == ARGUMENTS
    facts = look(served)
    assert set(returned) == {*facts, "table"}
    disks = facts["disks"]
    assert set(returned["disks"]["contains"]) == {
        name for disk in disks for name in (*disk, *(key for part in disk["partitions"] for key in part))
    }
    for name in ("mounts", "fstab"):
        assert set(returned[name]["sample"][0]) == set(facts[name][0])
