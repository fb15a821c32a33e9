# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a machine is told, and what it remembers while it is off. Machines that run are tests/integration/sandbox_machines."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from sandbox import disks, qemu
from sandbox.machine import Attachment, Machine, MachineSpec
from sandbox.trouble import DiskError, MachineError

MIB = 1 << 20


@pytest.fixture
def spec(tmp_path: Path) -> MachineSpec:
    """A machine with a small root disk and nothing to start."""
    disks.create(tmp_path / "root.raw", 4 * MIB)
    return MachineSpec(
        kernel=tmp_path / "vmlinuz",
        initrd=tmp_path / "initrd",
        root=tmp_path / "root.raw",
        root_format="raw",
        root_id="vol-0aaaaaaaaaaaaaaaa",
        instance_id="i-0123",
        hostname="web-1",
        ssh_public_keys=("ssh-ed25519 AAAA one", "ssh-ed25519 BBBB two\n"),
    )


@pytest.fixture
def machine(tmp_path: Path, spec: MachineSpec) -> Machine:
    """A machine that is off."""
    return Machine(tmp_path / "machine", spec)


def seed_files(archive: bytes) -> dict[str, bytes]:
    """What is in a seed."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def options(argv: list[str], name: str) -> list[str]:
    """The values of an option that may be given several times."""
    return [value for option, value in pairwise(argv) if option == name]


def test_serial_is_the_volume_id_without_its_dash(spec: MachineSpec) -> None:
    """As EBS shows it, and within the 20 characters of virtio."""
    assert qemu.serial("vol-0123456789abcdef0") == "vol0123456789abcdef0"
    assert len(qemu.serial("vol-0123456789abcdef0")) == 20


def test_the_machine_ends_with_who_started_it(tmp_path: Path, spec: MachineSpec) -> None:
    """A killed sandbox leaves no process behind: the kernel sees to it."""
    argv = qemu.qemu_argv(spec, tmp_path, "tcg", 5, ())
    assert argv[: argv.index("qemu-system-x86_64")] == ["setpriv", "--pdeathsig", "KILL", "--"]


@pytest.mark.parametrize(("accelerator", "processor"), [("kvm", "host"), ("tcg", "max")])
def test_accelerator_and_processor_belong_together(tmp_path: Path, spec: MachineSpec, accelerator: str, processor: str) -> None:
    """`host` exists under KVM only."""
    argv = qemu.qemu_argv(spec, tmp_path, accelerator, 5, ())
    assert options(argv, "-accel")[0].split(",")[0] == accelerator
    assert options(argv, "-cpu")[0].split(",")[0] == processor


def test_the_root_disk_is_named_by_its_serial(tmp_path: Path, spec: MachineSpec) -> None:
    """The kernel is told the serial: a volume made of the same image has the same labels and UUIDs."""
    argv = qemu.qemu_argv(spec, tmp_path, "tcg", 5, ())
    assert "sandbox.root=vol0aaaaaaaaaaaaaaaa" in options(argv, "-append")[0].split()
    assert '"serial": "vol0aaaaaaaaaaaaaaaa"' in " ".join(argv)


def test_a_volume_is_always_raw(tmp_path: Path) -> None:
    """A guest that writes a qcow2 header into its volume must not make QEMU read it."""
    assert qemu.volume_node(Attachment("vol-1", tmp_path / "v.raw", 0))["driver"] == "raw"


@pytest.mark.parametrize(("bus", "driver"), [("virtio", "virtio-blk-pci"), ("nvme", "nvme")])
def test_a_volume_looks_as_asked(tmp_path: Path, bus: str, driver: str) -> None:
    """Bus and sector size reach the device."""
    device = qemu.volume_device(Attachment("vol-1", tmp_path / "v.raw", 0, bus=bus, logical_block_size=4096))
    assert (device["driver"], device["logical_block_size"], device["serial"]) == (driver, 4096, "vol1")


def test_paths_with_commas_reach_qemu_whole(tmp_path: Path, spec: MachineSpec) -> None:
    """A comma separates options; in a path it is doubled."""
    argv = qemu.qemu_argv(spec, tmp_path / "a,b", "tcg", 5, ())
    assert options(argv, "-fw_cfg")[0].endswith("a,,b/seed.tar")


def test_the_machine_has_the_private_address_of_the_instance(tmp_path: Path, spec: MachineSpec) -> None:
    """What EC2 says and what `ip address` says agree, and router and name server are nobody's address."""
    spec = replace(spec, private_ip="172.31.16.4")
    assert "net=172.31.0.0/16,host=172.31.0.1,dns=172.31.0.2,dhcpstart=172.31.16.4" in " ".join(
        qemu.qemu_argv(spec, tmp_path, "tcg", 5, ())
    )
    files = seed_files(qemu.seed(spec, "key", "pub"))
    assert (files["address"], files["gateway"], files["nameserver"]) == (b"172.31.16.4/16\n", b"172.31.0.1\n", b"172.31.0.2\n")


