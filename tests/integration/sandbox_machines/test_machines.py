# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Instances, volumes, addresses and groups of the sandbox are real.

One machine, in the order of a day: what needs it running comes first, and each start of a machine serves several questions.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox.accelerator import guest_runs, probe_argv
from sandbox.image import ensure_image
from sandbox.processes import machines_below
from sandbox.settings import Settings
from tests.integration.sandbox_cloud.aws import attached, available, instance, launch, volume, wait_state, wait_volume
from tests.integration.sandbox_machines.conftest import BOOT, World
from tests.support.sandbox import eventually

pytestmark = [pytest.mark.machine, pytest.mark.long]

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


@contextmanager
def deaf(world: World, instance_id: str) -> Iterator[None]:
    """A machine that does not hear the event by which the chipset tells the kernel that a disk comes or goes."""
    event = "sudo tee /sys/firmware/acpi/interrupts/gpe01"
    world.ssh(instance_id, f"echo disable | {event}")
    try:
        yield
    finally:
        world.ssh(instance_id, f"echo enable | {event}")


def banner(address: str, port: int) -> str:
    """The first bytes that a port says; "refused" if nobody is there."""
    try:
        with socket.create_connection((address, port), timeout=20) as connection:
            return connection.recv(4).decode("ascii", "replace")
    except ConnectionRefusedError:
        return "refused"


def test_the_trial_of_the_accelerator_tells_a_running_guest() -> None:
    """Under software emulation the kernel of the image gets to the sign of life; so it does under a KVM that works."""
    assert guest_runs(probe_argv("tcg", ensure_image(Settings(Path()).image_cache)), patience=BOOT)


def test_an_instance_is_a_machine_with_its_user_and_key(world: World, web: str) -> None:
    """The key pair logs in as the image's user, who has sudo; name and address are those that the API shows."""
    shown = instance(world.ec2, web)
    assert world.ssh(web, "id -un; sudo id -un").split() == ["admin", "root"]
    assert world.ssh(web, "hostname") == shown["PrivateDnsName"].split(".")[0]
    assert shown["PrivateIpAddress"] in world.ssh(web, "hostname -I").split()
    assert "Reached target" in world.ec2.get_console_output(InstanceId=web)["Output"]


def test_its_host_key_is_known_before_it_starts(world: World, web: str) -> None:
    """The host made it: nobody has to trust the first connection."""
    public = world.sandbox.directory / "machines" / web / "ssh_host_ed25519_key.pub"
    known = world.key.with_name("known_hosts")
    known.write_text(f"{world.address(web)} {public.read_text()}")
    world.ssh(web, "true", options=["-oStrictHostKeyChecking=yes", f"-oUserKnownHostsFile={known}"])


def test_nothing_failed_at_boot(world: World, web: str) -> None:
    """No unit is in trouble, and a password opens nothing."""
    assert world.ssh(web, "systemctl --failed --no-legend") == ""
    assert "passwordauthentication no" in world.ssh(web, "sudo sshd -T")


def test_user_data_ran_once_as_root(world: World, web: str) -> None:
    """Its output is where EC2 has it, and who waits for its end is told."""
    assert world.ssh(web, "cloud-init status --wait").splitlines()[-1] == "status: done"
    assert world.ssh(web, "cat /var/log/cloud-init-output.log") == "root"
    assert len(world.ssh(web, "sudo cat /root/first-boot").splitlines()) == 1


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


def test_a_disk_in_use_is_taken_away_by_force(world: World, web: str) -> None:
    """As when EC2 is told to force it; the rest of the machine stays."""
    volume_id = available(world.ec2, Size=1)
    disk = plug(world, web, volume_id, "/dev/sdf")
    world.ssh(web, f"sudo mkfs.ext4 -q {disk} && sudo mount {disk} /mnt")
    world.ec2.detach_volume(VolumeId=volume_id, Force=True)
    wait_volume(world.ec2, volume_id, "available")
    eventually(lambda: disk not in world.ssh(web, "lsblk -ndo PATH").split())
    world.ssh(web, "sudo umount --lazy /mnt", check=False)


