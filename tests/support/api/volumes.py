# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# ruff: noqa: N802 - methods are called what the operations of the API are called
"""Volumes of the account in memory."""

from __future__ import annotations

from typing import Any

from .part import ZONES, Part, error, found_by, specified, with_tags

FREE = {"InstanceId": None, "Device": None, "State": "available", "Attachment": None, "DeleteOnTermination": False}


class Volumes(Part):
    """They pass through creating and attaching, and refuse what AWS refuses."""

    def _DescribeVolumes(self, params: Any) -> Any:
        words = {"volume-id": "VolumeId", "attachment.instance-id": "InstanceId"}
        found = found_by(self.account.volumes, params, words)
        answer = [self._volume(one["VolumeId"]) for one in found]
        for one in found:
            volume = self.account.volumes[one["VolumeId"]]
            volume["Attachment"] = {"attaching": "attached"}.get(volume["Attachment"], volume["Attachment"])
            volume["State"] = {"creating": "available"}.get(volume["State"], volume["State"])
        return {"Volumes": [self._volume(one["VolumeId"]) for one in found] if self.account.quick else answer}

    def _DescribeVolumesModifications(self, params: Any) -> Any:
        wanted = params["Filters"][0]["Values"]
        return {"VolumesModifications": [{"VolumeId": one, "ModificationState": "optimizing"} for one in wanted]}

    def _volume(self, volume_id: str) -> dict[str, Any]:
        one = self.account.volumes[volume_id]
        attachment = {
            "InstanceId": one["InstanceId"],
            "Device": one["Device"],
            "State": one["Attachment"],
            "DeleteOnTermination": one["DeleteOnTermination"],
        }
        hidden = ("InstanceId", "Device", "Attachment", "DeleteOnTermination")
        shown = {name: value for name, value in with_tags(one).items() if name not in hidden}
        return {**shown, "Attachments": [attachment] if one["InstanceId"] else []}

    def _CreateVolume(self, params: Any) -> Any:
        known = self._by_token(params, "VolumeId")
        if not known:
            if params["AvailabilityZone"] not in ZONES:
                raise error("InvalidZone.NotFound")
            known = self._add_volume(params["Size"], params["VolumeType"], params["AvailabilityZone"], specified(params, "volume"))[
                "VolumeId"
            ]
            self._remember(params, known)
        return self._volume(known)

    def _add_volume(self, size: int, kind: str, zone: str, tags: dict[str, str]) -> dict[str, Any]:
        volume_id = self.account.new_id("vol")
        self.account.volumes[volume_id] = {
            "VolumeId": volume_id,
            "Size": size,
            "VolumeType": kind,
            "AvailabilityZone": zone,
            "Encrypted": False,
            "Tags": tags,
            **FREE,
            "State": "creating",
        }
        return self.account.volumes[volume_id]

    def _ModifyVolume(self, params: Any) -> Any:
        one = self.account.volumes[params["VolumeId"]]
        if params.get("Size", one["Size"]) < one["Size"]:
            raise error("InvalidParameterValue")
        one.update({name: params[name] for name in ("Size", "VolumeType", "Iops", "Throughput") if name in params})
        return {"VolumeModification": {"VolumeId": params["VolumeId"], "ModificationState": "modifying"}}

    def _AttachVolume(self, params: Any) -> Any:
        volume, instance = self.account.volumes[params["VolumeId"]], self.account.instances[params["InstanceId"]]
        if instance["State"]["Name"] not in ("running", "stopped"):
            raise error("IncorrectState")
        if volume["State"] != "available":
            raise error("VolumeInUse")
        if volume["AvailabilityZone"] != instance["Placement"]["AvailabilityZone"]:
            raise error("InvalidVolume.ZoneMismatch")
        if any((one["InstanceId"], one["Device"]) == (params["InstanceId"], params["Device"]) for one in self.account.volumes.values()):
            raise error("InvalidParameterValue")
        volume.update({"InstanceId": params["InstanceId"], "Device": params["Device"], "State": "in-use", "Attachment": "attaching"})
        return {"VolumeId": params["VolumeId"], "InstanceId": params["InstanceId"], "State": "attaching"}

    def _DetachVolume(self, params: Any) -> Any:
        self.account.volumes[params["VolumeId"]].update(FREE)

    def _DeleteVolume(self, params: Any) -> Any:
        if params["VolumeId"] not in self.account.volumes:
            raise error("InvalidVolume.NotFound")
        if self.account.volumes[params["VolumeId"]]["InstanceId"]:
            raise error("VolumeInUse")
        del self.account.volumes[params["VolumeId"]]
