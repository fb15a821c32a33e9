# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the API says, in the words of this collection: one mapping per kind, for modules and inventory alike. Pure."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple

from ..aws import tags as tag_words

#: States of an instance that no longer counts as there.
GONE = ("shutting-down", "terminated")

_NO_MAPPING: Mapping[str, Any] = MappingProxyType({})


def key_pair(raw: Mapping[str, Any]) -> Dict[str, Any]:
    """A key pair: its public half, never more."""
    tags = tag_words.from_api(raw.get("Tags"))
    return {
        "id": raw.get("KeyPairId"),
        "name": raw["KeyName"],
        "type": raw.get("KeyType"),
        "fingerprint": raw.get("KeyFingerprint"),
        "public_key": (raw.get("PublicKey") or "").strip() or None,
        "tags": tags,
        "fleet": tags.get(tag_words.FLEET),
    }


def security_group(raw: Mapping[str, Any]) -> Dict[str, Any]:
    """A security group; its rules stay in the API's form, security_group.py reads them."""
    tags = tag_words.from_api(raw.get("Tags"))
    return {
        "id": raw["GroupId"],
        "name": raw["GroupName"],
        "description": raw.get("Description"),
        "vpc_id": raw.get("VpcId"),
        "owner_id": raw.get("OwnerId"),
        "ingress": list(raw.get("IpPermissions") or ()),
        "egress": list(raw.get("IpPermissionsEgress") or ()),
        "tags": tags,
        "fleet": tags.get(tag_words.FLEET),
    }


def volume(raw: Mapping[str, Any], zone_ids: Mapping[str, str] = _NO_MAPPING) -> Dict[str, Any]:
    """A volume with its attachment, if any."""
    tags = tag_words.from_api(raw.get("Tags"))
    attachment = _attachment(raw.get("Attachments") or ())
    zone = raw.get("AvailabilityZone")
    return {
        "id": raw["VolumeId"],
        "name": _declared_name(tags),
        "state": raw.get("State"),
        "size": raw.get("Size"),
        "type": raw.get("VolumeType"),
        "iops": raw.get("Iops"),
        "throughput": raw.get("Throughput"),
        "encrypted": bool(raw.get("Encrypted")),
        "kms_key_id": raw.get("KmsKeyId"),
        "snapshot_id": raw.get("SnapshotId") or None,
        "zone": zone,
        "zone_id": raw.get("AvailabilityZoneId") or zone_ids.get(zone or ""),
        "instance_id": attachment.get("InstanceId"),
        "device": attachment.get("Device"),
        "attachment": attachment.get("State"),
        "delete_on_termination": attachment.get("DeleteOnTermination"),
        "multi_attach": bool(raw.get("MultiAttachEnabled")),
        "attachments": _attachments(raw.get("Attachments") or ()),
        "tags": tags,
        "fleet": tags.get(tag_words.FLEET),
        "member": tags.get(tag_words.MEMBER),
    }


def elastic_ip(raw: Mapping[str, Any]) -> Dict[str, Any]:
    """An Elastic IP with the instance it points to, if any."""
    tags = tag_words.from_api(raw.get("Tags"))
    return {
        "id": raw.get("AllocationId"),
        "name": tags.get(tag_words.MEMBER) or tags.get(tag_words.NAME),
        "public_ip": raw.get("PublicIp"),
        "association_id": raw.get("AssociationId") or None,
        "instance_id": raw.get("InstanceId") or None,
        "network_interface_id": raw.get("NetworkInterfaceId") or None,
        "private_ip": raw.get("PrivateIpAddress") or None,
        "tags": tags,
        "fleet": tags.get(tag_words.FLEET),
        "member": tags.get(tag_words.MEMBER),
    }


def instance(
    raw: Mapping[str, Any],
    region: Optional[str] = None,
    zone_ids: Mapping[str, str] = _NO_MAPPING,
    volumes: Iterable[Mapping[str, Any]] = (),
    elastic_ips: Iterable[Mapping[str, Any]] = (),
) -> Dict[str, Any]:
    """An instance. `volumes` and `elastic_ips` are facts of this page; those of this instance are picked by its id."""
    tags = tag_words.from_api(raw.get("Tags"))
    instance_id = raw["InstanceId"]
    placement = raw.get("Placement") or {}
    zone = placement.get("AvailabilityZone")
    address = next((ip["public_ip"] for ip in elastic_ips if ip.get("instance_id") == instance_id), None)
    return {
        "id": instance_id,
        "name": tags.get(tag_words.NAME),
        "state": (raw.get("State") or {}).get("Name"),
        "image_id": raw.get("ImageId"),
        "instance_type": raw.get("InstanceType"),
        "zone": zone,
        "zone_id": placement.get("AvailabilityZoneId") or zone_ids.get(zone or ""),
        "region": region,
        "public_ip": raw.get("PublicIpAddress"),
        "private_ip": raw.get("PrivateIpAddress"),
        "public_dns": raw.get("PublicDnsName") or None,
        "private_dns": raw.get("PrivateDnsName") or None,
        "key_pair": raw.get("KeyName") or None,
        "security_groups": _groups(raw),
        "vpc_id": raw.get("VpcId"),
        "subnet_id": raw.get("SubnetId"),
        "iam_instance_profile": ((raw.get("IamInstanceProfile") or {}).get("Arn") or "").rsplit("/", 1)[-1] or None,
        "monitoring": (raw.get("Monitoring") or {}).get("State") in ("enabled", "pending"),
        "ebs_optimized": bool(raw.get("EbsOptimized")),
        "launch_time": _text(raw.get("LaunchTime")),
        "tags": tags,
        "fleet": tags.get(tag_words.FLEET),
        "member": tags.get(tag_words.MEMBER),
        "volumes": _volumes_of(raw, volumes),
        "elastic_ip": address,
    }


