# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Volumes of the sandbox have the states, limits and errors of EBS."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.sandbox_cloud.aws import ZONE, attached, available, refused, running, volume, wait_state, wait_volume
from tests.support.sandbox import Sandbox, eventually


def modification(ec2: Any, volume_id: str) -> dict[str, Any]:
    """The last change of a volume."""
    return dict(ec2.describe_volumes_modifications(VolumeIds=[volume_id])["VolumesModifications"][0])


def test_a_volume_is_creating_then_available_then_in_use(sandbox: Sandbox, ec2: Any, image_id: str) -> None:
    """No state is skipped, and the attachment has states of its own."""
    instance_id = running(ec2, image_id)
    with sandbox.held():
        volume_id = ec2.create_volume(AvailabilityZone=ZONE, Size=8, VolumeType="gp3")["VolumeId"]
        assert volume(ec2, volume_id)["State"] == "creating"
        early = {"VolumeId": volume_id, "InstanceId": instance_id, "Device": "/dev/sdf"}
        assert refused(ec2.attach_volume, **early)[0] == "IncorrectState"
    wait_volume(ec2, volume_id, "available")
    with sandbox.held():
        answer = ec2.attach_volume(VolumeId=volume_id, InstanceId=instance_id, Device="/dev/sdf")
        assert (answer["State"], answer["DeleteOnTermination"]) == ("attaching", False)
        assert volume(ec2, volume_id)["State"] == "in-use"
        assert attached(ec2, volume_id) == [(instance_id, "/dev/sdf", "attaching")]
    eventually(lambda: attached(ec2, volume_id) == [(instance_id, "/dev/sdf", "attached")])
    with sandbox.held():
        assert ec2.detach_volume(VolumeId=volume_id)["State"] == "detaching"
        assert volume(ec2, volume_id)["State"] == "in-use"
    wait_volume(ec2, volume_id, "available")
    assert attached(ec2, volume_id) == []


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({"VolumeType": "gp3", "Size": 8}, (8, "gp3", 3000, 125)),
        ({"VolumeType": "gp3", "Size": 8, "Iops": 4000, "Throughput": 200}, (8, "gp3", 4000, 200)),
        ({"Size": 8}, (8, "gp2", 100, None)),
        ({"VolumeType": "gp2", "Size": 1000}, (1000, "gp2", 3000, None)),
        ({"VolumeType": "io2", "Size": 8, "Iops": 400}, (8, "io2", 400, None)),
        ({"VolumeType": "st1", "Size": 125}, (125, "st1", None, None)),
    ],
)
def test_performance_defaults_are_those_of_each_type(ec2: Any, options: dict[str, Any], shown: tuple[Any, ...]) -> None:
    """What a client reads back equals what AWS would show."""
    made = ec2.create_volume(AvailabilityZone=ZONE, **options)
    assert (made["Size"], made["VolumeType"], made.get("Iops"), made.get("Throughput")) == shown
    assert (made["Encrypted"], made["MultiAttachEnabled"]) == (False, False)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"AvailabilityZone": "us-east-1z", "Size": 8}, "InvalidZone.NotFound"),
        ({"Size": 8}, "MissingParameter"),
        ({"AvailabilityZone": ZONE}, "MissingParameter"),
        ({"AvailabilityZone": ZONE, "Size": 8, "VolumeType": "gp9"}, "InvalidParameterValue"),
        ({"AvailabilityZone": ZONE, "Size": 8, "VolumeType": "st1"}, "InvalidParameterValue"),
        ({"AvailabilityZone": ZONE, "Size": 8, "VolumeType": "io2"}, "MissingParameter"),
        ({"AvailabilityZone": ZONE, "Size": 8, "VolumeType": "gp2", "Iops": 500}, "InvalidParameterCombination"),
        ({"AvailabilityZone": ZONE, "Size": 8, "VolumeType": "gp2", "Throughput": 500}, "InvalidParameterDependency"),
        ({"AvailabilityZone": ZONE, "SnapshotId": "snap-00000000000000000"}, "InvalidSnapshot.NotFound"),
    ],
)
def test_a_volume_that_cannot_be_is_refused(ec2: Any, options: dict[str, Any], code: str) -> None:
    """With EC2's code, and nothing is made."""
    assert refused(ec2.create_volume, **options)[0] == code
    assert ec2.describe_volumes()["Volumes"] == []


def test_a_volume_is_attached_only_where_it_fits(ec2: Any, image_id: str) -> None:
    """Zone, device name, state and occupancy are checked as EC2 does."""
    instance_id = running(ec2, image_id, Placement={"AvailabilityZone": ZONE})
    here, there = available(ec2), available(ec2, AvailabilityZone="us-east-1b")
    attach = ec2.attach_volume
    assert refused(attach, VolumeId=there, InstanceId=instance_id, Device="/dev/sdf")[0] == "InvalidVolume.ZoneMismatch"
    assert refused(attach, VolumeId=here, InstanceId=instance_id, Device="/dev/xvda")[0] == "InvalidParameterValue"
    assert refused(attach, VolumeId=here, InstanceId=instance_id, Device="disk")[0] == "InvalidParameterValue"
    attach(VolumeId=here, InstanceId=instance_id, Device="/dev/sdf")
    assert refused(attach, VolumeId=here, InstanceId=instance_id, Device="/dev/sdg")[0] == "VolumeInUse"
    assert refused(ec2.delete_volume, VolumeId=here)[0] == "VolumeInUse"
    missing = {"VolumeId": "vol-00000000000000000", "InstanceId": instance_id, "Device": "/dev/sdh"}
    assert refused(attach, **missing)[0] == "InvalidVolume.NotFound"
    ec2.terminate_instances(InstanceIds=[instance_id])
    wait_state(ec2, instance_id, "terminated")
    fresh = available(ec2)
    assert refused(attach, VolumeId=fresh, InstanceId=instance_id, Device="/dev/sdf")[0] == "IncorrectState"


