# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Attaching and detaching: plugging a volume into a running machine, and pulling it out."""

from __future__ import annotations

import re
from typing import Any, Optional

from moto.core.utils import utcnow
from moto.ec2.models.block_device import BlockDeviceType
from moto.ec2.models.elastic_block_store import EBSBackend

from sandbox.ec2.shared import Shared
from sandbox.ec2.volumes import EbsVolume
from sandbox.errors import Ec2Error

DEVICE_NAME = re.compile(r"^(/dev/)?(sd[a-z]([1-9]|1[0-5])?|xvd[a-d]?[a-z]|hd[a-z])$")
#: Seconds that a guest has to let go of a disk before the volume is called busy.
DETACH_TIMEOUT = 20.0
#: The same when EC2 is told to force it: the disk is taken from the guest then.
FORCE_TIMEOUT = 2.0


class Attachment:
    """A volume at an instance: attaching, attached, detaching, busy. One object serves both views of it."""

    def __init__(self, volume: EbsVolume, instance: Any, device: str, delete_on_termination: bool) -> None:
        self.volume = volume
        self.instance = instance
        self.device = device
        self.status = "attaching"
        self.attach_time = utcnow()
        self.in_instance = BlockDeviceType(
            volume_id=volume.id,
            status="attaching",
            attach_time=self.attach_time,
            delete_on_termination=delete_on_termination,
        )

    def become(self, status: str) -> None:
        """Show `status` in both views."""
        self.status = self.in_instance.status = status

    @property
    def delete_on_termination(self) -> bool:
        return bool(self.in_instance.delete_on_termination)

    @property
    def volume_id(self) -> str:
        return self.volume.id

    @property
    def instance_id(self) -> str:
        return self.instance.id

    @property
    def is_root(self) -> bool:
        return bool(self.device == self.instance.root_device_name)


class AttachmentModel(Shared, EBSBackend):
    """The attachments of a region."""

    def attach_volume(self, volume_id: str, instance_id: str, device_path: str, delete_on_termination: bool = False) -> Attachment:
        """Attach an available volume to a running or stopped instance of its zone."""
        volume, instance = self.get_volume(volume_id), self.get_instance(instance_id)
        self._check_attach(volume, instance, device_path)
        attachment = self.put_together(volume, instance, device_path, delete_on_termination)

        def work() -> None:
            guest = self.cloud.guest(instance_id)
            if guest:
                guest.attach(volume_id)

        def done(error: Optional[Exception]) -> None:
            if error:
                self.take_apart(attachment)
            elif attachment.status == "attaching":
                attachment.become("attached")

        self.cloud.later(instance_id, work, done)
        return attachment

    def detach_volume(self, volume_id: str, instance_id: Optional[str], device_path: Optional[str], force: bool = False) -> Attachment:
        """Start to detach; the volume is called busy if the guest does not let go in time, or taken from it by `force`."""
        volume = self.get_volume(volume_id)
        attachment = self._attachment_of(volume, instance_id, device_path)
        if attachment.is_root and attachment.instance.state != "stopped":
            raise Ec2Error(
                "OperationNotPermitted",
                f"Unable to detach root volume '{volume_id}' from instance '{attachment.instance_id}'",
            )
        attachment.become("detaching")

        def work() -> None:
            guest = self.cloud.guest(attachment.instance_id)
            if guest:
                guest.detach(volume_id, FORCE_TIMEOUT if force else DETACH_TIMEOUT, force)

        def done(error: Optional[Exception]) -> None:
            if error:
                attachment.become("busy")
            else:
                self.take_apart(attachment)

        self.cloud.later(attachment.instance_id, work, done)
        return attachment

    def put_together(self, volume: EbsVolume, instance: Any, device: str, delete_on_termination: bool) -> Attachment:
        """Note that `volume` is at `instance`."""
        attachment = Attachment(volume, instance, device, delete_on_termination)
        volume.held.append(attachment)
        instance.block_device_mapping[device] = attachment.in_instance
        return attachment

    def take_apart(self, attachment: Attachment) -> None:
        """Note that they are separate again."""
        attachment.become("detached")
        attachment.volume.held.remove(attachment)
        attachment.instance.block_device_mapping.pop(attachment.device, None)

    def _check_attach(self, volume: EbsVolume, instance: Any, device: str) -> None:
        if not DEVICE_NAME.match(device or ""):
            raise Ec2Error(
                "InvalidParameterValue",
                f"Value ({device}) for parameter device is invalid. {device} is not a valid EBS device name.",
            )
        if volume.attached_to(instance.id) or (volume.attachments and not volume.multi_attach_enabled):
            raise Ec2Error("VolumeInUse", f"{volume.id} is already attached to an instance")
        if volume.status not in ("available", "in-use"):
            raise Ec2Error("IncorrectState", f"Volume '{volume.id}' is not 'available': it is '{volume.status}'.")
        if instance.state not in ("running", "stopped"):
            raise Ec2Error("IncorrectState", f"Instance '{instance.id}' is not 'running': it is '{instance.state}'.")
        if volume.availability_zone != instance.availability_zone:
            raise Ec2Error(
                "InvalidVolume.ZoneMismatch",
                f"The volume '{volume.id}' is not in the same availability zone as instance '{instance.id}'",
            )
        if device in instance.block_device_mapping:
            raise Ec2Error(
                "InvalidParameterValue",
                f"Invalid value '{device}' for unixDevice. Attachment point {device} is already in use",
            )

    def _attachment_of(self, volume: EbsVolume, instance_id: Optional[str], device: Optional[str]) -> Attachment:
        if len(volume.attachments) > 1 and not instance_id:
            raise Ec2Error("InvalidParameterCombination", f"Volume '{volume.id}' is attached to several instances: say which.")
        attachment = volume.attached_to(instance_id) or volume.attachment if instance_id else volume.attachment
        if attachment is None:
            raise Ec2Error("IncorrectState", f"Volume '{volume.id}' is in the 'available' state.")
        if (instance_id and instance_id != attachment.instance_id) or (device and device != attachment.device):
            raise Ec2Error(
                "InvalidAttachment.NotFound",
                f"The attachment of volume '{volume.id}' to instance '{instance_id}' as {device} does not exist.",
            )
        if attachment.status == "detaching":
            raise Ec2Error("IncorrectState", f"Volume '{volume.id}' is in the 'detaching' state.")
        return attachment
