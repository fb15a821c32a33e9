# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Calls about images."""

from __future__ import annotations

from typing import Any, Dict, List

from moto.core.responses import ActionResult, EmptyResult

from sandbox.ec2.base_calls import Calls
from sandbox.errors import Ec2Error


class ImageCalls(Calls):
    """CreateImage and what follows."""

    def create_image(self) -> ActionResult:
        """An image of an instance."""
        tags = self.tags_for("image", "snapshot")
        image = self.ec2_backend.create_image(
            self._get_param("InstanceId"),
            self._get_param("Name"),
            self._get_param("Description", ""),
            no_reboot=bool(self._get_param("NoReboot", False)),
        )
        return self._made(image, tags)

    def register_image(self) -> ActionResult:
        """An image of a snapshot."""
        tags = self.tags_for("image")
        name, root = self._get_param("Name"), self._get_param("RootDeviceName") or "/dev/xvda"
        self.ec2_backend.check_image_name(name)
        devices: List[Dict[str, Any]] = [dict(device) for device in self._get_param("BlockDeviceMappings", [])]
        if root not in [device.get("DeviceName") for device in devices]:
            raise Ec2Error("InvalidBlockDeviceMapping", f"No snapshot is given for the root device {root}")
        for device in devices:
            ebs = dict(device.get("Ebs") or {})
            if ebs.get("SnapshotId"):
                snapshot = self.ec2_backend.get_snapshot(ebs["SnapshotId"])
                ebs.setdefault("VolumeSize", snapshot.volume_size)
            device["Ebs"] = {"DeleteOnTermination": True, "VolumeType": "gp2", "Encrypted": False, **ebs}
        image = self.ec2_backend.make_image(name, self._get_param("Description", ""), devices, root_device_name=root)
        return self._made(image, tags)

    def copy_image(self) -> ActionResult:
        """A copy of an image of any region; the same request under the same token gets the same copy."""
        tokens = self.ec2_backend.tokens
        made = tokens.made_for("CopyImage", self.params)
        if made and made[0] in self.ec2_backend.amis:
            return ActionResult({"ImageId": made[0]})
        tags = self.tags_for("image", "snapshot")
        image = self.ec2_backend.copy_image(
            self._get_param("SourceImageId"),
            self._get_param("SourceRegion"),
            self._get_param("Name"),
            self._get_param("Description"),
            encrypted=self._get_bool_param("Encrypted", False),
            kms_key_id=self._get_param("KmsKeyId"),
        )
        tokens.remember("CopyImage", self.params, [image.id])
        return self._made(image, tags)

    def modify_image_attribute(self) -> ActionResult:
        """Its description, or who may launch from it."""
        image = self.ec2_backend.get_image(self._get_param("ImageId"))
        if image.owner_id != self.ec2_backend.account_id:
            raise Ec2Error("AuthFailure", f"Not authorized for image:{image.id}")
        described = self._get_param("Description")
        if described:
            image.description = described["Value"]
            return EmptyResult()
        return super().modify_image_attribute()

    def deregister_image(self) -> ActionResult:
        """Take an image away, and its snapshots if asked to."""
        image = self.ec2_backend.get_image(self._get_param("ImageId"))
        self.ec2_backend.deregister_image(image.id)
        results = []
        if self._get_param("DeleteAssociatedSnapshots", False):
            for snapshot_id in image.snapshot_ids:
                if snapshot_id in self.ec2_backend.snapshots:
                    self.ec2_backend.delete_snapshot(snapshot_id)
                    results.append({"SnapshotId": snapshot_id, "ReturnCode": "success"})
        return ActionResult({"Return": True, "DeleteSnapshotResults": results})

    def _made(self, image: Any, tags: Dict[str, Dict[str, str]]) -> ActionResult:
        image.add_tags(tags.get("image", {}))
        for snapshot_id in image.snapshot_ids:
            if snapshot_id in self.ec2_backend.snapshots:
                self.ec2_backend.snapshots[snapshot_id].add_tags(tags.get("snapshot", {}))
        return ActionResult({"ImageId": image.id})
