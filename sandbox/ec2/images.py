# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Machine images: the one that every region offers, and those made from instances and snapshots."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Dict, List, Optional

from moto.core.utils import utcnow
from moto.ec2.models.amis import Ami, AmiBackend
from moto.ec2.models.core import TaggedEC2Resource

from sandbox.ec2.shared import Shared
from sandbox.errors import Ec2Error

if TYPE_CHECKING:
    from sandbox.ec2.snapshots import EbsSnapshot

#: Who publishes Debian's images on AWS.
DEBIAN_OWNER = "136693071363"
DEBIAN_DATE = datetime(2026, 1, 15, tzinfo=UTC)
DEBIAN_NAME = f"debian-12-amd64-{DEBIAN_DATE:%Y%m%d}-0001"
ROOT_DEVICE = "/dev/xvda"


class Image(Ami):
    """An image. `devices` are its block devices, as DescribeImages shows them."""

    def __init__(self, backend: Any, image_id: str, name: str, devices: List[Dict[str, Any]], **values: Any) -> None:
        # Not Ami.__init__: it makes a volume and a snapshot that never were.
        TaggedEC2Resource.__init__(self)
        self.ec2_backend = backend
        self.id = image_id
        self.name = name
        self.devices = devices
        self.owner_id = values.get("owner_id") or backend.account_id
        self.owner_alias = values.get("owner_alias")
        self.description = values.get("description") or ""
        self.creation_date = values.get("creation_date") or utcnow()
        self.state = values.get("state", "pending")
        self.root_device_name = values.get("root_device_name") or ROOT_DEVICE
        self.instance_id = values.get("instance_id")
        self.image_location = f"{self.owner_id}/{name}"
        self.launch_permissions: List[Dict[str, str]] = [{"Group": "all"}] if values.get("public") else []
        self._set_constants()

    def _set_constants(self) -> None:
        self.architecture, self.hypervisor, self.virtualization_type = "x86_64", "xen", "hvm"
        self.root_device_type, self.image_type, self.boot_mode = "ebs", "machine", "uefi-preferred"
        self.ena_support, self.sriov_net_support, self.sriov = True, "simple", "simple"
        self.platform_details, self.usage_operation = "Linux/UNIX", "RunInstances"
        self.kernel_id = self.platform = None
        self.product_codes: set[str] = set()

    @property
    def image_id(self) -> str:
        return self.id

    @property
    def block_device_mappings(self) -> List[Dict[str, Any]]:
        return self.devices

    @property
    def snapshot_ids(self) -> List[str]:
        return [device["Ebs"]["SnapshotId"] for device in self.devices if device.get("Ebs", {}).get("SnapshotId")]

    def get_filter_value(self, filter_name: str, method_name: Optional[str] = None) -> Any:
        """The value that a filter of DescribeImages looks at."""
        if filter_name == "block-device-mapping.snapshot-id":
            return self.snapshot_ids
        if filter_name == "is-public":
            return str(self.is_public).lower()
        return super().get_filter_value(filter_name, method_name)