def instances(
    raws: Iterable[Mapping[str, Any]],
    region: Optional[str],
    zone_ids: Mapping[str, str],
    volumes: Iterable[Mapping[str, Any]],
    elastic_ips: Iterable[Mapping[str, Any]],
) -> Tuple[Dict[str, Any], ...]:
    """Many instances in linear time."""
    by_id = {entry["id"]: entry for entry in volumes}
    addresses = {entry["instance_id"]: entry for entry in elastic_ips if entry["instance_id"]}
    found = []
    for raw in raws:
        own = [by_id[volume_id] for volume_id in device_names(raw) if volume_id in by_id]
        address = addresses.get(raw["InstanceId"])
        found.append(instance(raw, region, zone_ids, own, [address] if address else []))
    return tuple(found)


def instances_in(reservations: Iterable[Mapping[str, Any]]) -> List[Dict[str, Any]]:
    """The API's instances in the answer of DescribeInstances, each once."""
    every = {raw["InstanceId"]: raw for reservation in reservations for raw in reservation.get("Instances", ())}
    return list(every.values())


def live_in(reservations: Iterable[Mapping[str, Any]]) -> List[Dict[str, Any]]:
    """Those of them that still count as there."""
    return [raw for raw in instances_in(reservations) if raw["State"]["Name"] not in GONE]


def device_names(raw: Mapping[str, Any]) -> Dict[str, str]:
    """{volume id: attach name} as the instance itself tells it."""
    mappings = raw.get("BlockDeviceMappings") or ()
    return {entry["Ebs"]["VolumeId"]: entry["DeviceName"] for entry in mappings if (entry.get("Ebs") or {}).get("VolumeId")}


def by_id(volume_id: str) -> Dict[str, str]:
    """The links that udev makes to a volume inside its instance, by the way it is attached; nothing is asked for them.

    `nvme` on types of the Nitro system, `virtio` on other hypervisors with a serial number, such as that of the sandbox. Xen has none.
    """
    serial = volume_id.replace("-", "")
    return {"nvme": f"/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{serial}", "virtio": f"/dev/disk/by-id/virtio-{serial}"}


def primary_interface(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """The network interface with index 0, on which groups and addresses sit; empty where there is none."""
    interfaces: List[Mapping[str, Any]] = list(raw.get("NetworkInterfaces") or ())
    for interface in interfaces:
        if (interface.get("Attachment") or {}).get("DeviceIndex") == 0:
            return interface
    return interfaces[0] if interfaces else {}


def _groups(raw: Mapping[str, Any]) -> List[Dict[str, Any]]:
    groups = primary_interface(raw).get("Groups") or raw.get("SecurityGroups") or ()
    return sorted(({"id": group["GroupId"], "name": group.get("GroupName")} for group in groups), key=lambda group: str(group["name"]))


def _volumes_of(raw: Mapping[str, Any], volumes: Iterable[Mapping[str, Any]]) -> Dict[str, Dict[str, Any]]:
    """Every volume of the instance under its name: the declared one, else `root` or the device's own name."""
    known = {entry["id"]: entry for entry in volumes}
    found: Dict[str, Dict[str, Any]] = {}
    for volume_id, device in sorted(device_names(raw).items(), key=lambda item: item[1]):
        entry = dict(known.get(volume_id) or {"id": volume_id, "name": None, "instance_id": raw["InstanceId"]})
        is_root = device == raw.get("RootDeviceName")
        entry["device"] = device
        entry["name"] = "root" if is_root else entry.get("name") or device.rsplit("/", 1)[-1]
        name = entry["name"] if entry["name"] not in found else volume_id
        found[name] = entry
    return found


def _attachment(attachments: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    return next((item for item in attachments if item.get("State") != "detached"), {})


def _attachments(attachments: Iterable[Mapping[str, Any]]) -> List[Dict[str, Any]]:
    names = {"instance_id": "InstanceId", "device": "Device", "state": "State", "delete_on_termination": "DeleteOnTermination"}
    return [{name: item.get(key) for name, key in names.items()} for item in attachments if item.get("State") != "detached"]


def _declared_name(tags: Mapping[str, str]) -> Optional[str]:
    member = tags.get(tag_words.MEMBER)
    return member.rsplit("/", 1)[-1] if member else tags.get(tag_words.NAME)


def _text(moment: Any) -> Optional[str]:
    return moment.isoformat() if hasattr(moment, "isoformat") else moment
