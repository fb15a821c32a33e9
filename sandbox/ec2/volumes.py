# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""EBS volumes with their states, and the files behind them."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, Any, Dict, List, Optional

from moto.core.utils import utcnow
from moto.ec2.models.elastic_block_store import EBSBackend, Volume

from sandbox.ec2 import volume_rules as rules
from sandbox.ec2.shared import Shared, lane_of, missing, not_found
from sandbox.errors import Ec2Error
from sandbox.trouble import SandboxError

if TYPE_CHECKING:
    from sandbox.ec2.attachments import Attachment


class EbsVolume(Volume):
    """A volume whose states take time. `phase` is creating, settled, deleting or error."""

    def __init__(self, backend: Any, volume_id: str, **values: Any) -> None:
        super().__init__(backend, volume_id, **values)
        self.phase = "creating"
        self.held: List["Attachment"] = []
        self.modifications: List["Modification"] = []

    @property
    def attachments(self) -> List["Attachment"]:
        """Where it is: at one instance, or at several if it is made for that."""
        return self.held

    @property
    def attachment(self) -> Optional["Attachment"]:
        """The first attachment; the only one unless the volume is made for several."""
        return self.attachments[0] if self.attachments else None

    @attachment.setter
    def attachment(self, nothing: None) -> None:
        """moto begins with none."""

    def attached_to(self, instance_id: str) -> Optional["Attachment"]:
        """The attachment to this instance."""
        return next((one for one in self.attachments if one.instance_id == instance_id), None)

    @property
    def status(self) -> str:
        if self.phase != "settled":
            return self.phase
        return "in-use" if self.attachment else "available"

    @property
    def availability_zone_id(self) -> Optional[str]:
        return self.zone.zone_id if self.zone else None

    def get_filter_value(self, filter_name: str, method_name: Optional[str] = None) -> Any:
        """The value that a filter of DescribeVolumes looks at."""
        if filter_name == "size":
            return str(self.size)
        if filter_name == "availability-zone-id":
            return self.availability_zone_id
        if filter_name == "attachment.delete-on-termination":
            return str(self.attachment.delete_on_termination).lower() if self.attachment else None
        return super().get_filter_value(filter_name, method_name)


class Modification:
    """One ModifyVolume: modifying, then optimizing (the volume has its new form), then completed; or failed."""

    def __init__(self, volume: EbsVolume, target: rules.Form, multi_attach: Optional[bool] = None) -> None:
        self.volume = volume
        self.volume_id = volume.id
        self.modification_state = "modifying"
        self.status_message = ""
        self.progress = 0
        self.start_time = utcnow()
        self.end_time: Any = None
        self.original_size, self.target_size = volume.size, target.size
        self.original_volume_type, self.target_volume_type = volume.volume_type, target.volume_type
        self.original_iops, self.target_iops = volume.iops, target.iops
        self.original_throughput, self.target_throughput = volume.throughput, target.throughput
        self.original_multi_attach_enabled = bool(volume.multi_attach_enabled)
        self.target_multi_attach_enabled = self.original_multi_attach_enabled if multi_attach is None else multi_attach

    def take_effect(self) -> None:
        """The volume has its new form; what follows is only optimizing."""
        self.modification_state, self.progress = "optimizing", 50
        self.volume.size, self.volume.volume_type = self.target_size, self.target_volume_type
        self.volume.iops, self.volume.throughput = self.target_iops, self.target_throughput
        self.volume.multi_attach_enabled = self.target_multi_attach_enabled

    def finish(self, error: Optional[Exception] = None) -> None:
        """Completed, or failed with `error`."""
        self.modification_state = "failed" if error else "completed"
        self.status_message = str(error or "")
        self.progress = 0 if error else 100
        self.end_time = utcnow()

    def get_filter_value(self, filter_name: str, method_name: Optional[str] = None) -> Any:
        """The value that a filter of DescribeVolumesModifications looks at."""
        value = getattr(self, filter_name.replace("-", "_"), None)
        return value if value is None else str(value)