def test_the_root_volume_is_detached_only_from_a_stopped_instance(ec2: Any, image_id: str) -> None:
    """And an instance without its root volume does not start."""
    instance_id = running(ec2, image_id)
    root = ec2.describe_volumes()["Volumes"][0]["VolumeId"]
    assert refused(ec2.detach_volume, VolumeId=root)[0] == "OperationNotPermitted"
    ec2.stop_instances(InstanceIds=[instance_id])
    wait_state(ec2, instance_id, "stopped")
    ec2.detach_volume(VolumeId=root)
    wait_volume(ec2, root, "available")
    assert refused(ec2.start_instances, InstanceIds=[instance_id])[0] == "IncorrectInstanceState"
    ec2.attach_volume(VolumeId=root, InstanceId=instance_id, Device="/dev/xvda")
    eventually(lambda: attached(ec2, root)[0][2] == "attached")
    ec2.start_instances(InstanceIds=[instance_id])
    wait_state(ec2, instance_id, "running")


def test_detaching_what_is_not_attached_is_an_error(ec2: Any, image_id: str) -> None:
    """A free volume, or another instance."""
    free = available(ec2)
    assert refused(ec2.detach_volume, VolumeId=free)[0] == "IncorrectState"
    first, second = running(ec2, image_id), running(ec2, image_id)
    ec2.attach_volume(VolumeId=free, InstanceId=first, Device="/dev/sdf")
    assert refused(ec2.detach_volume, VolumeId=free, InstanceId=second)[0] == "InvalidAttachment.NotFound"


def test_a_change_goes_through_modifying_and_optimizing(sandbox: Sandbox, ec2: Any) -> None:
    """The new size shows from optimizing on; a second change has to wait."""
    volume_id = available(ec2)
    assert refused(ec2.describe_volumes_modifications, VolumeIds=[volume_id])[0] == "InvalidVolumeModification.NotFound"
    with sandbox.held():
        answer = ec2.modify_volume(VolumeId=volume_id, Size=20, Iops=4000)["VolumeModification"]
        assert (answer["ModificationState"], answer["OriginalSize"], answer["TargetSize"]) == ("modifying", 8, 20)
        assert refused(ec2.modify_volume, VolumeId=volume_id, Size=30)[0] == "IncorrectModificationState"
        assert volume(ec2, volume_id)["Size"] == 8
        assert sandbox.step()
        assert modification(ec2, volume_id)["ModificationState"] == "optimizing"
        assert volume(ec2, volume_id)["Size"] == 20
        assert refused(ec2.modify_volume, VolumeId=volume_id, Size=30)[0] == "IncorrectModificationState"
    eventually(lambda: modification(ec2, volume_id)["ModificationState"] == "completed")
    changed = volume(ec2, volume_id)
    assert (changed["Size"], changed["Iops"], changed["Throughput"]) == (20, 4000, 125)
    assert modification(ec2, volume_id)["Progress"] == 100


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"Size": 7}, "InvalidParameterValue"),
        ({}, "InvalidParameterValue"),
        ({"VolumeType": "gp2", "Iops": 3000}, "InvalidParameterCombination"),
        ({"VolumeType": "io1"}, "MissingParameter"),
        ({"VolumeType": "st1"}, "InvalidParameterValue"),
    ],
)
def test_a_change_that_cannot_be_is_refused(ec2: Any, change: dict[str, Any], code: str) -> None:
    """Above all, a volume never shrinks."""
    volume_id = available(ec2)
    assert refused(ec2.modify_volume, VolumeId=volume_id, **change)[0] == code
    assert volume(ec2, volume_id)["Size"] == 8


def test_changing_the_type_brings_its_defaults(ec2: Any) -> None:
    """gp2 to gp3: 3000 IOPS and 125 MiB/s, as AWS does."""
    volume_id = available(ec2, VolumeType="gp2")
    ec2.modify_volume(VolumeId=volume_id, VolumeType="gp3")
    eventually(lambda: modification(ec2, volume_id)["ModificationState"] == "completed")
    changed = volume(ec2, volume_id)
    assert (changed["VolumeType"], changed["Iops"], changed["Throughput"]) == ("gp3", 3000, 125)


def test_a_deleted_volume_is_gone_with_its_tags(ec2: Any) -> None:
    """InvalidVolume.NotFound afterwards; the tags do not stay behind."""
    tags = [{"ResourceType": "volume", "Tags": [{"Key": "Name", "Value": "images"}]}]
    volume_id = available(ec2, TagSpecifications=tags)
    found = ec2.describe_volumes(Filters=[{"Name": "tag:Name", "Values": ["im*"]}, {"Name": "size", "Values": ["8"]}])
    assert [entry["VolumeId"] for entry in found["Volumes"]] == [volume_id]
    ec2.delete_volume(VolumeId=volume_id)
    eventually(lambda: ec2.describe_volumes()["Volumes"] == [])
    assert refused(ec2.describe_volumes, VolumeIds=[volume_id])[0] == "InvalidVolume.NotFound"
    assert ec2.describe_tags()["Tags"] == []


def test_an_encrypted_volume_names_its_key(ec2: Any) -> None:
    """The default key of EBS where none is given; a key without encryption is refused."""
    volume_id = available(ec2, Encrypted=True)
    assert ":kms:" in volume(ec2, volume_id)["KmsKeyId"]
    lone = {"AvailabilityZone": ZONE, "Size": 8, "KmsKeyId": "alias/mine"}
    assert refused(ec2.create_volume, **lone)[0] == "InvalidParameterDependency"