def test_a_disk_that_the_machine_does_not_let_go_of_is_busy_until_forced(world: World, web: str) -> None:
    """A machine that hears nothing of the request keeps its disk; forced, EC2 takes it: another machine could have it at once."""
    volume_id = available(world.ec2, Size=1)
    disk = plug(world, web, volume_id, "/dev/sdf")
    with deaf(world, web):
        world.ec2.detach_volume(VolumeId=volume_id)
        eventually(lambda: attached(world.ec2, volume_id)[0][2] == "busy")
        assert "written" in world.ssh(web, f"echo written | sudo dd of={disk} conv=fsync status=none && sudo head -c 7 {disk}")
        world.ec2.detach_volume(VolumeId=volume_id, Force=True)
        wait_volume(world.ec2, volume_id, "available")
        assert world.ssh(web, f"sudo dd if={disk} of=/dev/null iflag=direct count=1 status=none || echo gone") == "gone"
    # the event is lost; with the next one the kernel looks at all places
    another = available(world.ec2, Size=1)
    plug(world, web, another, "/dev/sdf")
    eventually(lambda: volume_id.replace("-", "") not in world.ssh(web, "lsblk -ndo SERIAL").split())
    disk = plug(world, web, volume_id, "/dev/sdg")
    assert world.ssh(web, f"sudo head -c 7 {disk}") == "written"
    unplug(world, volume_id)
    unplug(world, another)


def test_a_reboot_from_inside_is_a_new_boot_of_the_same_machine(world: World, web: str) -> None:
    """`reboot` in the machine does not end it: address and disks are the same, the root filesystem grew, user data did not run again."""
    volume_id = available(world.ec2, Size=1)
    plug(world, web, volume_id, "/dev/sdf")
    (root,) = [one["Ebs"]["VolumeId"] for one in instance(world.ec2, web)["BlockDeviceMappings"] if one["DeviceName"] != "/dev/sdf"]
    world.ec2.modify_volume(VolumeId=root, Size=9)
    eventually(lambda: volume(world.ec2, root)["Size"] == 9)
    address, before = world.address(web), world.boot(web)
    world.ssh(web, "sudo systemctl reboot", check=False)
    eventually(lambda: world.boot(web) not in ("", before), timeout=BOOT, pause=1)
    assert world.address(web) == address
    assert world.ssh(web, FIND.format(serial=volume_id.replace("-", ""))) != ""
    assert len(world.ssh(web, "sudo cat /root/first-boot").splitlines()) == 1
    assert world.ssh(web, "journalctl --list-boots --quiet --no-pager | wc -l") == "2"
    eventually(lambda: int(world.ssh(web, "df --output=size -B1 / | tail -1")) > 8.5 * (1 << 30), timeout=BOOT, pause=1)
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
    """It is another instance: its cloud-config runs, whatever the copied one had run. An Elastic IP moves from one to the other."""
    world.ssh(web, "echo golden > file && sync")
    image_id = world.ec2.create_image(InstanceId=web, Name="golden", NoReboot=True)["ImageId"]
    eventually(lambda: world.ec2.describe_images(ImageIds=[image_id])["Images"][0]["State"] == "available", timeout=BOOT)
    copy = world.launch("copy", image_id, UserData="#cloud-config\nwrite_files:\n  - {path: /root/from-cloud-config, content: it-ran}\n")
    assert world.ssh(copy, "cat file") == "golden"
    made = world.ec2.allocate_address()
    for instance_id in (web, copy):
        world.ec2.associate_address(AllocationId=made["AllocationId"], InstanceId=instance_id, AllowReassociation=True)
        expected = instance(world.ec2, instance_id)["PrivateDnsName"].split(".")[0]
        assert world.ssh(instance_id, "hostname", address=made["PublicIp"]) == expected
    eventually(lambda: world.ssh(copy, "sudo cat /root/from-cloud-config", check=False) == "it-ran", timeout=BOOT, pause=2)
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
    world.ec2.start_instances(InstanceIds=[web])
    wait_state(world.ec2, web, "running")
    (machine,) = machines_below(world.sandbox.directory)
    os.kill(machine.pid, signal.SIGKILL)
    wait_state(world.ec2, web, "stopped")
    reason = instance(world.ec2, web)["StateReason"]
    assert reason["Code"] == "Server.InternalError"
    assert "SIGKILL" in reason["Message"]
    assert "SIGKILL" in (world.sandbox.directory / "sandbox.log").read_text()


def test_terminating_leaves_no_process_and_no_disk(world: World, web: str) -> None:
    """Root volumes go with their instances."""
    world.ec2.terminate_instances(InstanceIds=[web])
    wait_state(world.ec2, web, "terminated")
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
