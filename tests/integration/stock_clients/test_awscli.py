# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An administrator's session with the AWS command line works against the sandbox, from first to last command."""

from __future__ import annotations

import json
import os
import time
from types import SimpleNamespace
from typing import Any

import pytest
from awscli.clidriver import create_clidriver

from tests.support.sandbox import Sandbox, eventually


class Session:
    """A shell with `aws` in it: the program's own main function, which spares the start of an interpreter each time."""

    def __init__(self, output: pytest.CaptureFixture[str]) -> None:
        self._output = output
        self._driver = create_clidriver()

    def __call__(self, command: str, *more: str) -> Any:
        """What `aws COMMAND` prints, as data."""
        status, out, err = self._run(command, *more)
        assert status == 0, f"aws {command}: {err}"
        return json.loads(out) if out.strip() else None

    def refused(self, command: str, *more: str) -> str:
        """The error that `aws COMMAND` ends with."""
        status, _, err = self._run(command, *more)
        assert status != 0, f"aws {command} was not refused"
        return err

    def _run(self, command: str, *more: str) -> tuple[int, str, str]:
        # What awscli registers for this command would stay, and disturb the commands after it.
        driver = create_clidriver() if "modify-instance-attribute" in command else self._driver
        status = driver.main([*command.split(), *more, "--output", "json"])
        shown = self._output.readouterr()
        return status, shown.out, shown.err


