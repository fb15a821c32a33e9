# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# ruff: noqa: N802 - methods are called what the operations of the API are called
"""Instances and images of the account in memory."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import CallFailed

from .addresses import take_off
from .part import OWNER, VPC, Part, error, found_by, passes, specified, with_tags
from .volumes import FREE

#: {what ModifyInstanceAttribute calls it: what a launch gives it}; DescribeInstances does not tell these.
HIDDEN = {"DisableApiTermination": False, "DisableApiStop": False, "InstanceInitiatedShutdownBehavior": "stop", "UserData": None}
PROFILES = ("web", "db")


class Instances(Part):
    """They pass through their states, need their tokens, and are stopped before some attributes change."""

    def _DescribeImages(self, params: Any) -> Any:
        words = {"name": "Name", "image-id": "ImageId"}
        return {"Images": [one for one in self.account.images if passes(one, params.get("Filters", ()), words)]}

    def _DescribeInstances(self, params: Any) -> Any:
        found = found_by(self.account.instances, params, {"instance-id": "InstanceId"})
        answer = [self._instance(one["InstanceId"]) for one in found]
        for one in found:
            state = self.account.instances[one["InstanceId"]]["State"]
            state["Name"] = {"pending": "running", "stopping": "stopped", "shutting-down": "terminated"}.get(state["Name"], state["Name"])
        answer = [self._instance(one["InstanceId"]) for one in found] if self.account.quick else answer
        return {"Reservations": [{"Instances": [one]} for one in answer]}

    def _instance(self, instance_id: str) -> dict[str, Any]:
        one = self.account.instances[instance_id]
        mappings = [
            {
                "DeviceName": volume["Device"],
                "Ebs": {"VolumeId": volume["VolumeId"], "DeleteOnTermination": volume["DeleteOnTermination"]},
            }
            for volume in self.account.volumes.values()
            if volume["InstanceId"] == instance_id
        ]
        groups = [{"GroupId": group, "GroupName": self.account.groups[group]["GroupName"]} for group in one["Groups"]]
        interface: dict[str, Any] = {"NetworkInterfaceId": f"eni-{instance_id}", "Attachment": {"DeviceIndex": 0}, "Groups": groups}
        own = [
            address["PublicIp"]
            for address in self.account.addresses.values()
            if address.get("NetworkInterfaceId") == interface["NetworkInterfaceId"]
        ]
        ip = {"PrivateIpAddress": one["PrivateIpAddress"], "Primary": True}
        interface["PrivateIpAddresses"] = [{**ip, **({"Association": {"PublicIp": own[0], "IpOwnerId": OWNER}} if own else {})}]
        more = [
            {"NetworkInterfaceId": eni, "Attachment": {"DeviceIndex": 1}}
            for eni, other in self.account.interfaces.items()
            if other["InstanceId"] == instance_id
        ]
        interface["Association"] = {"PublicIp": own[0] if own else "198.51.100.1", "IpOwnerId": OWNER if own else "amazon"}
        return {
            **with_tags(one),
            "BlockDeviceMappings": mappings,
            "NetworkInterfaces": [*one.get("MoreInterfaces", ()), *more, interface],
            "SecurityGroups": groups,
        }

    def _RunInstances(self, params: Any) -> Any:
        known = self._by_token(params, "InstanceId")
        if known:
            if self.account.instances[known]["State"]["Name"] in ("shutting-down", "terminated"):
                raise error("IdempotentInstanceTerminated")
            return {"Instances": [self._instance(known)]}
        where = (params.get("Placement") or {}).get("AvailabilityZone")
        if {params["InstanceType"], where} & self.account.full:
            raise error("InsufficientInstanceCapacity")
        if params.get("KeyName") not in (None, *self.account.key_pairs):
            raise error("InvalidKeyPair.NotFound")
        default = next(one["GroupId"] for one in self.account.groups.values() if one["GroupName"] == "default")
        groups = params.get("SecurityGroupIds") or [default]
        if not set(groups) <= set(self.account.groups):
            raise error("InvalidGroup.NotFound")
        subnet_zone = f"us-east-1{params['SubnetId'][-1]}" if params.get("SubnetId") else "us-east-1a"
        zone = (params.get("Placement") or {}).get("AvailabilityZone") or subnet_zone
        instance_id = self.account.new_id("i")
        self.account.instances[instance_id] = {
            "InstanceId": instance_id,
            "ImageId": params["ImageId"],
            "InstanceType": params["InstanceType"],
            "KeyName": params.get("KeyName"),
            "State": {"Name": "pending"},
            "Placement": {"AvailabilityZone": zone, "Tenancy": "default", **params.get("Placement", {})},
            "RootDeviceName": "/dev/xvda",
            "PrivateIpAddress": params.get("PrivateIpAddress") or f"10.0.0.{self.account._count}",
            "EbsOptimized": params.get("EbsOptimized", False),
            **({"InstanceLifecycle": "spot", "SpotInstanceRequestId": "sir-1"} if params.get("InstanceMarketOptions") else {}),
            "Monitoring": {"State": "enabled" if params.get("Monitoring", {}).get("Enabled") else "disabled"},
            "MetadataOptions": {"HttpTokens": "optional", **params.get("MetadataOptions", {})},
            "VpcId": VPC,
            "SubnetId": params.get("SubnetId") or f"subnet-{zone[-1]}",
            "Groups": groups,
            "Tags": specified(params, "instance"),
        }
        self.account.hidden[instance_id] = {
            **{name: params.get(name, value) for name, value in HIDDEN.items()},
            "CpuCredits": params.get("CreditSpecification", {}).get("CpuCredits", "unlimited"),
        }
        if "IamInstanceProfile" in params:
            self._profile(instance_id, params["IamInstanceProfile"])
        disk = next((one["Ebs"] for one in params.get("BlockDeviceMappings", ())), {})
        root = self._add_volume(disk.get("VolumeSize", 8), disk.get("VolumeType", "gp3"), zone, specified(params, "volume"))
        root["Encrypted"] = disk.get("Encrypted", False)
        root.update({"InstanceId": instance_id, "Device": "/dev/xvda", "State": "in-use", "Attachment": "attached"})
        root["DeleteOnTermination"] = disk.get("DeleteOnTermination", True)
        self._remember(params, instance_id)
        return {"Instances": [self._instance(instance_id)]}

    def _state(self, params: Any, allowed: tuple[str, ...], new: str) -> None:
        for instance_id in params["InstanceIds"]:
            state = self.account.instances[instance_id]["State"]
            if state["Name"] not in allowed:
                raise error("IncorrectInstanceState")
            state["Name"] = new

    def _StartInstances(self, params: Any) -> Any:
        self._state(params, ("stopped", "running"), "pending")

    def _StopInstances(self, params: Any) -> Any:
        self._refuse_protected(params, "DisableApiStop")
        self._state(params, ("running", "stopped"), "stopping")

    def _RebootInstances(self, params: Any) -> Any:
        self._state(params, ("running",), "running")

    def _refuse_protected(self, params: Any, attribute: str) -> None:
        if any(self.account.hidden[one][attribute] for one in params["InstanceIds"]):
            raise error("OperationNotPermitted")

    def _TerminateInstances(self, params: Any) -> Any:
        self._refuse_protected(params, "DisableApiTermination")
        self._state(params, ("pending", "running", "stopping", "stopped", "shutting-down", "terminated"), "shutting-down")
        for volume in list(self.account.volumes.values()):
            if volume["InstanceId"] in params["InstanceIds"]:
                if volume["DeleteOnTermination"]:
                    del self.account.volumes[volume["VolumeId"]]
                else:
                    volume.update(FREE)
        for instance_id in params["InstanceIds"]:
            self.account.instances[instance_id]["Groups"] = []
        for address in self.account.addresses.values():
            if address.get("InstanceId") in params["InstanceIds"]:
                take_off(address)

    def _ModifyInstanceAttribute(self, params: Any) -> Any:
        one = self.account.instances[params["InstanceId"]]
        for name in ("InstanceType", "EbsOptimized", "UserData"):
            if name in params:
                if one["State"]["Name"] != "stopped":
                    raise error("IncorrectInstanceState")
                place = self.account.hidden[params["InstanceId"]] if name in HIDDEN else one
                place[name] = params[name]["Value"]
        for name in ("DisableApiTermination", "DisableApiStop", "InstanceInitiatedShutdownBehavior"):
            if name in params:
                self.account.hidden[params["InstanceId"]][name] = params[name]["Value"]
        for mapping in params.get("BlockDeviceMappings", ()):
            for volume in self.account.volumes.values():
                if (volume["InstanceId"], volume["Device"]) == (params["InstanceId"], mapping["DeviceName"]):
                    volume["DeleteOnTermination"] = mapping["Ebs"]["DeleteOnTermination"]

    def _DescribeInstanceStatus(self, params: Any) -> Any:
        running = [one for one in params["InstanceIds"] if self.account.instances[one]["State"]["Name"] == "running"]
        answer = []
        for one in running:
            looks = self.account.hidden[one]["Looks"] = self.account.hidden[one].get("Looks", 0) + 1
            status = {"Status": "ok" if looks > 2 else "initializing"}
            answer.append({"InstanceId": one, "InstanceStatus": status, "SystemStatus": status})
        return {"InstanceStatuses": answer}

    def _CancelSpotInstanceRequests(self, params: Any) -> Any:
        return {}

    def _DescribeInstanceAttribute(self, params: Any) -> Any:
        name = params["Attribute"][0].upper() + params["Attribute"][1:]
        value = self.account.hidden[params["InstanceId"]][name]
        if name == "UserData" and value is not None:
            value = base64.b64encode(value.encode() if isinstance(value, str) else value).decode()
        return {name: {"Value": value} if value is not None else {}}

    def _ModifyInstancePlacement(self, params: Any) -> Any:
        one = self.account.instances[params.pop("InstanceId")]
        if one["State"]["Name"] != "stopped":
            raise error("IncorrectInstanceState")
        one["Placement"].update(params)

    def _MonitorInstances(self, params: Any) -> Any:
        for instance_id in params["InstanceIds"]:
            self.account.instances[instance_id]["Monitoring"]["State"] = "pending"

    def _UnmonitorInstances(self, params: Any) -> Any:
        for instance_id in params["InstanceIds"]:
            self.account.instances[instance_id]["Monitoring"]["State"] = "disabled"

    def _DescribeInstanceCreditSpecifications(self, params: Any) -> Any:
        ids = params["Filters"][0]["Values"]
        return {"InstanceCreditSpecifications": [{"InstanceId": one, "CpuCredits": self.account.hidden[one]["CpuCredits"]} for one in ids]}

    def _ModifyInstanceCreditSpecification(self, params: Any) -> Any:
        for one in params["InstanceCreditSpecifications"]:
            self.account.hidden[one["InstanceId"]]["CpuCredits"] = one["CpuCredits"]

    def _DescribeIamInstanceProfileAssociations(self, params: Any) -> Any:
        ids = params["Filters"][0]["Values"]
        found = [(association, one) for association, one in self.account.associations.items() if one in ids]
        return {
            "IamInstanceProfileAssociations": [
                {"AssociationId": association, "InstanceId": one, "State": "associated"} for association, one in found
            ]
        }

    def _profile(self, instance_id: str, profile: Mapping[str, str]) -> None:
        name = profile.get("Name") or profile["Arn"].rsplit("/", 1)[-1]
        if name not in PROFILES:
            raise CallFailed(f"Invalid IAM Instance Profile name: {name}", code="InvalidParameterValue")
        arn = f"arn:aws:iam::123456789012:instance-profile/{name}"
        self.account.instances[instance_id]["IamInstanceProfile"] = {"Arn": arn}
        self.account.associations[self.account.new_id("iip-assoc")] = instance_id

    def _AssociateIamInstanceProfile(self, params: Any) -> Any:
        if params["InstanceId"] in self.account.associations.values():
            raise error("IncorrectState")
        self._profile(params["InstanceId"], params["IamInstanceProfile"])

    def _ReplaceIamInstanceProfileAssociation(self, params: Any) -> Any:
        instance_id = self.account.associations.pop(params["AssociationId"])
        self._profile(instance_id, params["IamInstanceProfile"])

    def _DisassociateIamInstanceProfile(self, params: Any) -> Any:
        del self.account.instances[self.account.associations.pop(params["AssociationId"])]["IamInstanceProfile"]

    def _ModifyInstanceMetadataOptions(self, params: Any) -> Any:
        self.account.instances[params.pop("InstanceId")]["MetadataOptions"].update(params)
