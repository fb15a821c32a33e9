# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The XML that the sandbox writes by itself reads like moto's."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.parsers import create_parser
from botocore.session import get_session
from moto.core.serialize import EC2Serializer, XFormedAttributePicker, return_if_not_empty
from moto.core.utils import get_service_model

from sandbox.ec2.xml import Document

TRANSFORMERS = {"Instances.Instance.Tags": return_if_not_empty}
INSTANCE = {
    "InstanceId": "i-1",
    "AmiLaunchIndex": 0,
    "EbsOptimized": False,
    "LaunchTime": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    "Tags": [],
    "SecurityGroups": [{"GroupId": "sg-1", "GroupName": 'a <b> & "c"'}],
    "BlockDeviceMappings": [SimpleNamespace(device_name="/dev/xvda", ebs=SimpleNamespace(volume_id="vol-1", status="attached"))],
    "Placement": SimpleNamespace(availability_zone="us-east-1a", group_name=""),
    "HibernationOptions": {},
    "NetworkInterfaces": [{}, {"NetworkInterfaceId": "eni-1", "Groups": []}],
}


class Volume:
    """Has its id under a name that only its class explains."""

    id = "vol-1"
    size = "8"
    encrypted = "true"
    attachments = ()
    kms_key_id = None


def parsed(action: str, body: str) -> dict[str, Any]:
    """What a client reads."""
    shape = get_session().get_service_model("ec2").operation_model(action).output_shape
    read = create_parser("ec2").parse({"body": body.encode(), "headers": {}, "status_code": 200}, shape)
    return {key: value for key, value in read.items() if key != "ResponseMetadata"}


@pytest.mark.parametrize(
    ("action", "result"),
    [
        ("DescribeInstances", {"Reservations": [{"ReservationId": "r-1", "Groups": [], "Instances": [INSTANCE]}], "NextToken": None}),
        ("DescribeInstances", {"Reservations": [], "NextToken": "more"}),
        ("DescribeVolumes", {"Volumes": [Volume(), {"VolumeId": "vol-2", "Size": 3}]}),
        ("DescribeTags", {"Tags": [{"resource_id": "i-1", "key": "a", "value": "é", "resource_type": "instance"}]}),
    ],
)
def test_a_client_reads_the_same_from_both(action: str, result: dict[str, Any]) -> None:
    """Dictionaries, objects, empty lists and structures, times, booleans, special characters."""
    operation = get_service_model("ec2").operation_model(action)
    picker = XFormedAttributePicker(response_transformers=TRANSFORMERS)
    slow = EC2Serializer(operation_model=operation, value_picker=picker).serialize(result)["body"]
    fast = Document(operation, TRANSFORMERS).write(result, "request")
    assert parsed(action, fast) == parsed(action, slow)
    assert parsed(action, fast)


def test_characters_that_xml_cannot_hold_are_left_out() -> None:
    """Or one strange byte would make a whole answer unreadable."""
    operation = get_service_model("ec2").operation_model("DescribeTags")
    body = Document(operation, {}).write({"Tags": [{"key": "a", "value": "x\x1b[0m\x00y\tz"}]}, "request")
    assert parsed("DescribeTags", body)["Tags"][0]["Value"] == "x[0my\tz"


def test_the_time_of_a_snapshot_has_milliseconds() -> None:
    """As EC2's has, where moto writes whole seconds; or two of one second would have no order."""
    times = [datetime(2026, 1, 2, 3, 4, 5, thousandths * 1000, tzinfo=UTC) for thousandths in (0, 120, 121)]
    operation = get_service_model("ec2").operation_model("DescribeSnapshots")
    body = Document(operation, {}).write({"Snapshots": [{"StartTime": one} for one in times]}, "request")
    assert [one["StartTime"] for one in parsed("DescribeSnapshots", body)["Snapshots"]] == times
