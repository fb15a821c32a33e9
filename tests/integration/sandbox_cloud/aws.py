# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Short words for what the tests here do all the time."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.sandbox import eventually

ZONE = "us-east-1a"


def launch(ec2: Any, image_id: str, **options: Any) -> dict[str, Any]:
    """One instance, as it is answered."""
    options = {"InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1, **options}
    return dict(ec2.run_instances(ImageId=image_id, **options)["Instances"][0])


def running(ec2: Any, image_id: str, **options: Any) -> str:
    """The id of one instance that has come to run."""
    instance_id = str(launch(ec2, image_id, **options)["InstanceId"])
    wait_state(ec2, instance_id, "running")
    return instance_id


def instance(ec2: Any, instance_id: str) -> dict[str, Any]:
    """One instance as it is now."""
    return dict(ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0])


def wait_state(ec2: Any, instance_id: str, state: str, timeout: float = 60) -> None:
    """Wait until an instance is in `state`."""
    eventually(lambda: instance(ec2, instance_id)["State"]["Name"] == state, timeout)


def volume(ec2: Any, volume_id: str) -> dict[str, Any]:
    """One volume as it is now."""
    return dict(ec2.describe_volumes(VolumeIds=[volume_id])["Volumes"][0])


def available(ec2: Any, **options: Any) -> str:
    """The id of a new volume that is ready to use."""
    made = ec2.create_volume(**{"AvailabilityZone": ZONE, "Size": 8, "VolumeType": "gp3", **options})
    wait_volume(ec2, made["VolumeId"], "available")
    return str(made["VolumeId"])


def wait_volume(ec2: Any, volume_id: str, state: str) -> None:
    """Wait until a volume is in `state`."""
    eventually(lambda: volume(ec2, volume_id)["State"] == state)


def attached(ec2: Any, volume_id: str) -> list[tuple[str, str, str]]:
    """(instance, device, state) of each attachment of a volume."""
    return [(a["InstanceId"], a["Device"], a["State"]) for a in volume(ec2, volume_id)["Attachments"]]


def refused(call: Any, **options: Any) -> tuple[str, str]:
    """Code and message with which a call is refused."""
    with pytest.raises(ClientError) as caught:
        call(**options)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]
