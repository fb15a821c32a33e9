# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The devices of a launch are those of the image, as the request changes them."""

from __future__ import annotations

import pytest

from sandbox.ec2.launch import merged_devices, tags_by_kind
from sandbox.errors import Ec2Error

ROOT = {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": "snap-1", "VolumeSize": 8, "DeleteOnTermination": True, "VolumeType": "gp3"}}


def test_without_wishes_the_image_decides() -> None:
    """And the image's own mapping is not handed out to be changed."""
    merged = merged_devices([ROOT], [])
    assert merged == [ROOT]
    assert merged[0]["Ebs"] is not ROOT["Ebs"]


def test_a_wish_changes_only_what_it_names() -> None:
    """A larger root volume keeps its snapshot and goes with the instance."""
    merged = merged_devices([ROOT], [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 20}}])
    assert merged == [{"DeviceName": "/dev/xvda", "Ebs": {**ROOT["Ebs"], "VolumeSize": 20}}]  # type: ignore[dict-item]


def test_a_further_device_goes_with_the_instance_unless_told_otherwise() -> None:
    """DeleteOnTermination is true by default at launch."""
    asked = [
        {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 5}},
        {"DeviceName": "/dev/sdg", "Ebs": {"VolumeSize": 5, "DeleteOnTermination": False}},
    ]
    kept = {device["DeviceName"]: device["Ebs"]["DeleteOnTermination"] for device in merged_devices([ROOT], asked)}
    assert kept == {"/dev/xvda": True, "/dev/sdf": True, "/dev/sdg": False}


def test_a_device_of_the_image_can_be_left_out() -> None:
    """NoDevice."""
    assert merged_devices([ROOT], [{"DeviceName": "/dev/xvda", "NoDevice": ""}]) == []


@pytest.mark.parametrize(
    ("device", "code"),
    [
        ({"Ebs": {"VolumeSize": 5}}, "MissingParameter"),
        ({"DeviceName": "/dev/sdf", "Ebs": {}}, "MissingParameter"),
        ({"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 7}}, "InvalidBlockDeviceMapping"),
    ],
)
def test_a_device_that_cannot_be_is_refused(device: dict[str, object], code: str) -> None:
    """No name, nothing to make it of, smaller than its snapshot."""
    with pytest.raises(Ec2Error) as caught:
        merged_devices([ROOT], [device])
    assert caught.value.code == code


def test_tags_are_sorted_by_what_they_are_for() -> None:
    """Two specifications for one kind add up."""
    specifications = [
        {"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "1"}]},
        {"ResourceType": "volume", "Tags": [{"Key": "b", "Value": "2"}]},
        {"ResourceType": "instance", "Tags": [{"Key": "c", "Value": "3"}]},
    ]
    sorted_tags = tags_by_kind({"TagSpecifications": specifications}, ["instance", "volume"])
    assert sorted_tags == {"instance": {"a": "1", "c": "3"}, "volume": {"b": "2"}}