@pytest.fixture
def aws(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Session:
    """A session that finds the sandbox in its environment."""
    # awscli itself sets AWS_DATA_PATH when it is imported.
    for name in set(os.environ) - set(sandbox.environment) - {"AWS_DATA_PATH"}:
        monkeypatch.delenv(name)
    for name, value in sandbox.environment.items():
        monkeypatch.setenv(name, value)
    # `aws ec2 wait` looks every fifteen seconds, which is much for a cloud that is done in one
    monkeypatch.setattr("botocore.waiter.time", SimpleNamespace(sleep=lambda seconds: time.sleep(min(seconds, 0.2))))
    return Session(capsys)


def named(kind: str, name: str) -> str:
    """A tag specification with a name."""
    return f"ResourceType={kind},Tags=[{{Key=Name,Value={name}}},{{Key=Project,Value=moso}}]"


def test_who_where_key_and_group(aws: Session) -> None:
    """Identity, zones with their ids, a key pair, a group with rules for ssh and http."""
    assert aws("sts get-caller-identity")["Account"] == "123456789012"
    zones = aws("ec2 describe-availability-zones")["AvailabilityZones"]
    assert {"us-east-1a", "us-east-1b"} <= {zone["ZoneName"] for zone in zones}
    assert any(zone["ZoneId"] == "use1-az1" for zone in zones)
    assert "eu-west-1" in [region["RegionName"] for region in aws("ec2 describe-regions")["Regions"]]
    key = aws("ec2 create-key-pair --key-name Moso-dev-nvir --tag-specifications", named("key-pair", "Moso-dev-nvir"))
    assert "PRIVATE KEY" in key["KeyMaterial"]
    group = aws(
        "ec2 create-security-group --group-name moso-web-dev-sg --description web --tag-specifications",
        named("security-group", "moso-web-dev-sg"),
    )["GroupId"]
    for port, source in ((22, "127.0.0.1/32"), (80, "0.0.0.0/0")):
        aws(f"ec2 authorize-security-group-ingress --group-id {group} --protocol tcp --port {port} --cidr {source}")
    rules = aws("ec2 describe-security-group-rules --filters", f"Name=group-id,Values={group}")["SecurityGroupRules"]
    assert sorted(rule["FromPort"] for rule in rules if not rule["IsEgress"]) == [22, 80]
    aws(f"ec2 revoke-security-group-ingress --group-id {group} --protocol tcp --port 80 --cidr 0.0.0.0/0")
    aws(f"ec2 delete-security-group --group-id {group}")
    aws("ec2 delete-key-pair --key-name Moso-dev-nvir")


def test_an_instance_from_launch_to_termination_with_its_address(aws: Session) -> None:
    """Image by name, launch with tags, wait, address that changes and one that stays, stop, start, reboot, terminate."""
    images = aws("ec2 describe-images --owners 136693071363 --filters Name=name,Values=debian-12-amd64-*")["Images"]
    image = sorted(images, key=lambda entry: str(entry["CreationDate"]))[-1]["ImageId"]
    made = aws(
        f"ec2 run-instances --image-id {image} --instance-type t3.micro --count 1 --metadata-options HttpTokens=required "
        "--user-data hello --tag-specifications",
        named("instance", "web"),
        named("volume", "web-root"),
    )
    web = made["Instances"][0]["InstanceId"]
    aws(f"ec2 wait instance-running --instance-ids {web}")
    shown = aws("ec2 describe-instances --filters Name=tag:Name,Values=web Name=instance-state-name,Values=running")
    before = shown["Reservations"][0]["Instances"][0]["PublicIpAddress"]
    address = aws("ec2 allocate-address --domain vpc --tag-specifications", named("elastic-ip", "web"))
    aws(f"ec2 associate-address --allocation-id {address['AllocationId']} --instance-id {web}")
    aws(f"ec2 stop-instances --instance-ids {web}")
    aws(f"ec2 wait instance-stopped --instance-ids {web}")
    aws(f"ec2 modify-instance-attribute --instance-id {web} --instance-type Value=t3.small")
    aws(f"ec2 start-instances --instance-ids {web}")
    aws(f"ec2 wait instance-running --instance-ids {web}")
    after = aws(f"ec2 describe-instances --instance-ids {web}")["Reservations"][0]["Instances"][0]
    assert (after["PublicIpAddress"], after["InstanceType"]) == (address["PublicIp"], "t3.small")
    assert address["PublicIp"] != before
    aws(f"ec2 reboot-instances --instance-ids {web}")
    association = aws("ec2 describe-addresses")["Addresses"][0]["AssociationId"]
    aws(f"ec2 disassociate-address --association-id {association}")
    aws(f"ec2 release-address --allocation-id {address['AllocationId']}")
    aws(f"ec2 terminate-instances --instance-ids {web}")
    aws(f"ec2 wait instance-terminated --instance-ids {web}")


def test_volumes_snapshots_and_images(aws: Session) -> None:
    """Create in the zone, attach, grow, copy, restore, detach, delete; make an image and take it away."""
    image = aws("ec2 describe-images")["Images"][0]["ImageId"]
    web = aws(f"ec2 run-instances --image-id {image} --instance-type t3.micro")["Instances"][0]
    aws(f"ec2 wait instance-running --instance-ids {web['InstanceId']}")
    zone = web["Placement"]["AvailabilityZone"]
    volume = aws(
        f"ec2 create-volume --size 8 --volume-type gp3 --availability-zone {zone} --tag-specifications", named("volume", "web-images")
    )["VolumeId"]
    aws(f"ec2 wait volume-available --volume-ids {volume}")
    aws(f"ec2 attach-volume --volume-id {volume} --instance-id {web['InstanceId']} --device /dev/sdf")
    aws(f"ec2 wait volume-in-use --volume-ids {volume}")
    aws(f"ec2 modify-volume --volume-id {volume} --size 16 --iops 4000")
    states = f"ec2 describe-volumes-modifications --volume-ids {volume}"
    eventually(lambda: aws(states)["VolumesModifications"][0]["ModificationState"] == "completed")
    assert "cannot be smaller" in aws.refused(f"ec2 modify-volume --volume-id {volume} --size 4")
    snapshot = aws(f"ec2 create-snapshot --volume-id {volume} --description images")["SnapshotId"]
    aws(f"ec2 wait snapshot-completed --snapshot-ids {snapshot}")
    restored = aws(f"ec2 create-volume --snapshot-id {snapshot} --availability-zone {zone}")
    assert restored["Size"] == 16
    assert "VolumeInUse" in aws.refused(f"ec2 delete-volume --volume-id {volume}")
    aws(f"ec2 detach-volume --volume-id {volume}")
    aws(f"ec2 wait volume-available --volume-ids {volume}")
    aws(f"ec2 delete-volume --volume-id {volume}")
    aws(f"ec2 wait volume-deleted --volume-ids {volume}")
    golden = aws(f"ec2 create-image --instance-id {web['InstanceId']} --name golden --no-reboot")["ImageId"]
    aws(f"ec2 wait image-available --image-ids {golden}")
    aws(f"ec2 deregister-image --image-id {golden}")
    assert aws("ec2 describe-images --owners self")["Images"] == []


def test_mistakes_are_refused_as_at_aws(aws: Session) -> None:
    """The codes that people search for."""
    image = aws("ec2 describe-images")["Images"][0]["ImageId"]
    run = f"ec2 run-instances --instance-type t3.micro --image-id {image}"
    assert "InvalidAMIID.NotFound" in aws.refused("ec2 run-instances --instance-type t3.micro --image-id ami-00000000000000000")
    assert "InvalidKeyPair.NotFound" in aws.refused(f"{run} --key-name nobody")
    assert "Invalid availability zone" in aws.refused(f"{run} --placement AvailabilityZone=us-east-1z")
    assert "DryRunOperation" in aws.refused(f"{run} --dry-run")
    assert "InvalidZone.NotFound" in aws.refused("ec2 create-volume --size 8 --availability-zone us-east-1z")
    assert aws("ec2 describe-instances")["Reservations"] == []
