# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""RunInstances: what is asked for is checked in full, then made."""

from __future__ import annotations

import copy
import ipaddress
from typing import Any, Dict, List, Mapping, Optional

from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.models.instances import InstanceBackend, Reservation
from moto.ec2.utils import convert_tag_spec

from sandbox.ec2.images import Image
from sandbox.ec2.instances import Machine
from sandbox.ec2.shared import Shared
from sandbox.errors import Ec2Error

USER_DATA_LIMIT = 16384


class LaunchModel(Shared, InstanceBackend):
    """Makes instances with their interfaces and volumes."""

    def run_instances(self, image_id: str, count: int, user_data: Any, security_group_names: List[str], **values: Any) -> Reservation:
        """New instances in one reservation; nothing is made if anything asked for does not exist."""
        image = self._usable_image(image_id)
        self._check_type(values["instance_type"], image)
        self._check_key(values.get("key_name"))
        subnet = self._subnet(values)
        self._check_private_ip(values.get("private_ip"), subnet)
        groups = self._groups(security_group_names, values.pop("security_group_ids", []), subnet, values.get("nics"))
        devices = merged_devices(image.devices, values.pop("block_device_mappings", None) or [])
        self._check_devices(devices)
        if self.cloud.faults.lacks_capacity(subnet.availability_zone, values["instance_type"]):
            raise Ec2Error(
                "InsufficientInstanceCapacity",
                f"We currently do not have sufficient {values['instance_type']} capacity in the Availability Zone you "
                f"requested ({subnet.availability_zone}).",
            )
        reservation = Reservation(self.new_id("r"), owner_id=self.account_id)
        tags = values.pop("tags", {})
        if not values.get("nics"):
            values["subnet_id"] = subnet.id
        for index in range(count):
            instance = Machine(self, image_id, user_data, groups, **values, ami_launch_index=index)
            self._finish(instance, devices, tags, values)
            reservation.instances.append(instance)
        self.add_instances(reservation)
        return reservation

    def _finish(self, instance: Machine, devices: List[Dict[str, Any]], tags: Mapping[str, Any], values: Any) -> None:
        """Give a new instance its volumes and all their tags."""
        instance.add_tags(tags.get("instance", {}))
        if values.get("instance_market_options"):
            instance.lifecycle = "spot"
            instance.add_tags(tags.get("spot-instances-request", {}))
        for nic in instance.nics.values():
            # An interface made for the launch goes with its instance, unless the request says otherwise.
            nic.delete_on_termination = not _kept(values.get("nics") or [], nic.device_index)
            nic.add_tags(tags.get("network-interface", {}))
        for device in devices:
            volume = self._volume_for(instance, device["Ebs"])
            volume.add_tags(tags.get("volume", {}))
            self.put_together(volume, instance, device["DeviceName"], bool(device["Ebs"].get("DeleteOnTermination")))

    def _volume_for(self, instance: Machine, ebs: Mapping[str, Any]) -> Any:
        # The snapshot of a public image belongs to its publisher: it can be named, not looked up.
        snapshot_id = ebs.get("SnapshotId")
        own = snapshot_id if snapshot_id in self.snapshots else None
        volume = self.create_volume(
            ebs.get("VolumeSize"),
            instance.availability_zone,
            own,
            volume_type=ebs.get("VolumeType"),
            iops=ebs.get("Iops"),
            throughput=ebs.get("Throughput"),
            encrypted=ebs.get("Encrypted"),
            kms_key_id=ebs.get("KmsKeyId"),
            by_instance=True,
        )
        volume.snapshot_id = snapshot_id or ""
        return volume

    def _usable_image(self, image_id: Optional[str]) -> Image:
        if not image_id:
            raise Ec2Error("MissingParameter", "The request must contain the parameter ImageId")
        image: Image = self.get_image(image_id)
        if image.state != "available":
            raise Ec2Error("InvalidAMIID.Unavailable", f"The image ID '{image_id}' is not available")
        return image

    def _check_type(self, instance_type: str, image: Image) -> None:
        known = INSTANCE_TYPES.get(instance_type)
        if known is None:
            raise Ec2Error("InvalidParameterValue", f"Invalid value '{instance_type}' for InstanceType.")
        offered = known["ProcessorInfo"]["SupportedArchitectures"]
        if image.architecture not in offered:
            raise Ec2Error(
                "InvalidParameterValue",
                f"The architecture '{', '.join(offered)}' of the specified instance type does not match the "
                f"architecture '{image.architecture}' of the specified AMI.",
            )

    def _check_key(self, key_name: Optional[str]) -> None:
        if key_name and key_name not in self.key_pairs:
            raise Ec2Error("InvalidKeyPair.NotFound", f"The key pair '{key_name}' does not exist")

    def _subnet(self, values: Mapping[str, Any]) -> Any:
        """The subnet asked for, else the default one of the zone, else that of the first zone."""
        primary: Dict[str, Any] = next((nic for nic in values.get("nics") or [] if str(nic.get("DeviceIndex", 0)) == "0"), {})
        zone = values.get("placement")
        subnet_id = values.get("subnet_id") or primary.get("SubnetId")
        if primary.get("NetworkInterfaceId"):
            subnet_id = self.get_network_interface(primary["NetworkInterfaceId"]).subnet.id
        if zone and zone not in self.zone_names():
            raise Ec2Error("InvalidParameterValue", f"Invalid availability zone: [{zone}]")
        if not subnet_id:
            defaults = {s.availability_zone: s for s in self.describe_subnets(filters={"defaultForAz": "true"})}
            if (zone or defaults) and (zone or min(defaults)) in defaults:
                return defaults[zone or min(defaults)]
            raise Ec2Error("MissingInput", f"No default subnet for availability zone: '{zone}'.")
        subnet = self.get_subnet(subnet_id)
        if zone and subnet.availability_zone != zone:
            raise Ec2Error("InvalidParameterValue", f"The subnet '{subnet_id}' is not in the zone '{zone}'.")
        return subnet

    def _check_private_ip(self, address: Optional[str], subnet: Any) -> None:
        """An address of the subnet that nobody has; its first four and its last are AWS's own."""
        if not address:
            return
        network = ipaddress.ip_network(subnet.cidr_block)
        try:
            wanted = ipaddress.ip_address(address)
        except ValueError:
            raise Ec2Error("InvalidParameterValue", f"invalid value for parameter address: [{address}]") from None
        number = int(wanted) - int(network.network_address)
        if wanted not in network:
            raise Ec2Error("InvalidParameterValue", f"Address {address} does not fall within the subnet's address range")
        if number < 4 or wanted == network.broadcast_address:
            raise Ec2Error("InvalidParameterValue", f"Address {address} is in subnet's reserved address range")
        if any(address == one.get("PrivateIpAddress") for nic in self.enis.values() for one in nic.private_ip_addresses):
            raise Ec2Error("InvalidIPAddress.InUse", f"Address {address} is in use.")

    def _groups(self, names: List[str], ids: List[Any], subnet: Any, nics: Any) -> List[Any]:
        """The groups of the new instances; the default group of the VPC where none is named."""
        groups = []
        for name in names:
            group = self.get_security_group_from_name(name, subnet.vpc_id)
            if group is None:
                raise Ec2Error("InvalidGroup.NotFound", f"The security group '{name}' does not exist in VPC '{subnet.vpc_id}'")
            groups.append(group)
        of_nics = [group_id for nic in nics or [] for group_id in nic.get("Groups") or []]
        for group_id in of_nics:
            self.existing_group(group_id)
        groups += [self.existing_group(entry) if isinstance(entry, str) else entry for entry in ids]
        for group in groups:
            if group.vpc_id != subnet.vpc_id:
                raise Ec2Error(
                    "InvalidParameter",
                    f"Security group {group.id} and subnet {subnet.id} belong to different networks.",
                )
        return groups if groups or of_nics else [self.get_default_security_group(subnet.vpc_id)]

    def _check_devices(self, devices: List[Dict[str, Any]]) -> None:
        for device in devices:
            snapshot_id = device["Ebs"].get("SnapshotId")
            snapshot = self.snapshots.get(snapshot_id)
            of_image = any(snapshot_id in image.snapshot_ids for image in self.amis.values())
            if snapshot_id and snapshot is None and not of_image:
                raise Ec2Error("InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist.")


