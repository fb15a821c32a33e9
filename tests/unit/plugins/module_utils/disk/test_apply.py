# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Steps: the disk is asked again before it is written, fstab changes whole or not at all, and errors are told."""

from __future__ import annotations

import fcntl
import resource

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.apply import Runner, verify_problems
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.state import Disk, Node
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import Busy, CommandFailed, NotFound, Refused, TimedOut
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.plan import Change, Plan, Step

from .conftest import FIXTURES, Fake

MKFS = Step("mkfs.ext4", {"argv": ("mkfs.ext4", "/dev/vdb"), "blank": "/dev/vdb"})
MOUNT = Step("mount", {"argv": ("mount", "/dev/vdb", "/srv/data")})
OLD = b"UUID=aaaa / ext4 errors=remount-ro 0 1\n"


def run(fake: Fake, *steps: Step, serial: str = "vol1", number: str = "0:0") -> None:
    """Run the steps against a disk with this identity."""
    change = Change("disk", "vdb", "update", {}, {"x": 1}, (), steps)
    Runner(fake.machine, Disk(Node("vdb", number=number), serial), 1).run(Plan((change,)))


def write(after: bytes) -> Step:
    """The step that writes fstab."""
    return Step("write_fstab", {"before": OLD, "after": after, "path": "/srv/data"})


def test_a_blank_disk_is_written(fake: Fake) -> None:
    """After it was asked whether it is still blank, at its start and at 1 MiB."""
    fake.disk("vdb", "vol1")
    fake.programs.says("mkfs.ext4")
    run(fake, MKFS)
    assert fake.programs.asked == [
        "blkid -p -o export -O 0 /dev/vdb",
        "blkid -p -o export -O 1048576 /dev/vdb",
        "mkfs.ext4 /dev/vdb",
    ]


@pytest.mark.parametrize("identity", [{"serial": "vol2"}, {"number": "254:16"}])
def test_a_disk_that_is_another_one_now_is_not_written(fake: Fake, identity: dict[str, str]) -> None:
    """Serial number and device number of the opened node are compared with those of the plan."""
    fake.disk("vdb", "vol1")
    with pytest.raises(NotFound, match="another disk now"):
        run(fake, MKFS, **identity)
    assert fake.programs.asked == []


def test_a_disk_that_is_no_longer_blank_is_not_written(fake: Fake) -> None:
    """Somebody may have been faster."""
    fake.disk("vdb", "vol1")
    fake.programs.says("blkid -p", text="TYPE=xfs\nUUID=u\n")
    with pytest.raises(Refused, match=r"no longer blank.*xfs"):
        run(fake, MKFS)


def test_a_disk_that_somebody_else_has_locked_is_not_written(fake: Fake) -> None:
    """The lock is waited for, but not for ever."""
    fake.disk("vdb", "vol1")
    with (fake.root / "dev/vdb").open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        with pytest.raises(Busy, match="lock"):
            run(fake, MKFS)


def test_fstab_is_replaced_whole_and_keeps_its_mode(fake: Fake) -> None:
    """After findmnt has verified the new one; no draft stays."""
    (fake.root / "etc/fstab").chmod(0o640)
    fake.programs.says("findmnt --verify")
    run(fake, write(OLD + b"# new\n"))
    assert (fake.root / "etc/fstab").read_bytes() == OLD + b"# new\n"
    assert (fake.root / "etc/fstab").stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in (fake.root / "etc").iterdir()) == ["fstab", "machine-id"]


def test_a_line_that_does_not_verify_is_not_written(fake: Fake) -> None:
    """Errors of other lines do not matter."""
    fake.programs.says("findmnt --verify", code=1)
    fake.programs.answers["findmnt --verify"] = (1, "/srv/data\n   [E] unknown option\n", "")
    with pytest.raises(Refused, match="unknown option"):
        run(fake, write(b"nonsense"))
    assert (fake.root / "etc/fstab").read_bytes() == OLD


