# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Instances of the sandbox have the states, errors and tags that clients rely on at EC2."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.integration.sandbox_cloud.aws import attached, available, instance, launch, refused, running, volume, wait_state
from tests.support.sandbox import Sandbox, eventually

MISSING = "00000000000000000"


def test_a_launch_is_pending_first_and_running_later(ec2: Any, image_id: str) -> None:
    """Clients that do not wait must meet an instance that is not ready."""
    answer = launch(ec2, image_id)
    assert answer["State"]["Name"] == "pending"
    wait_state(ec2, answer["InstanceId"], "running")


def test_every_passing_state_is_seen_on_the_way_to_stopped_and_terminated(ec2: Any, image_id: str) -> None:
    """stopping, pending and shutting-down are states of their own, and each call says what was before."""
    instance_id = running(ec2, image_id)
    change = ec2.stop_instances(InstanceIds=[instance_id])["StoppingInstances"][0]
    assert (change["PreviousState"]["Name"], change["CurrentState"]["Name"]) == ("running", "stopping")
    wait_state(ec2, instance_id, "stopped")
    assert instance(ec2, instance_id)["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
    change = ec2.start_instances(InstanceIds=[instance_id])["StartingInstances"][0]
    assert (change["PreviousState"]["Name"], change["CurrentState"]["Name"]) == ("stopped", "pending")
    wait_state(ec2, instance_id, "running")
    assert "StateReason" not in instance(ec2, instance_id)
    change = ec2.terminate_instances(InstanceIds=[instance_id])["TerminatingInstances"][0]
    assert change["CurrentState"]["Name"] == "shutting-down"
    wait_state(ec2, instance_id, "terminated")


def test_stopping_again_and_terminating_again_are_no_errors(ec2: Any, image_id: str) -> None:
    """A client that repeats a call because it lost the answer gets on."""
    instance_id = running(ec2, image_id)
    ec2.stop_instances(InstanceIds=[instance_id])
    change = ec2.stop_instances(InstanceIds=[instance_id])["StoppingInstances"][0]
    assert change["CurrentState"]["Name"] in ("stopping", "stopped")
    wait_state(ec2, instance_id, "stopped")
    ec2.terminate_instances(InstanceIds=[instance_id])
    wait_state(ec2, instance_id, "terminated")
    ec2.terminate_instances(InstanceIds=[instance_id])
    assert refused(ec2.start_instances, InstanceIds=[instance_id])[0] == "IncorrectInstanceState"


def test_status_checks_pass_after_the_instance_answers(ec2: Any, image_id: str) -> None:
    """The instance_status_ok waiter works."""
    instance_id = running(ec2, image_id)

    def status() -> str:
        found = ec2.describe_instance_status(InstanceIds=[instance_id])["InstanceStatuses"]
        return str(found[0]["InstanceStatus"]["Status"]) if found else "none"

    assert status() in ("initializing", "ok")
    eventually(lambda: status() == "ok")
    ec2.stop_instances(InstanceIds=[instance_id])
    wait_state(ec2, instance_id, "stopped")
    assert status() == "none"
    shown = ec2.describe_instance_status(InstanceIds=[instance_id], IncludeAllInstances=True)["InstanceStatuses"][0]
    assert shown["InstanceStatus"]["Status"] == "not-applicable"


def test_tags_given_at_launch_are_on_instance_volume_and_interface(ec2: Any, image_id: str) -> None:
    """TagSpecifications count for all that the launch makes."""
    kinds = ("instance", "volume", "network-interface")
    tags = [{"ResourceType": kind, "Tags": [{"Key": "kind", "Value": kind}]} for kind in kinds]
    made = instance(ec2, running(ec2, image_id, TagSpecifications=tags))
    volume_id = made["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    nic = ec2.describe_network_interfaces(NetworkInterfaceIds=[made["NetworkInterfaces"][0]["NetworkInterfaceId"]])
    assert made["Tags"] == [{"Key": "kind", "Value": "instance"}]
    assert volume(ec2, volume_id)["Tags"] == [{"Key": "kind", "Value": "volume"}]
    assert nic["NetworkInterfaces"][0]["TagSet"] == [{"Key": "kind", "Value": "network-interface"}]


def test_a_tag_on_something_that_a_launch_does_not_make_is_refused(ec2: Any, image_id: str) -> None:
    """A wrong resource type is not ignored."""
    tags = [{"ResourceType": "snapshot", "Tags": [{"Key": "a", "Value": "b"}]}]
    options = {"ImageId": image_id, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    assert refused(ec2.run_instances, **options, TagSpecifications=tags)[0] == "InvalidParameterValue"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"ImageId": f"ami-{MISSING}"}, "InvalidAMIID.NotFound"),
        ({"ImageId": "debian"}, "InvalidAMIID.Malformed"),
        ({"KeyName": "nobody"}, "InvalidKeyPair.NotFound"),
        ({"InstanceType": "t99.huge"}, "InvalidParameterValue"),
        ({"InstanceType": "t4g.micro"}, "InvalidParameterValue"),
        ({"SecurityGroupIds": [f"sg-{MISSING}"]}, "InvalidGroup.NotFound"),
        ({"SecurityGroups": ["nobody"]}, "InvalidGroup.NotFound"),
        ({"Placement": {"AvailabilityZone": "us-east-1z"}}, "InvalidParameterValue"),
        ({"Placement": {"AvailabilityZoneId": "use1-az99"}}, "InvalidParameterValue"),
        ({"SubnetId": f"subnet-{MISSING}"}, "InvalidSubnetID.NotFound"),
        ({"MinCount": 2, "MaxCount": 1}, "InvalidParameterCombination"),
        ({"UserData": "x" * 17000}, "InvalidParameterValue"),
        ({"BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 1}}]}, "InvalidBlockDeviceMapping"),
        ({"BlockDeviceMappings": [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeType": "gp3"}}]}, "MissingParameter"),
    ],
)
def test_a_launch_with_something_wrong_makes_nothing(ec2: Any, image_id: str, options: dict[str, Any], code: str) -> None:
    """The error is EC2's, and no instance or volume is left behind."""
    request = {"ImageId": image_id, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1, **options}
    assert refused(ec2.run_instances, **request)[0] == code
    assert ec2.describe_instances()["Reservations"] == []
    assert ec2.describe_volumes()["Volumes"] == []


def test_a_zone_can_be_named_by_its_id(ec2: Any, image_id: str) -> None:
    """Zone ids are the same for all accounts, letters are not."""
    zones = {z["ZoneId"]: z["ZoneName"] for z in ec2.describe_availability_zones()["AvailabilityZones"]}
    made = launch(ec2, image_id, Placement={"AvailabilityZoneId": "use1-az1"})
    assert made["Placement"]["AvailabilityZone"] == zones["use1-az1"]
    assert made["Placement"]["AvailabilityZoneId"] == "use1-az1"


def test_as_many_instances_start_as_there_is_room_for(ec2: Any, image_id: str) -> None:
    """MaxCount instances in one reservation, numbered."""
    made = ec2.run_instances(ImageId=image_id, InstanceType="t3.micro", MinCount=1, MaxCount=3)["Instances"]
    assert [entry["AmiLaunchIndex"] for entry in made] == [0, 1, 2]
    assert len({entry["PublicIpAddress"] for entry in made}) == 3


def test_without_a_group_the_default_one_is_used(ec2: Any, image_id: str) -> None:
    """Both the instance and its interface show it."""
    made = launch(ec2, image_id)
    assert [group["GroupName"] for group in made["SecurityGroups"]] == ["default"]
    assert made["NetworkInterfaces"][0]["Groups"] == made["SecurityGroups"]


def test_groups_can_be_exchanged_and_sit_on_the_interface(ec2: Any, image_id: str) -> None:
    """The new set replaces the old one in every view."""
    groups = [ec2.create_security_group(GroupName=name, Description="d")["GroupId"] for name in ("a", "b")]
    instance_id = running(ec2, image_id, SecurityGroupIds=groups[:1])
    ec2.modify_instance_attribute(InstanceId=instance_id, Groups=groups[1:])
    made = instance(ec2, instance_id)
    assert [group["GroupId"] for group in made["SecurityGroups"]] == groups[1:]
    nic = ec2.describe_network_interfaces()["NetworkInterfaces"][0]
    assert [group["GroupId"] for group in nic["Groups"]] == groups[1:]
    assert refused(ec2.delete_security_group, GroupId=groups[1])[0] == "DependencyViolation"
    ec2.delete_security_group(GroupId=groups[0])
    unknown = refused(ec2.modify_instance_attribute, InstanceId=instance_id, Groups=[groups[0]])
    assert unknown[0] == "InvalidGroup.NotFound"


def test_type_and_user_data_change_only_while_stopped(ec2: Any, image_id: str) -> None:
    """A running instance refuses, a stopped one shows the new value."""
    instance_id = running(ec2, image_id)
    change = {"InstanceId": instance_id, "InstanceType": {"Value": "t3.small"}}
    data = {"InstanceId": instance_id, "UserData": {"Value": b"#!/bin/sh\n"}}
    assert refused(ec2.modify_instance_attribute, **change)[0] == "IncorrectInstanceState"
    assert refused(ec2.modify_instance_attribute, **data)[0] == "IncorrectInstanceState"
    ec2.stop_instances(InstanceIds=[instance_id])
    wait_state(ec2, instance_id, "stopped")
    ec2.modify_instance_attribute(**change)
    ec2.modify_instance_attribute(**data)
    assert instance(ec2, instance_id)["InstanceType"] == "t3.small"
    shown = ec2.describe_instance_attribute(InstanceId=instance_id, Attribute="userData")["UserData"]["Value"]
    assert base64.b64decode(shown) == b"#!/bin/sh\n"


def test_a_protected_instance_is_not_terminated_until_released(ec2: Any, image_id: str) -> None:
    """disableApiTermination refuses the whole call, also for the others named in it."""
    first, second = running(ec2, image_id), running(ec2, image_id)
    ec2.modify_instance_attribute(InstanceId=first, DisableApiTermination={"Value": True})
    assert refused(ec2.terminate_instances, InstanceIds=[second, first])[0] == "OperationNotPermitted"
    assert instance(ec2, second)["State"]["Name"] == "running"
    ec2.modify_instance_attribute(InstanceId=first, DisableApiTermination={"Value": False})
    ec2.terminate_instances(InstanceIds=[first])


def test_volumes_go_with_their_instance_only_if_they_are_meant_to(ec2: Any, image_id: str) -> None:
    """DeleteOnTermination: true for the root volume, false for one attached later, as changed by the user."""
    extra = [{"DeviceName": "/dev/sdg", "Ebs": {"VolumeSize": 3, "DeleteOnTermination": False}}]
    instance_id = running(ec2, image_id, BlockDeviceMappings=extra)
    added = available(ec2)
    ec2.attach_volume(VolumeId=added, InstanceId=instance_id, Device="/dev/sdf")
    eventually(lambda: attached(ec2, added)[0][2] == "attached")
    devices = {m["DeviceName"]: m["Ebs"] for m in instance(ec2, instance_id)["BlockDeviceMappings"]}
    kept = devices["/dev/sdg"]["VolumeId"]
    assert {name: ebs["DeleteOnTermination"] for name, ebs in devices.items()} == {
        "/dev/xvda": True,
        "/dev/sdg": False,
        "/dev/sdf": False,
    }
    change = [{"DeviceName": "/dev/sdf", "Ebs": {"DeleteOnTermination": True}}]
    ec2.modify_instance_attribute(InstanceId=instance_id, BlockDeviceMappings=change)
    ec2.terminate_instances(InstanceIds=[instance_id])
    eventually(lambda: [v["VolumeId"] for v in ec2.describe_volumes()["Volumes"]] == [kept])
    assert volume(ec2, kept)["State"] == "available"
    assert ec2.describe_network_interfaces()["NetworkInterfaces"] == []


def test_the_root_volume_takes_the_wishes_of_the_launch(ec2: Any, image_id: str) -> None:
    """Size, type and performance of the image's device are changed, the rest of the image's mapping stays."""
    ebs = {"VolumeSize": 20, "VolumeType": "gp3", "Iops": 4000, "Throughput": 250}
    made = launch(ec2, image_id, BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": ebs}])
    root = volume(ec2, made["BlockDeviceMappings"][0]["Ebs"]["VolumeId"])
    assert (root["Size"], root["VolumeType"], root["Iops"], root["Throughput"]) == (20, "gp3", 4000, 250)
    assert root["Attachments"][0]["DeleteOnTermination"] is True


def test_metadata_options_are_kept_and_changed_one_by_one(ec2: Any, image_id: str) -> None:
    """Changing the hop limit does not take IMDSv2 back."""
    instance_id = running(ec2, image_id, MetadataOptions={"HttpTokens": "required"})
    ec2.modify_instance_metadata_options(InstanceId=instance_id, HttpPutResponseHopLimit=2)
    options = instance(ec2, instance_id)["MetadataOptions"]
    assert (options["HttpTokens"], options["HttpPutResponseHopLimit"]) == ("required", 2)


def test_instances_are_found_by_filters_with_wildcards(ec2: Any, image_id: str) -> None:
    """Tags, states, addresses; an unknown filter is an error, not ignored."""
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web-1"}, {"Key": "env", "Value": "dev"}]}]
    wanted = running(ec2, image_id, TagSpecifications=tags)
    running(ec2, image_id)

    def found(**filters: list[str]) -> list[str]:
        listed = [{"Name": name.replace("__", ":"), "Values": values} for name, values in filters.items()]
        reservations = ec2.describe_instances(Filters=listed)["Reservations"]
        return [entry["InstanceId"] for reservation in reservations for entry in reservation["Instances"]]

    assert found(tag__Name=["web-*"], **{"instance-state-name": ["running"]}) == [wanted]
    assert found(**{"tag-key": ["env"]}) == [wanted]
    assert found(**{"ip-address": [instance(ec2, wanted)["PublicIpAddress"]]}) == [wanted]
    assert found(tag__Name=["db-?"]) == []
    bad = refused(ec2.describe_instances, Filters=[{"Name": "colour", "Values": ["red"]}])
    assert bad[0] == "InvalidParameterValue"


def test_lists_come_in_pages(ec2: Any, image_id: str) -> None:
    """Each instance exactly once, however small the page."""
    for _ in range(5):
        launch(ec2, image_id)
    pages = list(ec2.get_paginator("describe_instances").paginate(PaginationConfig={"PageSize": 2}))
    ids = [i["InstanceId"] for page in pages for r in page["Reservations"] for i in r["Instances"]]
    assert (len(pages), len(ids), len(set(ids))) == (3, 5, 5)
    assert refused(ec2.describe_instances, NextToken="nonsense")[0] == "InvalidParameterValue"


def test_unknown_instances_are_named_in_the_error(ec2: Any) -> None:
    """InvalidInstanceID.NotFound, as clients expect it after a launch."""
    code, message = refused(ec2.describe_instances, InstanceIds=[f"i-{MISSING}"])
    assert (code, message) == ("InvalidInstanceID.NotFound", f"The instance ID 'i-{MISSING}' does not exist")


def test_a_dry_run_changes_nothing_and_is_no_write(sandbox: Sandbox, ec2: Any, image_id: str) -> None:
    """DryRun is answered by DryRunOperation."""
    before = sandbox.call_count
    options = {"ImageId": image_id, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    assert refused(ec2.run_instances, **options, DryRun=True)[0] == "DryRunOperation"
    assert sandbox.writes(before) == []
    assert ec2.describe_instances()["Reservations"] == []


def test_regions_do_not_see_each_other_but_offer_the_same_image(sandbox: Sandbox, ec2: Any, image_id: str) -> None:
    """Each region has its own image id, always the same one."""
    other = sandbox.client(region="eu-west-1")
    launch(ec2, image_id)
    images = other.describe_images(Owners=["136693071363"], Filters=[{"Name": "name", "Values": ["debian-12-amd64-*"]}])
    assert len(images["Images"]) == 1
    assert images["Images"][0]["ImageId"] != image_id
    assert other.describe_instances()["Reservations"] == []
    assert refused(sandbox.client(region="mars-north-1").describe_instances)[0] == "AuthFailure"


@pytest.mark.parametrize(
    ("address", "code", "words"),
    [
        ("10.9.9.9", "InvalidParameterValue", "does not fall within"),
        ("172.31.0.2", "InvalidParameterValue", "reserved"),
        ("nonsense", "InvalidParameterValue", "invalid value"),
        ("172.31.0.50", "InvalidIPAddress.InUse", "in use"),
    ],
)
def test_a_private_address_is_one_of_the_subnet_and_free(ec2: Any, image_id: str, address: str, code: str, words: str) -> None:
    """As AWS refuses it, and nothing is launched."""
    subnet = next(one for one in ec2.describe_subnets()["Subnets"] if one["CidrBlock"] == "172.31.0.0/20")["SubnetId"]
    ec2.create_network_interface(SubnetId=subnet, PrivateIpAddress="172.31.0.50")
    launch_there = {"InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1, "SubnetId": subnet, "PrivateIpAddress": address}
    found, message = refused(ec2.run_instances, ImageId=image_id, **launch_there)
    assert (found, words in message) == (code, True)
    assert ec2.describe_instances()["Reservations"] == []
