# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading a machine: the right disk is found, and what stands on it is understood."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.disk import devices, filesystems, holders, mounts, probe
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.state import MIB, Desired, Signature
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import Ambiguous, CommandFailed, InvalidInput, NotFound
from hypothesis import given
from hypothesis import strategies as st

from .conftest import FIXTURES, Fake

VOLUME = Desired(volume="vol-00000000000000001", path="/srv/data", timeout=3)


@pytest.mark.parametrize(("name", "serial"), [("vdb", "vol00000000000000001"), ("nvme1n1", "vol00000000000000001   ")])
def test_a_volume_is_found_by_its_serial_number(fake: Fake, name: str, serial: str) -> None:
    """On virtio and on NVMe, whatever other disks there are, and whatever they are called."""
    fake.disk("vda", "vol00000000000000002")
    fake.disk("loop0", "vol00000000000000001")
    fake.disk(name, serial)
    state = probe.read(fake.machine, VOLUME, 0)
    assert state.disk is not None
    assert state.disk.node.path == f"/dev/{name}"
    assert state.seed == VOLUME.volume


def test_two_disks_with_its_serial_number_are_refused(fake: Fake) -> None:
    """Neither is taken."""
    fake.disk("vdb", "vol00000000000000001")
    fake.disk("vdc", "vol00000000000000001")
    with pytest.raises(Ambiguous, match="vdb, vdc"):
        devices.find(fake.machine, VOLUME)


def test_a_disk_that_appears_late_is_waited_for(fake: Fake) -> None:
    """The wait is bounded, and ends when the disk is there."""
    nap = fake.machine.sleep

    def attach_while_sleeping(seconds: float) -> None:
        nap(seconds)
        if fake.machine.clock() >= 2:
            fake.disk("vdb", "vol00000000000000001")

    machine = type(fake.machine)(fake.programs, str(fake.root), fake.machine.clock, attach_while_sleeping)
    assert probe.read(machine, VOLUME, 3).disk is not None
    assert 2 <= fake.machine.clock() <= 2.25


def test_a_missing_disk_fails_with_the_disks_that_are_there(fake: Fake) -> None:
    """Name, serial number and size of each."""
    fake.disk("vda", "vol00000000000000002", 8 << 30)
    with pytest.raises(NotFound, match=r"no such disk on this machine after 3 s .*vda \(vol00000000000000002, 8 GiB\)"):
        probe.read(fake.machine, VOLUME, 3)


def test_a_xen_disk_is_found_by_its_attach_name_only_where_no_serial_numbers_are(fake: Fake) -> None:
    """/dev/sdf is xvdf there; elsewhere the attach name is not trusted."""
    desired = Desired(volume="vol-00000000000000001", device="/dev/sdf", path="/srv/data")
    fake.disk("vdf", "vol00000000000000009")
    assert devices.find(fake.machine, desired) == ""
    fake.disk("xvdf", "")
    assert devices.find(fake.machine, desired) == "xvdf"


def test_a_partition_is_not_taken_for_a_disk(fake: Fake) -> None:
    """The whole disk has to be named."""
    fake.disk("vdb", "")
    fake.write("/dev/vdb1")
    fake.write("/sys/class/block/vdb1/partition", "1")
    with pytest.raises(InvalidInput, match="Name the whole disk"):
        devices.find(fake.machine, Desired(device="/dev/vdb1", path="/srv/data"))


def test_a_partition_and_its_filesystem_are_read(fake: Fake) -> None:
    """From recorded answers of blkid, and from sysfs."""
    fake.disk("vdb", "vol00000000000000001")
    fake.partition("vdb", "vdb1", "254:17", MIB, 1022 * MIB)
    fake.programs.says("blkid -p -o export /dev/vdb /dev/vdb1", fixture="blkid-own.txt")
    fake.programs.says("debugfs", fixture="debugfs-ls.txt")
    state = probe.read(fake.machine, VOLUME, 0)
    assert state.disk is not None
    assert state.disk.node.signature == Signature(table="gpt", table_uuid="ad26aa63-8974-5baa-b49f-b97f1c604468")
    (part,) = state.disk.partitions
    assert part.signature == Signature("ext4", "2f260d08-d6b1-582c-93cc-54ede5834a4e")
    assert (part.start, part.size, part.part_uuid) == (MIB, 1022 * MIB, "a652eceb-d629-5b15-a9d1-7471619d3e52")
    assert state.geometry.names == ("a b", "lost+found", "x")
    assert state.uuids["7e57ab1e-0000-4000-8000-000000000001"] == ("vdf", "vdg")