def test_the_seed_says_who_the_machine_is(spec: MachineSpec) -> None:
    """Name, keys and user data arrive as they were given."""
    files = seed_files(qemu.seed(replace(spec, user_data=b"#!/bin/sh\necho \xff\n"), "private", "public"))
    assert files["instance-id"] == b"i-0123\n"
    assert files["hostname"] == b"web-1\n"
    assert files["authorized_keys"] == b"ssh-ed25519 AAAA one\nssh-ed25519 BBBB two\n"
    assert files["user-data"] == b"#!/bin/sh\necho \xff\n"
    assert files["ssh_host_ed25519_key"] == b"private"


def test_compressed_user_data_is_unpacked() -> None:
    """People compress what is larger than 16 KiB; cloud-init unpacks it, and so do we."""
    assert qemu.plain_user_data(gzip.compress(b"#!/bin/sh\n")) == b"#!/bin/sh\n"
    assert qemu.plain_user_data(b"") == b""


def test_damaged_user_data_is_refused() -> None:
    """A clear message at launch is better than a machine that silently ran nothing."""
    with pytest.raises(MachineError, match="user data"):
        qemu.plain_user_data(gzip.compress(b"#!/bin/sh\n")[:-3])


def test_volumes_attached_while_off_are_there_at_the_next_start(tmp_path: Path, machine: Machine) -> None:
    """As an EC2 instance keeps its volumes while it is stopped."""
    for number in (1, 2):
        machine.attach(f"vol-{number}", tmp_path / f"{number}.raw")
    machine.detach("vol-1")
    argv = qemu.qemu_argv(machine.spec, tmp_path, "tcg", 5, machine.attachments)
    serials = [json.loads(value).get("serial") for value in options(argv, "-device") if value.startswith("{")]
    assert serials == ["vol0aaaaaaaaaaaaaaaa", "vol2"]


def test_each_volume_has_its_own_slot_and_keeps_it(tmp_path: Path, machine: Machine) -> None:
    """A slot that became free is used again; nobody else moves."""
    for number in range(3):
        machine.attach(f"vol-{number}", tmp_path / f"{number}.raw")
    machine.detach("vol-1")
    machine.attach("vol-9", tmp_path / "9.raw")
    assert {attachment.volume_id: attachment.port for attachment in machine.attachments} == {"vol-0": 0, "vol-2": 2, "vol-9": 1}


def test_a_volume_cannot_be_attached_twice(tmp_path: Path, machine: Machine) -> None:
    """Nor can the root disk be attached as a volume."""
    machine.attach("vol-1", tmp_path / "1.raw")
    for volume_id in ("vol-1", machine.spec.root_id):
        with pytest.raises(MachineError, match="already attached"):
            machine.attach(volume_id, tmp_path / "1.raw")


def test_an_unknown_bus_is_refused_before_anything_changes(tmp_path: Path, machine: Machine) -> None:
    """And the machine does not believe to have the volume."""
    with pytest.raises(MachineError, match="virtio or nvme"):
        machine.attach("vol-1", tmp_path / "1.raw", bus="scsi")
    assert machine.attachments == ()


