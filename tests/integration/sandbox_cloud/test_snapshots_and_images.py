# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Snapshots and images of the sandbox: pending first, found by owner and name, not deleted while needed."""

from __future__ import annotations

from typing import Any

from tests.integration.sandbox_cloud.aws import ZONE, available, launch, refused, running, volume
from tests.support.sandbox import Sandbox, eventually


def snapshot(ec2: Any, snapshot_id: str) -> dict[str, Any]:
    """One snapshot as it is now."""
    return dict(ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"][0])


def completed(ec2: Any, volume_id: str) -> str:
    """The id of a completed snapshot of a volume."""
    snapshot_id = str(ec2.create_snapshot(VolumeId=volume_id)["SnapshotId"])
    eventually(lambda: snapshot(ec2, snapshot_id)["State"] == "completed")
    return snapshot_id


def image(ec2: Any, image_id: str) -> dict[str, Any]:
    """One image as it is now."""
    return dict(ec2.describe_images(ImageIds=[image_id])["Images"][0])


def test_a_snapshot_is_pending_first_and_keeps_the_size_it_was_made_with(sandbox: Sandbox, ec2: Any) -> None:
    """Growing the volume afterwards changes nothing about the snapshot."""
    volume_id = available(ec2)
    tags = [{"ResourceType": "snapshot", "Tags": [{"Key": "keep", "Value": "yes"}]}]
    with sandbox.held():
        made = ec2.create_snapshot(VolumeId=volume_id, Description="before", TagSpecifications=tags)
        assert (made["State"], made["VolumeSize"], made["Tags"]) == ("pending", 8, tags[0]["Tags"])
        early = {"AvailabilityZone": ZONE, "SnapshotId": made["SnapshotId"]}
        assert refused(ec2.create_volume, **early)[0] == "IncorrectState"
    eventually(lambda: snapshot(ec2, made["SnapshotId"])["State"] == "completed")
    ec2.modify_volume(VolumeId=volume_id, Size=20)
    eventually(lambda: volume(ec2, volume_id)["Size"] == 20)
    assert snapshot(ec2, made["SnapshotId"])["VolumeSize"] == 8


def test_a_volume_from_a_snapshot_is_at_least_as_large(ec2: Any) -> None:
    """Its size by default, larger on request, never smaller."""
    snapshot_id = completed(ec2, available(ec2))
    made = ec2.create_volume(AvailabilityZone=ZONE, SnapshotId=snapshot_id)
    assert (made["Size"], made["SnapshotId"]) == (8, snapshot_id)
    assert ec2.create_volume(AvailabilityZone=ZONE, SnapshotId=snapshot_id, Size=9)["Size"] == 9
    smaller = {"AvailabilityZone": ZONE, "SnapshotId": snapshot_id, "Size": 7}
    assert refused(ec2.create_volume, **smaller)[0] == "InvalidParameterValue"


def test_only_own_snapshots_are_listed_and_found_by_filter(ec2: Any) -> None:
    """OwnerIds=self and filters; nothing that moto made up."""
    assert ec2.describe_snapshots()["Snapshots"] == []
    volume_id = available(ec2)
    snapshot_id = completed(ec2, volume_id)
    by_volume = ec2.describe_snapshots(OwnerIds=["self"], Filters=[{"Name": "volume-id", "Values": [volume_id]}])
    assert [entry["SnapshotId"] for entry in by_volume["Snapshots"]] == [snapshot_id]
    assert ec2.describe_snapshots(OwnerIds=["amazon"])["Snapshots"] == []


def test_a_snapshot_can_be_copied_to_another_region(sandbox: Sandbox, ec2: Any) -> None:
    """With a description of its own."""
    snapshot_id = completed(ec2, available(ec2))
    other = sandbox.client(region="eu-west-1")
    copied = other.copy_snapshot(SourceRegion="us-east-1", SourceSnapshotId=snapshot_id, Description="copy")["SnapshotId"]
    eventually(lambda: snapshot(other, copied)["State"] == "completed")
    assert (snapshot(other, copied)["VolumeSize"], snapshot(other, copied)["Description"]) == (8, "copy")


def test_all_volumes_of_an_instance_are_copied_at_once(ec2: Any, image_id: str) -> None:
    """CreateSnapshots, with the tags of the volumes if asked for."""
    tags = [{"ResourceType": "volume", "Tags": [{"Key": "a", "Value": "b"}]}]
    instance_id = running(ec2, image_id, TagSpecifications=tags)
    asked = {"InstanceId": instance_id}
    made = ec2.create_snapshots(InstanceSpecification=asked, CopyTagsFromSource="volume")["Snapshots"]
    assert [entry["Tags"] for entry in made] == [tags[0]["Tags"]]
    without = ec2.create_snapshots(InstanceSpecification={**asked, "ExcludeBootVolume": True})["Snapshots"]
    assert without == []


def test_an_image_of_an_instance_is_pending_first_and_boots(sandbox: Sandbox, ec2: Any, image_id: str) -> None:
    """Its snapshot is its own, its name is taken, and an instance can be launched from it."""
    instance_id = running(ec2, image_id)
    kinds = [{"ResourceType": kind, "Tags": [{"Key": "k", "Value": kind}]} for kind in ("image", "snapshot")]
    with sandbox.held():
        made = ec2.create_image(InstanceId=instance_id, Name="golden", Description="d", TagSpecifications=kinds)["ImageId"]
        assert image(ec2, made)["State"] == "pending"
        request = {"ImageId": made, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
        assert refused(ec2.run_instances, **request)[0] == "InvalidAMIID.Unavailable"
    eventually(lambda: image(ec2, made)["State"] == "available")
    assert refused(ec2.create_image, InstanceId=instance_id, Name="golden")[0] == "InvalidAMIName.Duplicate"
    shown = image(ec2, made)
    snapshot_id = shown["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    assert (shown["Tags"][0]["Value"], snapshot(ec2, snapshot_id)["Tags"][0]["Value"]) == ("image", "snapshot")
    assert launch(ec2, made)["ImageId"] == made


def test_a_snapshot_stays_as_long_as_an_image_needs_it(ec2: Any, image_id: str) -> None:
    """DeleteSnapshot is refused, deregistering can take the snapshots along."""
    made = ec2.create_image(InstanceId=running(ec2, image_id), Name="golden", NoReboot=True)["ImageId"]
    snapshot_id = image(ec2, made)["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    assert refused(ec2.delete_snapshot, SnapshotId=snapshot_id)[0] == "InvalidSnapshot.InUse"
    gone = ec2.deregister_image(ImageId=made, DeleteAssociatedSnapshots=True)
    assert [entry["SnapshotId"] for entry in gone["DeleteSnapshotResults"]] == [snapshot_id]
    assert ec2.describe_images(Owners=["self"])["Images"] == []
    assert ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"] == []


def test_an_image_can_be_registered_from_a_snapshot_and_copied(sandbox: Sandbox, ec2: Any) -> None:
    """RegisterImage and CopyImage."""
    snapshot_id = completed(ec2, available(ec2))
    devices = [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot_id}}]
    made = ec2.register_image(Name="restored", RootDeviceName="/dev/xvda", BlockDeviceMappings=devices)["ImageId"]
    assert image(ec2, made)["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] == 8
    other = sandbox.client(region="eu-west-1")
    copied = other.copy_image(SourceImageId=made, SourceRegion="us-east-1", Name="restored")["ImageId"]
    eventually(lambda: image(other, copied)["State"] == "available")
    assert image(other, copied)["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"] != snapshot_id
    nothing = {"Name": "empty", "RootDeviceName": "/dev/xvda"}
    assert refused(ec2.register_image, **nothing)[0] == "InvalidBlockDeviceMapping"


def test_images_of_others_cannot_be_deregistered(ec2: Any, image_id: str) -> None:
    """Debian's image stays."""
    assert refused(ec2.deregister_image, ImageId=image_id)[0] == "AuthFailure"
    assert image(ec2, image_id)["Public"] is True


def test_a_copy_is_encrypted_if_asked_to_or_if_the_source_is(ec2: Any) -> None:
    """Never the other way round; a key needs Encrypted, and what is not complete cannot be copied."""
    source = completed(ec2, available(ec2))
    request = {"SourceRegion": "us-east-1", "SourceSnapshotId": source}
    plain = ec2.copy_snapshot(**request)["SnapshotId"]
    secret = ec2.copy_snapshot(**request, Encrypted=True)["SnapshotId"]
    assert [snapshot(ec2, one)["Encrypted"] for one in (plain, secret)] == [False, True]
    eventually(lambda: snapshot(ec2, secret)["State"] == "completed")
    again = ec2.copy_snapshot(SourceRegion="us-east-1", SourceSnapshotId=secret)["SnapshotId"]
    assert snapshot(ec2, again)["Encrypted"] is True
    assert refused(ec2.copy_snapshot, **request, KmsKeyId="key-1")[0] == "InvalidParameterDependency"


def test_a_pending_snapshot_cannot_be_copied(sandbox: Sandbox, ec2: Any) -> None:
    """IncorrectState, as on AWS."""
    volume_id = available(ec2)
    with sandbox.held():
        pending = ec2.create_snapshot(VolumeId=volume_id)["SnapshotId"]
        assert refused(ec2.copy_snapshot, SourceRegion="us-east-1", SourceSnapshotId=pending)[0] == "IncorrectState"


def test_an_image_copied_twice_under_one_token_is_one_copy_and_its_description_can_change(ec2: Any) -> None:
    """CopyImage with ClientToken and Encrypted; ModifyImageAttribute."""
    disk = [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": completed(ec2, available(ec2))}}]
    source = ec2.register_image(Name="source", RootDeviceName="/dev/xvda", BlockDeviceMappings=disk)["ImageId"]
    request = {"SourceImageId": source, "SourceRegion": "us-east-1", "Name": "copy", "Encrypted": True, "ClientToken": "t"}
    first, second = (ec2.copy_image(**request)["ImageId"] for _ in range(2))
    assert first == second
    assert image(ec2, first)["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True
    ec2.modify_image_attribute(ImageId=first, Description={"Value": "tested"})
    assert image(ec2, first)["Description"] == "tested"


def test_sharing_is_shown(ec2: Any) -> None:
    """Accounts and everybody, of snapshots and images."""
    made = completed(ec2, available(ec2))
    share = {"Attribute": "createVolumePermission", "SnapshotId": made}
    ec2.modify_snapshot_attribute(**share, OperationType="add", UserIds=["210987654321"])
    assert ec2.describe_snapshot_attribute(**share)["CreateVolumePermissions"] == [{"UserId": "210987654321"}]
    ec2.modify_snapshot_attribute(**share, OperationType="remove", UserIds=["210987654321"])
    assert ec2.describe_snapshot_attribute(**share)["CreateVolumePermissions"] == []
