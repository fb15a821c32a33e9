# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the facts of an inventory are made of, by the shapes of the API's answers: nothing else of an answer is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..module_utils.aws.wire import Needed


def _all(*names: str, **inner: Needed) -> dict[str, Any]:
    """Members with all that is in them, and members of which only a part is needed."""
    return {**dict.fromkeys(names), **inner}


_GROUPS = _all("GroupId", "GroupName")
INSTANCE = _all(
    *("InstanceId", "ImageId", "State", "InstanceType", "PublicIpAddress", "PrivateIpAddress", "PublicDnsName", "PrivateDnsName"),
    *("KeyName", "VpcId", "SubnetId", "LaunchTime", "Tags", "RootDeviceName", "EbsOptimized"),
    IamInstanceProfile=_all("Arn"),
    Monitoring=_all("State"),
    Placement=_all("AvailabilityZone", "AvailabilityZoneId"),
    SecurityGroups=_GROUPS,
    BlockDeviceMappings=_all("DeviceName", Ebs=_all("VolumeId")),
    NetworkInterfaces=_all(Attachment=_all("DeviceIndex"), Groups=_GROUPS),
)
VOLUME = _all(
    *("VolumeId", "State", "Size", "VolumeType", "Iops", "Throughput", "Encrypted", "KmsKeyId", "SnapshotId", "Tags"),
    *("AvailabilityZone", "AvailabilityZoneId", "MultiAttachEnabled"),
    Attachments=_all("InstanceId", "Device", "State", "DeleteOnTermination"),
)
_VOLUMES = _all("NextToken", Volumes=VOLUME)


def answers(whole: bool) -> Mapping[str, Needed]:
    """What is read of which answer; `whole` for instances of which everything may be asked."""
    instances = None if whole else INSTANCE
    reservations = _all("OwnerId", "RequesterId", "ReservationId", Instances=instances)
    return {"DescribeInstancesResult": _all("NextToken", Reservations=reservations), "DescribeVolumesResult": _VOLUMES}