def test_a_full_machine_says_so(tmp_path: Path, machine: Machine) -> None:
    """More volumes than slots is an error with the number."""
    for number in range(qemu.PORTS):
        machine.attach(f"vol-{number}", tmp_path / f"{number}.raw")
    with pytest.raises(MachineError, match=f"has {qemu.PORTS} volumes"):
        machine.attach("vol-99", tmp_path / "99.raw")


def test_what_is_not_attached_cannot_be_detached_or_resized(machine: Machine) -> None:
    """The message names volume and machine."""
    with pytest.raises(MachineError, match=r"vol-7 is not attached to i-0123"):
        machine.detach("vol-7")
    with pytest.raises(MachineError, match=r"vol-7 is not attached to i-0123"):
        machine.resize("vol-7", MIB)


def test_disks_of_a_machine_that_is_off_can_grow_but_not_shrink(tmp_path: Path, machine: Machine) -> None:
    """The root disk like any volume."""
    disks.create(tmp_path / "1.raw", MIB)
    machine.attach("vol-1", tmp_path / "1.raw")
    machine.resize("vol-1", 2 * MIB)
    machine.resize(machine.spec.root_id, 8 * MIB)
    assert disks.virtual_size(tmp_path / "1.raw") == 2 * MIB
    assert disks.virtual_size(machine.spec.root) == 8 * MIB
    with pytest.raises(DiskError, match="cannot become smaller"):
        machine.resize("vol-1", MIB)


def test_an_nvme_volume_in_use_does_not_grow_and_that_is_said(tmp_path: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """QEMU cannot resize it; its file is not touched either."""
    disks.create(tmp_path / "1.raw", MIB)
    machine.attach("vol-1", tmp_path / "1.raw", bus="nvme")
    monkeypatch.setattr(Machine, "alive", True)
    with pytest.raises(MachineError, match="attached as nvme"):
        machine.resize("vol-1", 2 * MIB)
    assert disks.virtual_size(tmp_path / "1.raw") == MIB


def test_a_port_that_is_taken_is_an_error_with_its_address(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What QEMU says to it is in the message."""
    monkeypatch.setattr(Machine, "alive", True)
    monkeypatch.setattr(machine, "_human", lambda line: "Could not set up host forwarding rule")
    with pytest.raises(MachineError, match=r"127\.0\.3\.2:2223 cannot be opened for i-0123.*host forwarding"):
        machine.forward("127.0.3.2", 2223, 22)


def test_a_machine_that_is_off_cannot_be_rebooted(machine: Machine) -> None:
    """The message names it."""
    with pytest.raises(MachineError, match="i-0123 is not running"):
        machine.reboot()


def test_a_machine_that_is_off_can_be_stopped_and_paused(machine: Machine) -> None:
    """Callers need not look first."""
    machine.shutdown(1)
    machine.kill()
    with machine.paused():
        assert not machine.alive


def test_a_machine_that_cannot_start_says_why_and_is_off(machine: Machine) -> None:
    """The words of QEMU reach the error; nobody is told that a machine ended that never ran."""
    ends: list[Machine] = []
    machine = Machine(machine.directory, machine.spec, on_exit=ends.append)
    with pytest.raises(MachineError, match=r"i-0123 did not start[\s\S]*vmlinuz"):
        machine.start()
    assert not machine.alive
    assert ends == []
    assert machine.pid == 0


def test_keys_of_the_host_are_made_once_and_for_its_owner_only(machine: Machine) -> None:
    """A machine that starts again is the same machine for ssh; the seed holds its private key."""
    for _ in range(2):
        with pytest.raises(MachineError):
            machine.start()
    assert (machine.directory / "seed.tar").stat().st_mode & 0o077 == 0
    assert machine.directory.stat().st_mode & 0o077 == 0
    public = seed_files((machine.directory / "seed.tar").read_bytes())["ssh_host_ed25519_key.pub"]
    assert (machine.directory / "ssh_host_ed25519_key.pub").read_bytes() == public
