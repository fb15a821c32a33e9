# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which disk is which: NVMe controllers are asked, stale links are not believed, and no answer is taken for another disk's."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.disk import devices, nvme
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.machine import Machine
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.state import Desired
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import Ambiguous
from hypothesis import given
from hypothesis import strategies as st

from .conftest import Fake


def controller(name: bytes, model: bytes = b"Amazon Elastic Block Store", vendor: int = 0x1D0F) -> bytes:
    """What a controller answers, laid out as NVMe and AWS document it."""
    answer = bytearray(4096)
    answer[:2] = vendor.to_bytes(2, "little")
    answer[4:24] = b"vol0123456789abcdef0"
    answer[24:64] = model.ljust(40)
    answer[3072:3104] = name.ljust(32)
    return bytes(answer)


@pytest.mark.parametrize("said", [b"/dev/sdf", b"sdf", b"sdf".ljust(31, b"\0")])
def test_the_attach_name_is_read_from_the_vendor_area(said: bytes) -> None:
    """With or without /dev, padded with blanks or zeros."""
    assert nvme.attach_name(controller(said)) == "sdf"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        controller(b"sdf")[:3100],
        controller(b"sdf", vendor=0x8086),
        controller(b"ephemeral0:sdh", model=b"Amazon EC2 NVMe Instance Storage"),
        controller(b"sdf", model=b"QEMU NVMe Ctrl"),
        controller(b"\xff\xfe"),
        controller(b"../sdf"),
        controller(b""),
    ],
)
def test_only_ebs_controllers_have_an_attach_name(answer: bytes) -> None:
    """Other makers use the vendor area for something else; what is no device name is none."""
    assert nvme.attach_name(answer) == ""


@given(st.binary(max_size=200), st.binary(max_size=32))
def test_no_answer_of_a_controller_is_fallen_over(answer: bytes, name: bytes) -> None:
    """A name is lower-case letters and digits, or none at all."""
    for said in (answer, answer.ljust(4096, b"\0"), controller(name)):
        assert re.fullmatch(r"([a-z]+[a-z0-9]*)?", nvme.attach_name(said))


def test_a_file_is_no_controller(fake: Fake) -> None:
    """The ioctl fails quietly where there is no NVMe, and where there is nothing."""
    fake.write("/dev/nvme0n1", "x")
    assert nvme.identify(str(fake.root / "dev/nvme0n1")) == nvme.identify(str(fake.root / "dev/none")) == b""


def nitro(fake: Fake, **names: bytes) -> Machine:
    """A machine whose NVMe disks were attached under these names."""
    for disk in names:
        fake.disk(disk, f"vol0000000000000000{disk[4]}")
        fake.write(f"/sys/block/{disk}/device/model", "Amazon Elastic Block Store              \n")
    return replace(fake.machine, identify=lambda path: controller(names[path.rsplit("/", 1)[-1]]))


@pytest.mark.parametrize("asked", ["/dev/sdf", "sdf", "/dev/xvdf", "xvdf"])
def test_an_attach_name_finds_its_nvme_disk(fake: Fake, asked: str) -> None:
    """Whatever the order in which the kernel found the disks."""
    machine = nitro(fake, nvme0n1=b"/dev/xvda", nvme1n1=b"/dev/sdg", nvme2n1=b"sdf")
    assert devices.find(machine, Desired(device=asked)) == "nvme2n1"


def test_a_link_to_a_disk_that_was_attached_under_another_name_is_not_believed(fake: Fake) -> None:
    """Links of udev rules can outlive a detachment."""
    machine = nitro(fake, nvme1n1=b"sdg")
    (fake.root / "dev/sdf").symlink_to("nvme1n1")
    assert devices.find(machine, Desired(device="/dev/sdf")) == ""


def test_a_link_by_id_to_another_volume_is_not_believed(fake: Fake) -> None:
    """The serial number of the disk counts, not the name of the link."""
    fake.disk("nvme1n1", "vol0123456789abcdef0")
    for number in (0, 1):
        link = fake.root / f"dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0123456789abcdef{number}"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to("../../nvme1n1")
    base = "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0123456789abcdef"
    assert devices.find(fake.machine, Desired(device=f"{base}0")) == "nvme1n1"
    assert devices.find(fake.machine, Desired(device=f"{base}1")) == ""


def test_two_disks_with_one_attach_name_are_refused(fake: Fake) -> None:
    """Neither is taken."""
    machine = nitro(fake, nvme1n1=b"sdf", nvme2n1=b"/dev/sdf")
    with pytest.raises(Ambiguous, match="nvme1n1, nvme2n1"):
        devices.find(machine, Desired(device="sdf"))


def test_hidden_paths_of_multipath_are_no_disks(fake: Fake) -> None:
    """They have the serial number of the disk that they lead to."""
    fake.disk("nvme1n1", "vol0123456789abcdef0")
    fake.disk("nvme1c1n1", "vol0123456789abcdef0")
    assert devices.find(fake.machine, Desired(volume="vol-0123456789abcdef0")) == "nvme1n1"


def test_on_xen_the_attach_name_decides_and_disks_with_a_serial_number_do_not_count(fake: Fake) -> None:
    """Without a serial number nothing else tells a disk; with one, the attach name of another volume proves nothing."""
    fake.disk("xvda", "")
    fake.disk("xvdf", "")
    asked = Desired(volume="vol-0123456789abcdef0", device="/dev/sdf")
    assert devices.find(fake.machine, asked) == "xvdf"
    fake.write("/sys/block/xvdf/serial", "vol0fedcba9876543210")
    assert devices.find(fake.machine, asked) == ""