class VolumeModel(Shared, EBSBackend):
    """The volumes of a region."""

    def create_volume(self, size: Optional[int], zone_name: str, snapshot_id: Optional[str] = None, **values: Any) -> Any:
        """A new volume, creating at first. Its data come from the snapshot, if one is given."""
        snapshot = self._usable_snapshot(snapshot_id) if snapshot_id else None
        zone = self.get_zone_by_name(zone_name)
        if zone is None:
            raise Ec2Error("InvalidZone.NotFound", f"The zone '{zone_name}' does not exist.")
        form = rules.new_form(size or (snapshot.volume_size if snapshot else None), values)
        if snapshot and form.size < snapshot.volume_size:
            raise Ec2Error("InvalidParameterValue", f"The volume size is smaller than snapshot {snapshot_id}.")
        encrypted = bool(values.get("encrypted") or (snapshot and snapshot.encrypted) or self.ebs_encryption_by_default)
        volume = EbsVolume(
            self,
            self.new_id("vol"),
            zone=zone,
            snapshot_id=snapshot_id or "",
            encrypted=encrypted,
            kms_key_id=self._key(encrypted, values.get("kms_key_id")),
            multi_attach_enabled=bool(values.get("multi_attach_enabled")),
            **vars(form),
        )
        self.volumes[volume.id] = volume
        if not values.get("by_instance"):
            self._fill(volume)
        return volume

    def get_volume(self, volume_id: str) -> Any:
        """The volume of this id."""
        if volume_id not in self.volumes:
            raise Ec2Error("InvalidVolume.NotFound", f"The volume '{volume_id}' does not exist.")
        return self.volumes[volume_id]

    def describe_volumes(self, volume_ids: Optional[List[str]] = None, filters: Optional[Dict[str, Any]] = None) -> Any:
        """The volumes asked for."""
        absent = missing(volume_ids or [], self.volumes)
        if absent:
            raise not_found("InvalidVolume.NotFound", "volume", absent)
        filters = dict(filters or {})
        holders = filters.pop("attachment.instance-id", None)
        found = super().describe_volumes(volume_ids, filters)
        if holders is None:
            return found
        return [one for one in found if any(fnmatch.fnmatch(at.instance_id, holder) for at in one.attachments for holder in holders)]

    def delete_volume(self, volume_id: str) -> Any:
        """Delete a volume that nothing is attached to."""
        volume = self.get_volume(volume_id)
        if volume.attachment:
            raise Ec2Error("VolumeInUse", f"Volume {volume_id} is currently attached to {volume.attachment.instance_id}")
        volume.phase = "deleting"

        def done(error: Optional[Exception]) -> None:
            self.volumes.pop(volume_id, None)
            self.tags.pop(volume_id, None)

        self.cloud.later(volume_id, lambda: self.cloud.hosting.delete_volume(volume_id), done)
        return volume

    def modify_volume(
        self,
        volume_id: str,
        size: Any = None,
        volume_type: Any = None,
        iops: Any = None,
        throughput: Any = None,
        multi_attach_enabled: Any = None,
    ) -> Any:
        """Start to change a volume; it never shrinks, and only one change runs at a time."""
        volume = self.get_volume(volume_id)
        if volume.status not in ("available", "in-use"):
            raise Ec2Error("IncorrectState", f"Volume '{volume_id}' is not available or in-use: it is {volume.status}.")
        last = volume.modifications[-1].modification_state if volume.modifications else "completed"
        if last in ("modifying", "optimizing"):
            raise Ec2Error("IncorrectModificationState", f"Cannot modify volume {volume_id}: it is in state {last.upper()}.")
        if multi_attach_enabled is not None and (volume_type or volume.volume_type) != "io2":
            raise Ec2Error("InvalidParameterCombination", f"Multi-Attach of the volume '{volume_id}' cannot be modified: it is not io2.")
        if multi_attach_enabled is not None and not (size or volume_type or iops or throughput):
            size = volume.size
        target = rules.changed_form(volume, size, volume_type, iops, throughput)
        modification = Modification(volume, target, multi_attach_enabled)
        volume.modifications.append(modification)
        lane = lane_of(volume)
        self.cloud.later(lane, lambda: self._grow(volume, target.size), lambda error: self._optimize(modification, error))
        return volume

    def describe_volumes_modifications(self, volume_ids: Optional[List[str]] = None, filters: Optional[Dict[str, Any]] = None) -> Any:
        """The last change of each volume that was ever changed."""
        volumes = self.describe_volumes(volume_ids)
        never = [volume.id for volume in volumes if not volume.modifications]
        if volume_ids and never:
            raise Ec2Error("InvalidVolumeModification.NotFound", f"Modification for volume '{never[0]}' does not exist.")
        latest = [volume.modifications[-1] for volume in volumes if volume.modifications]
        return rules.matching(filters, latest)

    def _fill(self, volume: EbsVolume) -> None:
        """Make the file behind a new volume."""

        def work() -> None:
            if self.cloud.faults.counts_down("fail_volumes"):
                raise SandboxError("the volume fails, as the faults ask for")
            self.cloud.hosting.create_volume(volume.id, volume.size, volume.snapshot_id)

        def done(error: Optional[Exception]) -> None:
            volume.phase = "error" if error else "settled"

        self.cloud.later(volume.id, work, done)

    def _grow(self, volume: EbsVolume, gibibytes: int) -> None:
        if gibibytes == volume.size:
            return
        guest = self.cloud.guest(volume.attachment.instance_id) if volume.attachment else None
        if guest:
            guest.resize(volume.id, gibibytes)
        else:
            self.cloud.hosting.grow_volume(volume.id, gibibytes)

    def _optimize(self, modification: Modification, error: Optional[Exception]) -> None:
        if error:
            modification.finish(error)
            return
        modification.take_effect()
        self.cloud.later(modification.volume_id, None, lambda _: modification.finish())

    def _usable_snapshot(self, snapshot_id: str) -> Any:
        snapshot = self.get_snapshot(snapshot_id)
        if snapshot.status != "completed":
            raise Ec2Error("IncorrectState", f"Snapshot '{snapshot_id}' is in invalid state '{snapshot.status}'.")
        return snapshot

    def _key(self, encrypted: bool, kms_key_id: Optional[str]) -> Optional[str]:
        if kms_key_id and not encrypted:
            raise Ec2Error("InvalidParameterDependency", "The parameter KmsKeyId requires the parameter Encrypted to be set.")
        if encrypted and not kms_key_id:
            return self.default_kms_key_id or self._create_default_encryption_key()
        return kms_key_id
