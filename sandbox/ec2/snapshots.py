# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Snapshots: copies of volumes, with their data."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional

from moto.ec2.models.elastic_block_store import EBSBackend, Snapshot

from sandbox.ec2.shared import Shared, lane_of, missing
from sandbox.errors import Ec2Error

if TYPE_CHECKING:
    from sandbox.ec2.volumes import EbsVolume


class EbsSnapshot(Snapshot):
    """A snapshot: pending, then completed, or error. Its size is that of the volume when it was made."""

    def __init__(self, backend: Any, volume_id: str, size: int, description: str, encrypted: bool, **more: Any) -> None:
        super().__init__(backend, backend.new_id("snap"), None, description, encrypted, **more)
        self._volume_id, self._size = volume_id, size
        self.status = "pending"
        self.state_message = ""

    @property
    def state(self) -> str:
        return self.status

    @property
    def progress(self) -> str:
        return "100%" if self.status == "completed" else "0%"

    @property
    def volume_id(self) -> str:
        return self._volume_id

    @property
    def volume_size(self) -> int:
        return self._size

    def get_filter_value(self, filter_name: str, method_name: Optional[str] = None) -> Any:
        """The value that a filter of DescribeSnapshots looks at."""
        if filter_name == "volume-id":
            return self._volume_id
        if filter_name == "volume-size":
            return str(self._size)
        if filter_name == "progress":
            return self.progress
        return super().get_filter_value(filter_name, method_name)


class SnapshotModel(Shared, EBSBackend):
    """The snapshots of a region."""

    def get_snapshot(self, snapshot_id: str) -> Any:
        """The snapshot of this id."""
        if snapshot_id not in self.snapshots:
            raise Ec2Error("InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist.")
        return self.snapshots[snapshot_id]

    def describe_snapshots(self, snapshot_ids: Optional[List[str]] = None, filters: Optional[Dict[str, Any]] = None) -> Any:
        """The snapshots asked for."""
        for absent in missing(snapshot_ids or [], self.snapshots):
            self.get_snapshot(absent)
        return super().describe_snapshots(snapshot_ids, filters)

    def create_snapshot(
        self, volume_id: str, description: str, owner_id: Optional[str] = None, from_ami: Optional[str] = None
    ) -> EbsSnapshot:
        """Copy the data of a volume; a running machine pauses while they are read."""
        volume = self.get_volume(volume_id)
        if volume.status not in ("available", "in-use"):
            raise Ec2Error("IncorrectState", f"Volume '{volume_id}' is {volume.status}.")
        snapshot = EbsSnapshot(self, volume_id, volume.size, description or "", volume.encrypted, from_ami=from_ami)
        self.snapshots[snapshot.id] = snapshot
        self._fill_snapshot(snapshot, lane_of(volume), lambda: self._copy(volume, snapshot.id))
        return snapshot

    def copy_snapshot(
        self,
        source_snapshot_id: str,
        source_region: str,
        description: Optional[str] = None,
        kms_key_id: Optional[str] = None,
        encrypted: bool = False,
    ) -> EbsSnapshot:
        """Copy a snapshot, of this or of another region. What is encrypted stays so."""
        from moto.ec2.models import ec2_backends

        source = ec2_backends[self.account_id][source_region].get_snapshot(source_snapshot_id)
        if source.status != "completed":
            raise Ec2Error("IncorrectState", f"The snapshot '{source_snapshot_id}' is {source.status}.")
        if kms_key_id and not encrypted:
            raise Ec2Error("InvalidParameterDependency", "The parameter KmsKeyId requires the parameter Encrypted to be set.")
        encrypted = bool(source.encrypted or encrypted)
        # As on AWS the volume of a copied snapshot is none that exists.
        snapshot = EbsSnapshot(self, "vol-ffffffff", source.volume_size, description or "", encrypted, kms_key_id=kms_key_id)
        self.snapshots[snapshot.id] = snapshot
        copy = self.cloud.hosting.copy_snapshot
        self._fill_snapshot(snapshot, source_snapshot_id, lambda: copy(source_snapshot_id, snapshot.id))
        return snapshot

    def delete_snapshot(self, snapshot_id: str) -> Any:
        """Delete a snapshot that no image needs."""
        snapshot = self.get_snapshot(snapshot_id)
        for image in self.amis.values():
            if snapshot_id in image.snapshot_ids:
                raise Ec2Error("InvalidSnapshot.InUse", f"The snapshot {snapshot_id} is currently in use by {image.id}")
        self.snapshots.pop(snapshot_id)
        self.tags.pop(snapshot_id, None)
        delete = self.cloud.hosting.delete_snapshot
        self.cloud.later(snapshot_id, lambda: delete(snapshot_id), lambda error: None)
        return snapshot

    def _copy(self, volume: "EbsVolume", snapshot_id: str) -> None:
        guest = self.cloud.guest(volume.attachment.instance_id) if volume.attachment else None
        with guest.paused() if guest else nullcontext():
            self.cloud.hosting.copy_to_snapshot(volume.id, snapshot_id)
        self.cloud.hosting.finish_snapshot(snapshot_id)

    def _fill_snapshot(self, snapshot: EbsSnapshot, lane: str, work: Callable[[], None]) -> None:
        def done(error: Optional[Exception]) -> None:
            snapshot.status = "error" if error else "completed"
            snapshot.state_message = str(error or "")

        self.cloud.later(lane, work, done)
