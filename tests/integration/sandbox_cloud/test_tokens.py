# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The same request under the same client token happens once."""

from __future__ import annotations

from typing import Any

from tests.integration.sandbox_cloud.aws import ZONE, refused, wait_state


def launch_options(image_id: str, token: str) -> dict[str, Any]:
    """A launch under a token."""
    return {"ImageId": image_id, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1, "ClientToken": token}


def test_a_repeated_launch_answers_with_the_instance_there_is(ec2: Any, image_id: str) -> None:
    """One instance, whose state is the present one."""
    options = launch_options(image_id, "token-1")
    first = ec2.run_instances(**options)["Instances"][0]
    wait_state(ec2, first["InstanceId"], "running")
    again = ec2.run_instances(**options)["Instances"][0]
    assert (again["InstanceId"], again["State"]["Name"], again["ClientToken"]) == (first["InstanceId"], "running", "token-1")
    assert len(ec2.describe_instances()["Reservations"]) == 1
    assert ec2.run_instances(**launch_options(image_id, "token-2"))["Instances"][0]["InstanceId"] != first["InstanceId"]


def test_another_launch_under_the_same_token_is_refused(ec2: Any, image_id: str) -> None:
    """IdempotentParameterMismatch."""
    ec2.run_instances(**launch_options(image_id, "token-1"))
    other = {**launch_options(image_id, "token-1"), "InstanceType": "t3.small"}
    assert refused(ec2.run_instances, **other)[0] == "IdempotentParameterMismatch"


def test_the_token_of_a_terminated_instance_is_spent(ec2: Any, image_id: str) -> None:
    """IdempotentInstanceTerminated."""
    options = launch_options(image_id, "token-1")
    instance_id = ec2.run_instances(**options)["Instances"][0]["InstanceId"]
    ec2.terminate_instances(InstanceIds=[instance_id])
    wait_state(ec2, instance_id, "terminated")
    assert refused(ec2.run_instances, **options)[0] == "IdempotentInstanceTerminated"


def test_a_repeated_create_volume_answers_with_the_volume_there_is(ec2: Any) -> None:
    """One volume; other parameters are refused."""
    options = {"AvailabilityZone": ZONE, "Size": 8, "ClientToken": "token-1"}
    first = ec2.create_volume(**options)["VolumeId"]
    assert ec2.create_volume(**options)["VolumeId"] == first
    assert refused(ec2.create_volume, **{**options, "Size": 9})[0] == "IdempotentParameterMismatch"
    assert len(ec2.describe_volumes()["Volumes"]) == 1


def test_a_refused_request_does_not_spend_its_token(ec2: Any, image_id: str) -> None:
    """Corrected, it may be sent under the same token."""
    wrong = {**launch_options(image_id, "token-1"), "KeyName": "nobody"}
    assert refused(ec2.run_instances, **wrong)[0] == "InvalidKeyPair.NotFound"
    ec2.run_instances(**launch_options(image_id, "token-1"))