def test_fstab_that_somebody_else_changed_is_not_overwritten(fake: Fake) -> None:
    """The plan was made from other bytes."""
    fake.write("/etc/fstab", "# edited\n")
    with pytest.raises(Busy, match="somebody else"):
        run(fake, write(b"x"))
    assert (fake.root / "etc/fstab").read_text() == "# edited\n"


def test_a_full_disk_leaves_fstab_whole_and_no_draft(fake: Fake) -> None:
    """Where the new one cannot be written, the old one stays."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(OLD), hard))
    try:
        with pytest.raises(CommandFailed, match="write fstab"):
            run(fake, write(OLD + b"# new\n"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (fake.root / "etc/fstab").read_bytes() == OLD
    assert sorted(path.name for path in (fake.root / "etc").iterdir()) == ["fstab", "machine-id"]


def test_fstab_is_put_back_when_the_mount_fails(fake: Fake) -> None:
    """A line that cannot be mounted does not wait for the next boot."""
    fake.programs.says("findmnt --verify")
    fake.programs.says("mount", code=32, text="wrong fs type, bad option")
    with pytest.raises(CommandFailed, match="bad option"):
        run(fake, write(OLD + b"# new\n"), MOUNT)
    assert (fake.root / "etc/fstab").read_bytes() == OLD


def test_a_partition_that_the_kernel_does_not_show_is_asked_for(fake: Fake) -> None:
    """partx tells the kernel; then the partition is waited for."""
    fake.disk("vdb", "vol1")
    fake.programs.answers["partx"] = (0, "", "")
    ask = fake.programs.__call__

    def partx(argv: tuple[str, ...], text: str = "") -> tuple[int, str, str]:
        fake.partition("vdb", "vdb1", "254:17", 1 << 20, 1 << 29)
        return ask(argv, text)

    machine = type(fake.machine)(partx, str(fake.root), fake.machine.clock, fake.machine.sleep)
    Runner(machine, Disk(Node("vdb", number="0:0"), "vol1"), 5).wait_for_partition("vdb", "vdb1")
    assert fake.programs.asked == ["partx -u /dev/vdb"]


def test_a_partition_that_udev_reads_again_is_waited_for(fake: Fake) -> None:
    """Once its table is written, udev may take a partition that is not in use away for a moment; then it cannot be mounted."""
    fake.disk("vdb", "vol1")
    fake.write("/run/udev/control", "")
    fake.programs.says("udevadm settle")
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        fake.write("/dev/vdb1", "")

    machine = type(fake.machine)(fake.programs.__call__, str(fake.root), fake.machine.clock, sleep)
    Runner(machine, Disk(Node("vdb", number="0:0"), "vol1"), 5).wait_for_udev("vdb1")
    assert fake.programs.asked == ["udevadm settle --timeout=30"]
    assert len(slept) == 1


def test_a_partition_that_does_not_come_back_is_an_error(fake: Fake) -> None:
    """Told as what it is, not as a mount that failed."""
    fake.disk("vdb", "vol1")
    with pytest.raises(TimedOut, match="vdb1"):
        Runner(fake.machine, Disk(Node("vdb", number="0:0"), "vol1"), 0).wait_for_udev("vdb1")


def test_an_error_of_the_system_is_told_with_the_step(fake: Fake) -> None:
    """Not as a traceback."""
    fake.write("/srv", "a file")
    with pytest.raises(CommandFailed, match=r"make directory: .*File exists|Not a directory"):
        run(fake, Step("make_directory", {"path": "/srv/data"}))


def test_findmnt_is_read_by_path() -> None:
    """Errors by the path they belong to; warnings are none."""
    assert verify_problems((FIXTURES / "findmnt-verify.txt").read_text()) == {
        "/nonexist": (
            "unreachable on boot required target: No such file or directory",
            "unreachable on boot required source: UUID=dead-beef",
        )
    }
