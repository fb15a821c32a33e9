# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Calls about volumes and snapshots."""

from __future__ import annotations

from typing import Any, Dict

from moto.core.responses import ActionResult, EmptyResult

from sandbox.ec2.base_calls import Calls
from sandbox.errors import Ec2Error


class VolumeCalls(Calls):
    """CreateVolume and what follows."""

    def create_volume(self) -> ActionResult:
        """Create; the same request under the same token gets the same volume."""
        tokens = self.ec2_backend.tokens
        made = tokens.made_for("CreateVolume", self.params)
        if made and made[0] in self.ec2_backend.volumes:
            return ActionResult(self.ec2_backend.volumes[made[0]])
        tags = self.tags_for("volume").get("volume", {})
        zone = self.ec2_backend.zone_name(self._get_param("AvailabilityZone"), self._get_param("AvailabilityZoneId"))
        if not zone:
            raise Ec2Error("MissingParameter", "The request must contain the parameter AvailabilityZone")
        volume = self.ec2_backend.create_volume(
            self._get_param("Size"),
            zone,
            self._get_param("SnapshotId"),
            volume_type=self._get_param("VolumeType"),
            iops=self._get_param("Iops"),
            throughput=self._get_param("Throughput"),
            encrypted=self._get_bool_param("Encrypted", False),
            kms_key_id=self._get_param("KmsKeyId"),
            multi_attach_enabled=self._get_param("MultiAttachEnabled"),
        )
        volume.add_tags(tags)
        tokens.remember("CreateVolume", self.params, [volume.id])
        return ActionResult(volume)

    def modify_volume(self) -> ActionResult:
        """Start a change of size, type or performance."""
        volume = self.ec2_backend.modify_volume(
            self._get_param("VolumeId"),
            self._get_param("Size"),
            self._get_param("VolumeType"),
            self._get_param("Iops"),
            self._get_param("Throughput"),
            self._get_param("MultiAttachEnabled"),
        )
        return ActionResult({"VolumeModification": volume.modifications[-1]})

    def attach_volume(self) -> ActionResult:
        """Attach."""
        attachment = self.ec2_backend.attach_volume(self._get_param("VolumeId"), self._get_param("InstanceId"), self._get_param("Device"))
        return ActionResult(_shown(attachment))

    def detach_volume(self) -> ActionResult:
        """Detach; Force takes the disk from a guest that does not let go."""
        attachment = self.ec2_backend.detach_volume(
            self._get_param("VolumeId"),
            self._get_param("InstanceId"),
            self._get_param("Device"),
            self._get_bool_param("Force", False),
        )
        return ActionResult(_shown(attachment))

    def describe_volume_status(self) -> ActionResult:
        """All volumes are well, but those in error."""
        volumes = self.ec2_backend.describe_volumes(self.ids("VolumeIds"), self._filters_from_querystring())
        return ActionResult({"VolumeStatuses": [_health(volume) for volume in volumes]})

    def describe_volume_attribute(self) -> ActionResult:
        """autoEnableIO and productCodes, which never change here."""
        volume = self.ec2_backend.get_volume(self._get_param("VolumeId"))
        return ActionResult({"VolumeId": volume.id, "AutoEnableIO": {"Value": False}, "ProductCodes": []})

    def modify_volume_attribute(self) -> ActionResult:
        """Accepted; there is nothing behind it."""
        self.ec2_backend.get_volume(self._get_param("VolumeId"))
        return EmptyResult()

    def create_snapshot(self) -> ActionResult:
        """Copy a volume."""
        tags = self.tags_for("snapshot").get("snapshot", {})
        snapshot = self.ec2_backend.create_snapshot(self._get_param("VolumeId"), self._get_param("Description", ""))
        snapshot.add_tags(tags)
        return ActionResult(snapshot)

    def create_snapshots(self) -> ActionResult:
        """Copy the volumes of an instance."""
        tags = self.tags_for("snapshot").get("snapshot", {})
        asked: Dict[str, Any] = self._get_param("InstanceSpecification", {})
        instance = self.ec2_backend.get_instance(asked.get("InstanceId"))
        left_out = set(asked.get("ExcludeDataVolumeIds", []))
        if asked.get("ExcludeBootVolume"):
            left_out.add(instance.root_volume_id)
        snapshots = []
        for block in list(instance.block_device_mapping.values()):
            if block.volume_id in left_out:
                continue
            snapshot = self.ec2_backend.create_snapshot(block.volume_id, self._get_param("Description", ""))
            copied = self.ec2_backend.tags.get(block.volume_id, {}) if self._get_param("CopyTagsFromSource") else {}
            snapshot.add_tags({**copied, **tags})
            snapshots.append(snapshot)
        return ActionResult({"Snapshots": snapshots})

    def copy_snapshot(self) -> ActionResult:
        """A copy of a snapshot of any region; encrypted if the source is, or if asked to."""
        tags = self.tags_for("snapshot").get("snapshot", {})
        snapshot = self.ec2_backend.copy_snapshot(
            self._get_param("SourceSnapshotId"),
            self._get_param("SourceRegion"),
            self._get_param("Description"),
            self._get_param("KmsKeyId"),
            encrypted=self._get_bool_param("Encrypted", False),
        )
        snapshot.add_tags(tags)
        return ActionResult({"SnapshotId": snapshot.id, "Tags": snapshot.tag_set})

    def modify_snapshot_attribute(self) -> ActionResult:
        """Share a snapshot, or no more."""
        self.ec2_backend.get_snapshot(self._get_param("SnapshotId"))
        return super().modify_snapshot_attribute()

    def describe_snapshots(self) -> ActionResult:
        """Snapshots by id, owner and filter."""
        found = self.ec2_backend.describe_snapshots(self.ids("SnapshotIds"), self._filters_from_querystring())
        owners = {self.current_account if owner == "self" else owner for owner in self.ids("OwnerIds")}
        return ActionResult({"Snapshots": [s for s in found if not owners or s.owner_id in owners]})


def _shown(attachment: Any) -> Dict[str, Any]:
    return {
        "VolumeId": attachment.volume_id,
        "InstanceId": attachment.instance_id,
        "Device": attachment.device,
        "State": attachment.status,
        "AttachTime": attachment.attach_time,
        "DeleteOnTermination": attachment.delete_on_termination,
    }


def _health(volume: Any) -> Dict[str, Any]:
    status = "impaired" if volume.status == "error" else "ok"
    return {
        "VolumeId": volume.id,
        "AvailabilityZone": volume.availability_zone,
        "Actions": [],
        "Events": [],
        "VolumeStatus": {"Status": status, "Details": [{"Name": "io-enabled", "Status": "passed"}]},
    }