def test_what_the_superblock_has_as_default_is_in_force(fake: Fake) -> None:
    """mountinfo does not show it: without a look behind it, asking for it would be a change in every run."""
    fake.disk("vdb", "vol00000000000000001")
    fake.partition("vdb", "vdb1", "254:17", MIB, 1022 * MIB)
    fake.programs.says("blkid -p -o export /dev/vdb /dev/vdb1", fixture="blkid-own.txt")
    fake.write("/proc/self/mountinfo", "99 1 254:17 / /srv/data rw,relatime - ext4 /dev/vdb1 rw\n26 1 254:1 / / rw - ext4 /dev/vda1 rw\n")
    fake.write("/proc/fs/ext4/vdb1/options", "rw\nbsddf\ndiscard\nerrors=remount-ro\ncommit=5\ndata=ordered\n")
    (ours,) = probe.mounts_of(probe.read(fake.machine, VOLUME, 0))
    assert mounts.difference(["discard", "errors=remount-ro"], ours) == {}
    assert mounts.difference(["errors=panic", "nodiscard"], ours) == {
        "errors": ("remount-ro", "panic"),
        "discard": ("discard", "nodiscard"),
    }
    assert mounts.difference(["defaults"], ours) == {}


@pytest.mark.parametrize(("make", "content"), [("mkdir", False), ("touch", True), ("symlink_to", True)])
def test_only_a_directory_is_what_fsck_keeps(fake: Fake, make: str, content: bool) -> None:
    """Anything else of that name is somebody's."""
    place = fake.root / "srv/data/lost+found"
    place.parent.mkdir(parents=True)
    arguments = ["."] if make == "symlink_to" else []
    getattr(place, make)(*arguments)
    assert probe.folder(fake.machine, VOLUME, None).names == (("lost+found",) if content else ())


def test_a_table_that_the_kernel_was_not_told_of_is_read_by_sfdisk(fake: Fake) -> None:
    """The UUIDs of its partitions tell whether it is ours."""
    fake.disk("vdb", "vol00000000000000001")
    fake.programs.says("blkid -p -o export -O 0 /dev/vdb", text="DEVNAME=/dev/vdb\nPTTYPE=gpt\n")
    fake.programs.says("sfdisk --json", fixture="sfdisk.json")
    state = probe.read(fake.machine, VOLUME, 0)
    assert state.disk is not None
    assert (state.disk.untold, state.disk.unseen) == (("aaaaaaaa-2222-3333-4444-555555555555",), ())


def test_a_blank_disk_is_looked_at_twice_more(fake: Fake) -> None:
    """At 1 MiB, where a partition would begin, and at its end, where a backup table would be."""
    fake.disk("vdb", "vol00000000000000001")
    fake.programs.says("blkid -p -o export -O 1048576", text="DEVNAME=/dev/vdb\nTYPE=ext4\nUUID=old\nLABEL=two\\ words\n")
    with (fake.root / "dev/vdb").open("r+b") as device:
        device.seek((1 << 30) - 512)
        device.write(b"EFI PART".ljust(512, b"\0"))
    disk = probe.read(fake.machine, VOLUME, 0).disk
    assert disk is not None
    assert disk.node.signature.blank
    assert disk.inside == Signature("ext4", "old", "two words")
    assert "backup" in disk.remains


def test_contradicting_signatures_are_not_blank_and_an_error_of_blkid_is_not_either(fake: Fake) -> None:
    """Exit code 8 is unclear; any other code fails."""
    fake.disk("vdb", "vol00000000000000001")
    fake.programs.says("blkid -p -o export -O 0", code=8)
    disk = probe.read(fake.machine, VOLUME, 0).disk
    assert disk is not None
    assert not disk.node.signature.blank
    fake.programs.says("blkid -p -o export -O 0", code=4)
    with pytest.raises(CommandFailed):
        probe.read(fake.machine, VOLUME, 0)


def test_a_disk_that_vanishes_or_cannot_be_read_is_not_blank(fake: Fake) -> None:
    """blkid has the same exit code for "nothing there" and for "no such device"; we ask for the bytes."""
    fake.disk("vdb", "vol00000000000000001")
    (fake.root / "dev/vdb").unlink()
    with pytest.raises(CommandFailed, match="/dev/vdb: cannot be read: No such file"):
        probe.read(fake.machine, VOLUME, 0)
    (fake.root / "dev/vdb").mkdir()
    with pytest.raises(CommandFailed, match="/dev/vdb: cannot be read"):
        probe.read(fake.machine, VOLUME, 0)


