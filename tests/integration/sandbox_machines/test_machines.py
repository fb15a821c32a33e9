# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Instances, volumes, addresses and groups of the sandbox are real."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest

from sandbox.processes import machines_below
from tests.integration.sandbox_cloud.aws import attached, available, instance, launch, volume, wait_state, wait_volume
from tests.integration.sandbox_machines.conftest import BOOT, World
from tests.support.sandbox import eventually

pytestmark = pytest.mark.machine

FIND = 'lsblk -ndo NAME,SERIAL | awk \'$2 == "{serial}" {{print "/dev/" $1}}\''


def plug(world: World, instance_id: str, volume_id: str, device: str) -> str:
    """Attach a volume; the name of the disk that it is inside."""
    world.ec2.attach_volume(VolumeId=volume_id, InstanceId=instance_id, Device=device)
    find = FIND.format(serial=volume_id.replace("-", ""))
    eventually(lambda: attached(world.ec2, volume_id)[0][2] == "attached")
    return str(eventually(lambda: world.ssh(instance_id, find)))


def unplug(world: World, volume_id: str) -> None:
    """Detach a volume."""
    world.ec2.detach_volume(VolumeId=volume_id)
    wait_volume(world.ec2, volume_id, "available")


def banner(address: str, port: int) -> str:
    """The first bytes that a port says; "refused" if nobody is there."""
    try:
        with socket.create_connection((address, port), timeout=20) as connection:
            return connection.recv(4).decode("ascii", "replace")
    except ConnectionRefusedError:
        return "refused"


def test_an_instance_is_a_machine_with_its_user_key_and_user_data(world: World, web: str) -> None:
    """The key pair logs in as the image's user, who has sudo; user data ran once."""
    shown = instance(world.ec2, web)
    assert world.ssh(web, "id -un; sudo id -un").split() == ["admin", "root"]
    assert world.ssh(web, "hostname") == shown["PrivateDnsName"].split(".")[0]
    assert shown["PrivateIpAddress"] in world.ssh(web, "hostname -I").split()
    assert len(world.ssh(web, "sudo cat /root/first-boot").splitlines()) == 1
    assert "Reached target" in world.ec2.get_console_output(InstanceId=web)["Output"]


