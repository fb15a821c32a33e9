# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What tests and people use besides the API: the log of calls, faults, reset, status."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from sandbox.trouble import SandboxError
from tests.integration.sandbox_cloud.aws import launch, refused, running
from tests.support.sandbox import Sandbox, eventually


def test_every_call_is_counted_and_told_apart_by_what_it_does(sandbox: Sandbox, ec2: Any, image_id: str) -> None:
    """Reading, writing, failing, and calls of other services."""
    before = sandbox.call_count
    ec2.describe_instances()
    launch(ec2, image_id)
    refused(ec2.create_security_group, GroupName="default", Description="d")
    sandbox.client("sts").get_caller_identity()
    calls = sandbox.calls(before)
    shown = [(call["service"], call["action"], call["write"], call["status"], call["error"]) for call in calls]
    assert shown == [
        ("ec2", "DescribeInstances", False, 200, ""),
        ("ec2", "RunInstances", True, 200, ""),
        ("ec2", "CreateSecurityGroup", False, 400, "InvalidGroup.Duplicate"),
        ("sts", "GetCallerIdentity", False, 200, ""),
    ]
    assert sandbox.writes(before) == ["RunInstances"]


def test_the_log_of_calls_is_a_file_of_json_lines(sandbox: Sandbox, ec2: Any) -> None:
    """One line for a call, with region and duration."""
    ec2.describe_regions()
    lines = [json.loads(line) for line in (sandbox.directory / "calls.jsonl").read_text().splitlines()]
    assert (lines[-1]["action"], lines[-1]["region"]) == ("DescribeRegions", "us-east-1")
    assert lines[-1]["seconds"] >= 0
    assert [line["number"] for line in lines] == list(range(1, len(lines) + 1))


def test_a_reset_leaves_an_empty_account(sandbox: Sandbox, ec2: Any, image_id: str) -> None:
    """No instance, volume, key, group, address or fault; the image has its id again."""
    running(ec2, image_id)
    ec2.create_key_pair(KeyName="k")
    ec2.allocate_address()
    sandbox.faults(throttle=1)
    sandbox.reset()
    assert ec2.describe_instances()["Reservations"] == []
    assert ec2.describe_volumes()["Volumes"] == []
    assert ec2.describe_key_pairs()["KeyPairs"] == []
    assert ec2.describe_addresses()["Addresses"] == []
    assert ec2.describe_images()["Images"][0]["ImageId"] == image_id


def test_too_many_calls_are_throttled_by_action(sandbox: Sandbox, ec2: Any) -> None:
    """RequestLimitExceeded with a status that botocore retries; other actions go on."""
    sandbox.faults(throttle=0.01, throttle_burst=2)
    before = sandbox.call_count
    ec2.describe_instances()
    ec2.describe_instances()
    with pytest.raises(ClientError, match="RequestLimitExceeded"):
        ec2.describe_instances()
    ec2.describe_volumes()
    errors = [call["error"] for call in sandbox.calls(before) if call["action"] == "DescribeInstances"]
    assert errors[:2] == ["", ""]
    assert set(errors[2:]) == {"RequestLimitExceeded"}


def test_a_lost_response_is_a_call_that_happened(sandbox: Sandbox, ec2: Any) -> None:
    """botocore repeats it, and without a token the thing is there twice, as it would be on AWS."""
    sandbox.faults(lose_responses=1)
    try:
        ec2.allocate_address()
    except ConnectionClosedError:
        ec2.allocate_address()
    assert len(ec2.describe_addresses()["Addresses"]) == 2


def test_what_was_just_made_is_not_found_for_a_while(sandbox: Sandbox, ec2: Any, image_id: str) -> None:
    """Neither listed, nor by its id, nor for a tag; then it is there."""
    sandbox.faults(read_lag=5)
    instance_id = launch(ec2, image_id)["InstanceId"]
    assert ec2.describe_instances()["Reservations"] == []
    assert refused(ec2.describe_instances, InstanceIds=[instance_id])[0] == "InvalidInstanceID.NotFound"
    tags = {"Resources": [instance_id], "Tags": [{"Key": "a", "Value": "b"}]}
    assert refused(ec2.create_tags, **tags)[0] == "InvalidInstanceID.NotFound"
    eventually(lambda: ec2.describe_instances()["Reservations"])
    ec2.create_tags(**tags)


def test_a_launch_without_capacity_makes_nothing(sandbox: Sandbox, ec2: Any, image_id: str) -> None:
    """InsufficientInstanceCapacity in one zone, while another one has room."""
    sandbox.faults(no_capacity="us-east-1a")
    options = {"ImageId": image_id, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    code, _ = refused(ec2.run_instances, **options, Placement={"AvailabilityZone": "us-east-1a"})
    assert code == "InsufficientInstanceCapacity"
    launch(ec2, image_id, Placement={"AvailabilityZone": "us-east-1b"})


def test_an_unknown_fault_is_refused(sandbox: Sandbox) -> None:
    """With the names that there are."""
    with pytest.raises(SandboxError, match=r"no such fault: rain; there are throttle"):
        sandbox.faults(rain=1)


def test_status_names_what_there_is(sandbox: Sandbox, ec2: Any, image_id: str) -> None:
    """The shape that playbooks and people rely on."""
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]}]
    instance_id = running(ec2, image_id, TagSpecifications=tags)
    status = sandbox.status()
    assert (status["endpoint"], status["region"], status["api_only"]) == (sandbox.endpoint, "us-east-1", True)
    (shown,) = status["instances"]
    assert (shown["id"], shown["name"], shown["state"], shown["user"]) == (instance_id, "web", "running", "admin")
    (root,) = shown["volumes"]
    assert (root["device"], root["size"], root["root"]) == ("/dev/xvda", 8, True)


def test_what_the_sandbox_does_not_do_is_said(ec2: Any) -> None:
    """UnsupportedOperation with the name of the call, not a crash that a client would repeat."""
    code, message = refused(ec2.enable_volume_io, VolumeId="vol-00000000000000000")
    assert code == "UnsupportedOperation"
    assert "EnableVolumeIO" in message