def test_a_declared_size_is_waited_for(fake: Fake) -> None:
    """A volume that has just grown shows it a moment later."""
    fake.disk("vdb", "vol00000000000000001", 1 << 30)
    nap = fake.machine.sleep

    def grow_while_sleeping(seconds: float) -> None:
        nap(seconds)
        if fake.machine.clock() >= 2:
            fake.disk("vdb", "vol00000000000000001", 2 << 30)

    machine = replace(fake.machine, sleep=grow_while_sleeping)
    state = probe.read(machine, replace(VOLUME, size=2), 3)
    assert state.disk is not None
    assert state.disk.node.size == 2 << 30
    assert 2 <= fake.machine.clock() <= 2.25


def test_swap_and_holders_are_seen(fake: Fake) -> None:
    """A disk that the kernel uses is not ours."""
    fake.disk("vdb", "vol00000000000000001")
    fake.write("/sys/block/vdb/holders/dm-0")
    fake.write("/proc/swaps", "Filename Type Size Used Priority\n/dev/vdb partition 1 0 -2\n")
    disk = probe.read(fake.machine, VOLUME, 0).disk
    assert disk is not None
    assert disk.node.held == ("held by dm-0", "in use as swap")


def test_the_sources_of_fstab_are_resolved(fake: Fake) -> None:
    """By UUID, label, partition UUID and device; what is not there, and what is no device, means nothing."""
    lines = ["LABEL=root / ext4", "PARTUUID=a652eceb-d629-5b15-a9d1-7471619d3e52 /a ext4", "UUID=gone /b ext4", "host:/x /c nfs"]
    fake.write("/etc/fstab", "\n".join(lines))
    fake.disk("vdb", "vol00000000000000001")
    sources = probe.read(fake.machine, VOLUME, 0).sources
    assert sources == {"LABEL=root": "vda1", "PARTUUID=a652eceb-d629-5b15-a9d1-7471619d3e52": "vdb1", "UUID=gone": "", "host:/x": ""}


def test_holders_are_named_from_proc(fake: Fake) -> None:
    """Working directories, open and mapped files below a path; not those beside it."""
    fake.write("/proc/41/cmdline", "nginx: worker\0")
    (fake.root / "proc/41/cwd").symlink_to("/srv/data/sub")
    fake.write("/proc/42/comm", "postgres")
    fake.write("/proc/42/maps", "7f00-7f01 r--s 00000000 fe:11 12 /srv/data/base file\n7f02-7f03 rw-p 00000000 00:00 0 [heap]\n")
    (fake.root / "proc/42/cwd").symlink_to("/srv/database")
    fake.write("/proc/swaps", "Filename Type\n/srv/data/swap file 1 0 -2\n")
    found = holders.of_directory(fake.machine, "/srv/data")
    assert [(holder.pid, holder.command, holder.path) for holder in found if holder.pid != 41] == [
        (42, "postgres", "/srv/data/base file"),
        (0, "", "swap file /srv/data/swap"),
    ]


def test_sizes_are_read_from_superblocks_and_reports() -> None:
    """ext4 with and without 64 bit, xfs from the disk and from xfs_info."""
    block = bytearray(2048)
    block[1024 + 4 : 1024 + 8] = (261632).to_bytes(4, "little")
    block[1024 + 24] = 2
    block[1080:1082] = b"\x53\xef"
    assert filesystems.ext4_superblock(bytes(block)) == (261632 * 4096, False)
    block[1024 + 58], block[1024 + 96], block[1024 + 336] = 3, 0x80, 1
    assert filesystems.ext4_superblock(bytes(block)) == ((261632 + (1 << 32)) * 4096, True)
    xfs = b"XFSB" + (4096).to_bytes(4, "big") + (262144).to_bytes(8, "big")
    assert filesystems.xfs_superblock(xfs) == filesystems.xfs_report((FIXTURES / "xfs_info.txt").read_text()) == 1 << 30


@given(st.binary(max_size=2100), st.text())
def test_no_parser_falls_over_what_it_does_not_know(content: bytes, text: str) -> None:
    """Superblocks, reports and listings of any content."""
    filesystems.ext4_superblock(content)
    filesystems.xfs_superblock(content)
    filesystems.xfs_report(text)
    filesystems.ext4_names(text)