def merged_devices(of_image: List[Dict[str, Any]], asked: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """The devices of a launch: those of the image, changed and completed by those of the request. Pure."""
    merged = {device["DeviceName"]: copy.deepcopy(device) for device in of_image}
    for device in asked:
        name = device.get("DeviceName")
        if not name:
            raise Ec2Error("MissingParameter", "The request must contain the parameter deviceName")
        if device.get("NoDevice") is not None:
            merged.pop(name, None)
            continue
        given = {key: value for key, value in (device.get("Ebs") or {}).items() if value is not None}
        known = merged.get(name, {"DeviceName": name, "Ebs": {"DeleteOnTermination": True}})
        ebs = {**known["Ebs"], **given}
        if not ebs.get("VolumeSize") and not ebs.get("SnapshotId"):
            raise Ec2Error("MissingParameter", "The request must contain the parameter size or snapshotId")
        smallest = known["Ebs"].get("VolumeSize", 0)
        if ebs.get("VolumeSize") and ebs["VolumeSize"] < smallest:
            raise Ec2Error(
                "InvalidBlockDeviceMapping",
                f"Volume of size {ebs['VolumeSize']}GB is smaller than snapshot '{ebs.get('SnapshotId')}', expect size >= {smallest}GB",
            )
        merged[name] = {"DeviceName": name, "Ebs": ebs}
    return list(merged.values())


def tags_by_kind(params: Mapping[str, Any], allowed: List[str]) -> Dict[str, Dict[str, str]]:
    """{kind: {key: value}} of a request's TagSpecifications; a kind that the operation does not make is an error."""
    specifications = params.get("TagSpecifications") or params.get("TagSpecification") or []
    for specification in specifications:
        kind = specification.get("ResourceType")
        if kind not in allowed:
            raise Ec2Error("InvalidParameterValue", f"'{kind}' is not a valid taggable resource type for this operation.")
        if not specification.get("Tags"):
            raise Ec2Error("InvalidParameterValue", "Tag specification must have at least one tag")
    return convert_tag_spec(specifications)


def _kept(nics: List[Dict[str, Any]], index: Any) -> bool:
    """Whether the request wants the interface of this index kept, or brought it along."""
    for nic in nics:
        if int(nic.get("DeviceIndex", 0)) == index:
            return bool(nic.get("NetworkInterfaceId")) or nic.get("DeleteOnTermination") is False
    return False
