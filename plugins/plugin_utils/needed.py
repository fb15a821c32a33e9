# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the facts of an inventory are made of, in the forms of the API's answers: nothing else of an answer is read.

These are extracts of botocore's own description of EC2; a test compares them with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from ..module_utils.aws.client import output_shape
from ..module_utils.aws.wire import Form, Reader, form_of

Structure = dict[str, tuple[str, Form]]


def _texts(**tags: str) -> Structure:
    """Members that are text, with their tags in the answer."""
    return {name: (tag, "string") for name, tag in tags.items()}


_TAGS: Form = [_texts(Key="key", Value="value")]
_GROUPS: Form = [_texts(GroupId="groupId", GroupName="groupName")]
_MAPPINGS: Form = [{**_texts(DeviceName="deviceName"), "Ebs": ("ebs", _texts(VolumeId="volumeId"))}]
_INTERFACES: Form = [{"Attachment": ("attachment", {"DeviceIndex": ("deviceIndex", "integer")}), "Groups": ("groupSet", _GROUPS)}]
_ZONE = _texts(AvailabilityZone="availabilityZone", AvailabilityZoneId="availabilityZoneId")

INSTANCE: Structure = {
    **_texts(InstanceId="instanceId", ImageId="imageId", InstanceType="instanceType", KeyName="keyName", VpcId="vpcId"),
    **_texts(PublicIpAddress="ipAddress", PrivateIpAddress="privateIpAddress", PublicDnsName="dnsName", PrivateDnsName="privateDnsName"),
    **_texts(SubnetId="subnetId", RootDeviceName="rootDeviceName"),
    "State": ("instanceState", _texts(Name="name")),
    "LaunchTime": ("launchTime", "timestamp"),
    "EbsOptimized": ("ebsOptimized", "boolean"),
    "IamInstanceProfile": ("iamInstanceProfile", _texts(Arn="arn")),
    "Monitoring": ("monitoring", _texts(State="state")),
    "Placement": ("placement", _ZONE),
    "SecurityGroups": ("groupSet", _GROUPS),
    "BlockDeviceMappings": ("blockDeviceMapping", _MAPPINGS),
    "NetworkInterfaces": ("networkInterfaceSet", _INTERFACES),
    "Tags": ("tagSet", _TAGS),
}
_ATTACHMENT: Structure = {
    **_texts(InstanceId="instanceId", Device="device", State="status"),
    "DeleteOnTermination": ("deleteOnTermination", "boolean"),
}
VOLUME: Structure = {
    **_texts(VolumeId="volumeId", State="status", VolumeType="volumeType", KmsKeyId="kmsKeyId", SnapshotId="snapshotId"),
    **_ZONE,
    **{name: (tag, "integer") for name, tag in (("Size", "size"), ("Iops", "iops"), ("Throughput", "throughput"))},
    **{name: (tag, "boolean") for name, tag in (("Encrypted", "encrypted"), ("MultiAttachEnabled", "multiAttachEnabled"))},
    "Attachments": ("attachmentSet", [_ATTACHMENT]),
    "Tags": ("tagSet", _TAGS),
}
_ADDRESS: Structure = {
    **_texts(AllocationId="allocationId", PublicIp="publicIp", AssociationId="associationId", InstanceId="instanceId"),
    **_texts(PrivateIpAddress="privateIpAddress"),
    "Tags": ("tagSet", _TAGS),
}
_RESERVATION = _texts(OwnerId="ownerId", RequesterId="requesterId", ReservationId="reservationId")
_PAGE = _texts(NextToken="nextToken")

FORMS: Mapping[str, Structure] = {
    "DescribeInstances": {**_PAGE, "Reservations": ("reservationSet", [{**_RESERVATION, "Instances": ("instancesSet", [INSTANCE])}])},
    "DescribeVolumes": {**_PAGE, "Volumes": ("volumeSet", [VOLUME])},
    "DescribeAddresses": {"Addresses": ("addressesSet", [_ADDRESS])},
    "DescribeAvailabilityZones": {"AvailabilityZones": ("availabilityZoneInfo", [_texts(ZoneName="zoneName", ZoneId="zoneId")])},
    "DescribeImages": {**_PAGE, "Images": ("imagesSet", [_texts(ImageId="imageId", Name="name")])},
    "DescribeRegions": {"Regions": ("regionInfo", [_texts(RegionName="regionName")])},
}


@lru_cache(maxsize=2)
def reader(whole: bool) -> Reader:
    """The reader of all answers that the inventory gets; `whole` for instances of which everything may be asked."""
    return Reader({**FORMS, "DescribeInstances": form_of(output_shape("DescribeInstances"))} if whole else FORMS)