class ImageModel(Shared, AmiBackend):
    """The images of a region."""

    amis: Dict[str, Any]

    def _load_amis(self) -> None:
        """The Debian image, under an id that is always the same; its snapshot belongs to Debian and is not shown."""
        digest = hashlib.sha256(f"{DEBIAN_NAME}/{self.region_name}".encode()).hexdigest()
        image_id = f"ami-{digest[:17]}"
        root = {
            "SnapshotId": f"snap-{digest[17:34]}",
            "VolumeSize": self.cloud.hosting.root_size,
            "DeleteOnTermination": True,
            "VolumeType": "gp3",
            "Encrypted": False,
        }
        self.amis[image_id] = Image(
            self,
            image_id,
            DEBIAN_NAME,
            [{"DeviceName": ROOT_DEVICE, "Ebs": root}],
            owner_id=DEBIAN_OWNER,
            description="Debian 12 (20260115-0001)",
            creation_date=DEBIAN_DATE,
            state="available",
            public=True,
        )

    def get_image(self, image_id: str) -> Image:
        """The image of this id."""
        if not image_id.startswith("ami-"):
            raise Ec2Error("InvalidAMIID.Malformed", f'Invalid id: "{image_id}" (expecting "ami-...")')
        if image_id not in self.amis:
            raise Ec2Error("InvalidAMIID.NotFound", f"The image id '[{image_id}]' does not exist")
        return self.amis[image_id]

    def describe_images(self, ami_ids: Any = None, filters: Any = None, exec_users: Any = None, owners: Any = None) -> Any:
        """The images asked for."""
        for image_id in ami_ids or []:
            if image_id not in self.deleted_amis:
                self.get_image(image_id)
        return super().describe_images(ami_ids, filters, exec_users, owners)

    def make_image(self, name: str, description: str, devices: List[Dict[str, Any]], **values: Any) -> Image:
        """A new image of one's own; its name must be new."""
        for other in self.amis.values():
            if other.name == name and other.owner_id == self.account_id:
                raise Ec2Error("InvalidAMIName.Duplicate", f"AMI name {name} is already in use by AMI {other.id}")
        image = Image(self, self.new_id("ami"), name, devices, description=description, **values)
        self.amis[image.id] = image
        self._await_snapshots(image)
        return image

    def create_image(self, instance_id: str, name: str, description: str, tag_specifications: Any = (), no_reboot: bool = False) -> Image:
        """An image of an instance: its volumes are copied, and it restarts meanwhile unless told not to."""
        instance = self.get_instance(instance_id)
        if instance.state not in ("running", "stopped"):
            raise Ec2Error("IncorrectInstanceState", f"The instance '{instance_id}' is {instance.state}.")
        self.check_image_name(name)
        snapshots = {
            device: self.create_snapshot(block.volume_id, f"Created by CreateImage({instance_id})")
            for device, block in instance.block_device_mapping.items()
        }
        devices = [self._device(name_, snapshot) for name_, snapshot in snapshots.items()]
        image = self.make_image(name, description, devices, instance_id=instance_id, root_device_name=instance.root_device_name)
        if instance.state == "running" and not no_reboot:
            self.reboot_instances([instance_id])
        return image

    def check_image_name(self, name: str) -> None:
        """Refuse a name that is missing or in use, before anything is copied."""
        if not 3 <= len(name or "") <= 128:
            raise Ec2Error("InvalidAMIName.Malformed", "AMI names must be between 3 and 128 characters long")
        for other in self.amis.values():
            if other.name == name and other.owner_id == self.account_id:
                raise Ec2Error("InvalidAMIName.Duplicate", f"AMI name {name} is already in use by AMI {other.id}")

    def copy_image(self, source_image_id: str, source_region: str, name: Any = None, description: Any = None, **encryption: Any) -> Image:
        """A copy of an image, of this or of another region, with snapshots of its own; `encryption`: encrypted, kms_key_id."""
        from moto.ec2.models import ec2_backends

        source = ec2_backends[self.account_id][source_region].get_image(source_image_id)
        self.check_image_name(name or source.name)
        devices = []
        for device in source.devices:
            ebs = dict(device["Ebs"])
            if ebs["SnapshotId"] in ec2_backends[self.account_id][source_region].snapshots:
                copy = self.copy_snapshot(ebs["SnapshotId"], source_region, **encryption)
                ebs.update({"SnapshotId": copy.id, "Encrypted": copy.encrypted})
            devices.append({**device, "Ebs": ebs})
        return self.make_image(name or source.name, description or source.description, devices, root_device_name=source.root_device_name)

    def deregister_image(self, ami_id: str) -> None:
        """Take an image out of the list; instances made from it stay as they are."""
        image = self.get_image(ami_id)
        if image.owner_id != self.account_id:
            raise Ec2Error("AuthFailure", f"Not authorized for image:{ami_id}")
        self.amis.pop(ami_id)
        self.deleted_amis.append(ami_id)

    @staticmethod
    def _device(name: str, snapshot: "EbsSnapshot") -> Dict[str, Any]:
        ebs = {
            "SnapshotId": snapshot.id,
            "VolumeSize": snapshot.volume_size,
            "DeleteOnTermination": True,
            "VolumeType": "gp3",
            "Encrypted": snapshot.encrypted,
        }
        return {"DeviceName": name, "Ebs": ebs}

    def _await_snapshots(self, image: Image) -> None:
        """Available when the last of its snapshots is."""

        def look(error: Optional[Exception]) -> None:
            states = {self.snapshots[i].status for i in image.snapshot_ids if i in self.snapshots}
            if "error" in states:
                image.state = "failed"
            elif "pending" in states:
                self.cloud.later(image.id, None, look, delay=max(self.cloud.settings.pace, 0.2))
            else:
                image.state = "available"

        self.cloud.later(image.id, None, look)