def test_a_volume_is_a_disk_that_grows_in_use_and_can_be_copied(world: World, web: str) -> None:
    """Plugged under its serial, grown under a mounted filesystem, its snapshot holds the data, unplugged it is gone."""
    volume_id = available(world.ec2, Size=1)
    disk = plug(world, web, volume_id, "/dev/sdf")
    world.ssh(web, f"sudo mkfs.ext4 -q {disk} && sudo mount {disk} /mnt && echo kept | sudo tee /mnt/file && sync")
    world.ec2.modify_volume(VolumeId=volume_id, Size=2)
    eventually(lambda: volume(world.ec2, volume_id)["Size"] == 2)
    assert eventually(lambda: world.ssh(web, f"lsblk -bndo SIZE {disk}") == str(2 << 30))
    world.ssh(web, f"sudo resize2fs {disk}")
    snapshot_id = world.ec2.create_snapshot(VolumeId=volume_id)["SnapshotId"]
    eventually(lambda: world.ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"][0]["State"] == "completed")
    world.ssh(web, "echo changed | sudo tee /mnt/file; sudo umount /mnt")
    unplug(world, volume_id)
    assert disk not in world.ssh(web, "lsblk -ndo PATH").split()
    copy = available(world.ec2, SnapshotId=snapshot_id, Size=3)
    disk = plug(world, web, copy, "/dev/sdf")
    assert world.ssh(web, f"sudo mount {disk} /mnt && cat /mnt/file && sudo umount /mnt") == "kept"
    unplug(world, copy)


def test_a_port_answers_only_while_a_rule_lets_the_client_in(world: World, web: str) -> None:
    """Rules for others do not count; the change is there when the call returns."""
    address = world.address(web)
    assert banner(address, 22) == "SSH-"
    world.deny(22)
    assert banner(address, 22) == "refused"
    world.allow(22, "10.0.0.0/8")
    assert banner(address, 22) == "refused"
    world.allow(22)
    assert banner(address, 22) == "SSH-"
    world.deny(22, "10.0.0.0/8")


def test_an_elastic_ip_takes_the_ports_along(world: World, web: str) -> None:
    """The old address is silent, the new one answers, and the other way round when it leaves."""
    automatic = world.address(web)
    made = world.ec2.allocate_address()
    association = world.ec2.associate_address(AllocationId=made["AllocationId"], InstanceId=web)["AssociationId"]
    assert (banner(automatic, 22), banner(made["PublicIp"], 22)) == ("refused", "SSH-")
    world.ec2.disassociate_address(AssociationId=association)
    assert (banner(world.address(web), 22), banner(made["PublicIp"], 22)) == ("SSH-", "refused")
    world.ec2.release_address(AllocationId=made["AllocationId"])


def test_a_reboot_is_a_new_boot_with_the_same_address_and_disks(world: World, web: str) -> None:
    """The boot id changes; user data does not run again."""
    volume_id = available(world.ec2, Size=1)
    plug(world, web, volume_id, "/dev/sdf")
    read = "cat /proc/sys/kernel/random/boot_id"
    address, before = world.address(web), world.ssh(web, read)
    world.ec2.reboot_instances(InstanceIds=[web])
    eventually(lambda: world.ssh(web, read, check=False) not in ("", before), timeout=BOOT, pause=2)
    assert world.address(web) == address
    assert world.ssh(web, FIND.format(serial=volume_id.replace("-", ""))) != ""
    assert len(world.ssh(web, "sudo cat /root/first-boot").splitlines()) == 1
    unplug(world, volume_id)


def test_stop_and_start_keep_the_disks_and_change_the_address(world: World, web: str) -> None:
    """A volume attached while it is off is there after the start."""
    world.ssh(web, "echo kept > file && sync")
    before = world.address(web)
    world.ec2.stop_instances(InstanceIds=[web])
    wait_state(world.ec2, web, "stopped", timeout=BOOT)
    assert banner(before, 22) == "refused"
    volume_id = available(world.ec2, Size=1)
    world.ec2.attach_volume(VolumeId=volume_id, InstanceId=web, Device="/dev/sdf")
    world.ec2.start_instances(InstanceIds=[web])
    world.wait_for_login(web)
    assert world.address(web) != before
    assert world.ssh(web, "cat file") == "kept"
    assert world.ssh(web, FIND.format(serial=volume_id.replace("-", ""))) != ""
    unplug(world, volume_id)


def test_an_image_of_an_instance_boots_with_its_files(world: World, web: str) -> None:
    """And an Elastic IP moves from one machine to the other."""
    world.ssh(web, "echo golden > file && sync")
    image_id = world.ec2.create_image(InstanceId=web, Name="golden", NoReboot=True)["ImageId"]
    eventually(lambda: world.ec2.describe_images(ImageIds=[image_id])["Images"][0]["State"] == "available", timeout=BOOT)
    copy = world.launch("copy", image_id)
    assert world.ssh(copy, "cat file") == "golden"
    made = world.ec2.allocate_address()
    for instance_id in (web, copy):
        world.ec2.associate_address(AllocationId=made["AllocationId"], InstanceId=instance_id, AllowReassociation=True)
        expected = instance(world.ec2, instance_id)["PrivateDnsName"].split(".")[0]
        assert world.ssh(instance_id, "hostname", address=made["PublicIp"]) == expected
    world.ec2.terminate_instances(InstanceIds=[copy])
    wait_state(world.ec2, copy, "terminated")
    assert banner(made["PublicIp"], 22) == "refused"


def test_an_instance_that_powers_itself_off_is_stopped(world: World, web: str) -> None:
    """With the reason that EC2 gives."""
    world.ssh(web, "sudo systemd-run --on-active=1 systemctl poweroff", check=False)
    wait_state(world.ec2, web, "stopped", timeout=BOOT)
    assert instance(world.ec2, web)["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"


def test_a_machine_that_dies_is_a_stopped_instance_with_a_reason(world: World, web: str) -> None:
    """And the log says more."""
    (machine,) = machines_below(world.sandbox.directory)
    os.kill(machine.pid, signal.SIGKILL)
    wait_state(world.ec2, web, "stopped")
    reason = instance(world.ec2, web)["StateReason"]
    assert reason["Code"] == "Server.InternalError"
    assert "SIGKILL" in reason["Message"]
    assert "SIGKILL" in (world.sandbox.directory / "sandbox.log").read_text()


def test_terminating_leaves_no_process_and_no_disk(world: World, shared_web: str) -> None:
    """Root volumes go with their instances."""
    world.ec2.terminate_instances(InstanceIds=[shared_web])
    wait_state(world.ec2, shared_web, "terminated")
    assert machines_below(world.sandbox.directory) == []
    roots = Path(world.sandbox.directory / "volumes")
    eventually(lambda: not list(roots.glob("*.qcow2")))


def test_a_killed_server_takes_its_machines_along(world: World) -> None:
    """Nobody is left to stop them otherwise; `down` still works, as the end of these tests shows."""
    instance_id = str(launch(world.ec2, world.image_id)["InstanceId"])
    wait_state(world.ec2, instance_id, "running")
    assert len(machines_below(world.sandbox.directory)) == 1
    os.kill(world.sandbox.status()["pid"], signal.SIGKILL)
    eventually(lambda: not machines_below(world.sandbox.directory))
