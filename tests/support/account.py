# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# ruff: noqa: N802 - methods are called what the operations of the API are called
"""A small, strict EC2 in memory, for tests of plans: it keeps tokens, passing states and the errors that AWS has.

It stands where the client of the collection stands (`call`, `pages`, …), so no network and no library is in between.
"""

from __future__ import annotations

import base64
import copy
import fnmatch
import json
import threading
from collections.abc import Mapping
from typing import Any

from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import CallFailed

ZONES = {"us-east-1a": "use1-az1", "us-east-1b": "use1-az2", "us-east-1c": "use1-az4"}
VPC = "vpc-1"
OWNER = "111111111111"
PREFIX_LISTS = [{"PrefixListName": "com.amazonaws.us-east-1.s3", "PrefixListId": "pl-63a5400a"}]
_DISK = {"RootDeviceName": "/dev/xvda", "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8, "VolumeType": "gp3"}}]}
IMAGES = (
    {"ImageId": "ami-1", "Name": "debian-12-amd64-20240101", "OwnerId": "136693071363", "CreationDate": "2024-01-01T00:00:00Z", **_DISK},
    {"ImageId": "ami-2", "Name": "debian-12-amd64-20250101", "OwnerId": "136693071363", "CreationDate": "2025-01-01T00:00:00Z", **_DISK},
)
#: {what ModifyInstanceAttribute calls it: what a launch gives it}; DescribeInstances does not tell these.
HIDDEN = {"DisableApiTermination": False, "DisableApiStop": False, "InstanceInitiatedShutdownBehavior": "stop", "UserData": None}
PROFILES = ("web", "db")
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJSN2Nu/2AhHGSBzD1RnEk4kpUpp4ZvfQeFzPjSzqwYb"


class Killed(BaseException):
    """The process ends here, as by SIGKILL: nothing below may catch it."""


class Account:
    """What is in the account. `calls` lists the operations carried out, in order.

    A passing state (pending, creating, …) is seen once before it is over; with `quick` it is over when it is looked at.
    """

    def __init__(self, quick: bool = False) -> None:
        self.quick = quick
        self.key_pairs: dict[str, dict[str, Any]] = {}
        self.groups: dict[str, dict[str, Any]] = {}
        self.instances: dict[str, dict[str, Any]] = {}
        self.volumes: dict[str, dict[str, Any]] = {}
        self.addresses: dict[str, dict[str, Any]] = {}
        #: Zones and instance types that have no room.
        self.full: set[str] = set()
        self.hidden: dict[str, dict[str, Any]] = {}
        self.associations: dict[str, str] = {}
        self.tokens: dict[str, tuple[str, str]] = {}
        self.calls: list[str] = []
        self.images = IMAGES
        self._count = 0
        self.add_group("default", "default group", {})

    def new_id(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}-{self._count:08x}"

    def add_group(self, name: str, description: str, tags: Mapping[str, str]) -> str:
        group_id = self.new_id("sg")
        everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        self.groups[group_id] = {
            "GroupId": group_id,
            "GroupName": name,
            "Description": description,
            "VpcId": VPC,
            "OwnerId": OWNER,
            "IpPermissions": [],
            "IpPermissionsEgress": [everything],
            "Tags": dict(tags),
        }
        return group_id

    def live(self) -> list[dict[str, Any]]:
        """Instances that are not terminated."""
        return [one for one in self.instances.values() if one["State"]["Name"] not in ("shutting-down", "terminated")]

    def summary(self) -> dict[str, Any]:
        """What is there without ids and addresses, to compare two ways to the same end."""
        names = {one["GroupId"]: one["GroupName"] for one in self.groups.values()}
        members = {one["InstanceId"]: one["Tags"].get("Name") for one in self.live()}
        return {
            "key_pairs": sorted((one["KeyName"], _tags(one)) for one in self.key_pairs.values()),
            "groups": sorted((one["GroupName"], _tags(one), _rules(one, names)) for one in self.groups.values()),
            "instances": sorted(
                (
                    _tags(one),
                    one["State"]["Name"],
                    one["InstanceType"],
                    sorted(names[group] for group in one["Groups"]),
                    str({name: one.get(name) for name in ("IamInstanceProfile", "Monitoring", "EbsOptimized", "ImageId", "Placement")}),
                    str(self.hidden[one["InstanceId"]]),
                )
                for one in self.live()
            ),
            "volumes": sorted(
                (_tags(one), one["Size"], one["VolumeType"], members.get(one["InstanceId"], "")) for one in self.volumes.values()
            ),
            "addresses": sorted((_tags(one), members.get(one.get("InstanceId"), "")) for one in self.addresses.values()),
        }


class Api:
    """The collection's client over an Account. `allow` gives the number of calls after which the process is killed."""

    region = "us-east-1"
    endpoint = "http://127.0.0.1:1"
    is_local = True

    def __init__(self, account: Account, allow: int | None = None) -> None:
        self.account = account
        self.allow = allow
        self._lock = threading.Lock()

    def api(self) -> dict[str, Any]:
        return {"calls": len(self.account.calls), "retries": 0, "seconds": 0.0}

    def pages(self, operation: str, result: str, params: Mapping[str, Any]) -> list[dict[str, Any]]:
        return list(self.call(operation, params)[result])

    def call_once(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        return self.call(operation, params)

    def call(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        with self._lock:
            if self.allow is not None:
                if self.allow <= 0:
                    raise Killed
                self.allow -= 1
            self.account.calls.append(operation)
            answer = getattr(self, f"_{operation}")(copy.deepcopy(dict(params)))
            return copy.deepcopy(answer or {})

    # --- what is read -----------------------------------------------------------------------------------------------

    def _DescribeAvailabilityZones(self, params: Any) -> Any:
        return {"AvailabilityZones": [{"ZoneName": name, "ZoneId": zone_id} for name, zone_id in ZONES.items()]}

    def _DescribeImages(self, params: Any) -> Any:
        words = {"name": "Name", "image-id": "ImageId"}
        return {"Images": [one for one in self.account.images if _passes(one, params.get("Filters", ()), words)]}

    def _DescribeSubnets(self, params: Any) -> Any:
        subnets = [{"SubnetId": f"subnet-{zone[-1]}", "AvailabilityZone": zone, "VpcId": VPC, "DefaultForAz": True} for zone in ZONES]
        return {"Subnets": [one for one in subnets if _passes(one, params.get("Filters", ()), {"subnet-id": "SubnetId"})]}

    def _DescribeManagedPrefixLists(self, params: Any) -> Any:
        words = {"prefix-list-name": "PrefixListName"}
        return {"PrefixLists": [one for one in PREFIX_LISTS if _passes(one, params["Filters"], words)]}

    def _DescribeKeyPairs(self, params: Any) -> Any:
        return {"KeyPairs": _found(self.account.key_pairs, params, {"key-name": "KeyName"})}

    def _DescribeSecurityGroups(self, params: Any) -> Any:
        return {"SecurityGroups": _found(self.account.groups, params, {"group-name": "GroupName", "group-id": "GroupId"})}

    def _DescribeAddresses(self, params: Any) -> Any:
        words = {"allocation-id": "AllocationId", "instance-id": "InstanceId", "public-ip": "PublicIp"}
        return {"Addresses": _found(self.account.addresses, params, words)}

    def _DescribeVolumes(self, params: Any) -> Any:
        words = {"volume-id": "VolumeId", "attachment.instance-id": "InstanceId"}
        found = _found(self.account.volumes, params, words)
        answer = [self._volume(one["VolumeId"]) for one in found]
        for one in found:
            volume = self.account.volumes[one["VolumeId"]]
            volume["Attachment"] = {"attaching": "attached"}.get(volume["Attachment"], volume["Attachment"])
            volume["State"] = {"creating": "available"}.get(volume["State"], volume["State"])
        return {"Volumes": [self._volume(one["VolumeId"]) for one in found] if self.account.quick else answer}

    def _DescribeVolumesModifications(self, params: Any) -> Any:
        wanted = params["Filters"][0]["Values"]
        return {"VolumesModifications": [{"VolumeId": one, "ModificationState": "optimizing"} for one in wanted]}

    def _DescribeInstances(self, params: Any) -> Any:
        found = _found(self.account.instances, params, {"instance-id": "InstanceId"})
        answer = [self._instance(one["InstanceId"]) for one in found]
        for one in found:
            state = self.account.instances[one["InstanceId"]]["State"]
            state["Name"] = {"pending": "running", "stopping": "stopped", "shutting-down": "terminated"}.get(state["Name"], state["Name"])
        answer = [self._instance(one["InstanceId"]) for one in found] if self.account.quick else answer
        return {"Reservations": [{"Instances": [one]} for one in answer]}

    def _instance(self, instance_id: str) -> dict[str, Any]:
        one = self.account.instances[instance_id]
        mappings = [
            {"DeviceName": volume["Device"], "Ebs": {"VolumeId": volume["VolumeId"]}}
            for volume in self.account.volumes.values()
            if volume["InstanceId"] == instance_id
        ]
        groups = [{"GroupId": group, "GroupName": self.account.groups[group]["GroupName"]} for group in one["Groups"]]
        interface: dict[str, Any] = {"NetworkInterfaceId": f"eni-{instance_id}", "Attachment": {"DeviceIndex": 0}, "Groups": groups}
        own = [address["PublicIp"] for address in self.account.addresses.values() if address.get("InstanceId") == instance_id]
        interface["Association"] = {"PublicIp": own[0] if own else "198.51.100.1", "IpOwnerId": OWNER if own else "amazon"}
        return {
            **_with_tags(one),
            "BlockDeviceMappings": mappings,
            "NetworkInterfaces": [*one.get("MoreInterfaces", ()), interface],
            "SecurityGroups": groups,
        }

    def _volume(self, volume_id: str) -> dict[str, Any]:
        one = self.account.volumes[volume_id]
        attachment = {
            "InstanceId": one["InstanceId"],
            "Device": one["Device"],
            "State": one["Attachment"],
            "DeleteOnTermination": one["DeleteOnTermination"],
        }
        hidden = ("InstanceId", "Device", "Attachment", "DeleteOnTermination")
        shown = {name: value for name, value in _with_tags(one).items() if name not in hidden}
        return {**shown, "Attachments": [attachment] if one["InstanceId"] else []}

    # --- what changes something -------------------------------------------------------------------------------------

    def _CreateTags(self, params: Any) -> Any:
        for resource in params["Resources"]:
            if not resource.startswith("eni-"):
                self._any(resource)["Tags"].update({tag["Key"]: tag["Value"] for tag in params["Tags"]})

    def _DeleteTags(self, params: Any) -> Any:
        for resource in params["Resources"]:
            if not resource.startswith("eni-"):
                for tag in params["Tags"]:
                    self._any(resource)["Tags"].pop(tag["Key"], None)

    def _any(self, resource: str) -> dict[str, Any]:
        account = self.account
        for kind in (account.instances, account.volumes, account.addresses, account.groups):
            if resource in kind:
                return kind[resource]
        return next(one for one in account.key_pairs.values() if one["KeyPairId"] == resource)

    def _ImportKeyPair(self, params: Any) -> Any:
        name = params["KeyName"]
        if name in self.account.key_pairs:
            raise _error("InvalidKeyPair.Duplicate")
        one = {
            "KeyPairId": self.account.new_id("key"),
            "KeyName": name,
            "KeyType": "rsa" if params["PublicKeyMaterial"].startswith("ssh-rsa") else "ed25519",
            "KeyFingerprint": "aa:bb",
            "PublicKey": params["PublicKeyMaterial"],
            "Tags": _specified(params, "key-pair"),
        }
        self.account.key_pairs[name] = one
        return one

    def _DeleteKeyPair(self, params: Any) -> Any:
        self.account.key_pairs.pop(params["KeyName"], None)

    def _CreateSecurityGroup(self, params: Any) -> Any:
        if any(one["GroupName"] == params["GroupName"] for one in self.account.groups.values()):
            raise _error("InvalidGroup.Duplicate")
        return {"GroupId": self.account.add_group(params["GroupName"], params["Description"], _specified(params, "security-group"))}

    def _DeleteSecurityGroup(self, params: Any) -> Any:
        group_id = params["GroupId"]
        if group_id not in self.account.groups:
            raise _error("InvalidGroup.NotFound")
        named = [one for one in self.account.groups.values() if one["GroupId"] != group_id and group_id in json.dumps(one["IpPermissions"])]
        if named or any(group_id in one["Groups"] for one in self.account.live()):
            raise _error("DependencyViolation")
        del self.account.groups[group_id]

    def _AuthorizeSecurityGroupIngress(self, params: Any) -> Any:
        self._authorize(params, "IpPermissions")

    def _AuthorizeSecurityGroupEgress(self, params: Any) -> Any:
        self._authorize(params, "IpPermissionsEgress")

    def _authorize(self, params: Any, place: str) -> None:
        rules = self.account.groups[params["GroupId"]][place]
        if any(_same_rule(one, new) for one in rules for new in params["IpPermissions"]):
            raise _error("InvalidPermission.Duplicate")
        rules.extend(params["IpPermissions"])

    def _RevokeSecurityGroupIngress(self, params: Any) -> Any:
        self._revoke(params, "IpPermissions")

    def _RevokeSecurityGroupEgress(self, params: Any) -> Any:
        self._revoke(params, "IpPermissionsEgress")

    def _revoke(self, params: Any, place: str) -> None:
        group = self.account.groups[params["GroupId"]]
        if not all(any(_same_rule(one, old) for one in group[place]) for old in params["IpPermissions"]):
            raise _error("InvalidPermission.NotFound")
        group[place] = [one for one in group[place] if not any(_same_rule(one, old) for old in params["IpPermissions"])]

    def _UpdateSecurityGroupRuleDescriptionsIngress(self, params: Any) -> Any:
        self._describe_rules(params, "IpPermissions")

    def _UpdateSecurityGroupRuleDescriptionsEgress(self, params: Any) -> Any:
        self._describe_rules(params, "IpPermissionsEgress")

    def _describe_rules(self, params: Any, place: str) -> None:
        group = self.account.groups[params["GroupId"]]
        for new in params["IpPermissions"]:
            group[place] = [new if _same_rule(one, new) else one for one in group[place]]

    def _RunInstances(self, params: Any) -> Any:
        known = self._by_token(params, "InstanceId")
        if known:
            if self.account.instances[known]["State"]["Name"] in ("shutting-down", "terminated"):
                raise _error("IdempotentInstanceTerminated")
            return {"Instances": [self._instance(known)]}
        where = (params.get("Placement") or {}).get("AvailabilityZone")
        if {params["InstanceType"], where} & self.account.full:
            raise _error("InsufficientInstanceCapacity")
        if params.get("KeyName") not in (None, *self.account.key_pairs):
            raise _error("InvalidKeyPair.NotFound")
        default = next(one["GroupId"] for one in self.account.groups.values() if one["GroupName"] == "default")
        groups = params.get("SecurityGroupIds") or [default]
        if not set(groups) <= set(self.account.groups):
            raise _error("InvalidGroup.NotFound")
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
            "Tags": _specified(params, "instance"),
        }
        self.account.hidden[instance_id] = {
            **{name: params.get(name, value) for name, value in HIDDEN.items()},
            "CpuCredits": params.get("CreditSpecification", {}).get("CpuCredits", "unlimited"),
        }
        if "IamInstanceProfile" in params:
            self._profile(instance_id, params["IamInstanceProfile"])
        disk = next((one["Ebs"] for one in params.get("BlockDeviceMappings", ())), {})
        root = self._add_volume(disk.get("VolumeSize", 8), disk.get("VolumeType", "gp3"), zone, _specified(params, "volume"))
        root["Encrypted"] = disk.get("Encrypted", False)
        root.update({"InstanceId": instance_id, "Device": "/dev/xvda", "State": "in-use", "Attachment": "attached"})
        root["DeleteOnTermination"] = disk.get("DeleteOnTermination", True)
        self._remember(params, instance_id)
        return {"Instances": [self._instance(instance_id)]}

    def _state(self, params: Any, allowed: tuple[str, ...], new: str) -> None:
        for instance_id in params["InstanceIds"]:
            state = self.account.instances[instance_id]["State"]
            if state["Name"] not in allowed:
                raise _error("IncorrectInstanceState")
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
            raise _error("OperationNotPermitted")

    def _TerminateInstances(self, params: Any) -> Any:
        self._refuse_protected(params, "DisableApiTermination")
        self._state(params, ("pending", "running", "stopping", "stopped", "shutting-down", "terminated"), "shutting-down")
        for volume in list(self.account.volumes.values()):
            if volume["InstanceId"] in params["InstanceIds"]:
                if volume["DeleteOnTermination"]:
                    del self.account.volumes[volume["VolumeId"]]
                else:
                    volume.update(_FREE)
        for instance_id in params["InstanceIds"]:
            self.account.instances[instance_id]["Groups"] = []
        for address in self.account.addresses.values():
            if address.get("InstanceId") in params["InstanceIds"]:
                address.pop("InstanceId")
                address.pop("AssociationId")

    def _ModifyInstanceAttribute(self, params: Any) -> Any:
        one = self.account.instances[params["InstanceId"]]
        for name in ("InstanceType", "EbsOptimized", "UserData"):
            if name in params:
                if one["State"]["Name"] != "stopped":
                    raise _error("IncorrectInstanceState")
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
            raise _error("IncorrectInstanceState")
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
            raise _error("IncorrectState")
        self._profile(params["InstanceId"], params["IamInstanceProfile"])

    def _ReplaceIamInstanceProfileAssociation(self, params: Any) -> Any:
        instance_id = self.account.associations.pop(params["AssociationId"])
        self._profile(instance_id, params["IamInstanceProfile"])

    def _DisassociateIamInstanceProfile(self, params: Any) -> Any:
        del self.account.instances[self.account.associations.pop(params["AssociationId"])]["IamInstanceProfile"]

    def _ModifyInstanceMetadataOptions(self, params: Any) -> Any:
        self.account.instances[params.pop("InstanceId")]["MetadataOptions"].update(params)

    def _ModifyNetworkInterfaceAttribute(self, params: Any) -> Any:
        self.account.instances[params["NetworkInterfaceId"].removeprefix("eni-")]["Groups"] = params["Groups"]

    def _CreateVolume(self, params: Any) -> Any:
        known = self._by_token(params, "VolumeId")
        if not known:
            if params["AvailabilityZone"] not in ZONES:
                raise _error("InvalidZone.NotFound")
            known = self._add_volume(params["Size"], params["VolumeType"], params["AvailabilityZone"], _specified(params, "volume"))[
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
            **_FREE,
            "State": "creating",
        }
        return self.account.volumes[volume_id]

    def _ModifyVolume(self, params: Any) -> Any:
        one = self.account.volumes[params["VolumeId"]]
        if params.get("Size", one["Size"]) < one["Size"]:
            raise _error("InvalidParameterValue")
        one.update({name: params[name] for name in ("Size", "VolumeType", "Iops", "Throughput") if name in params})
        return {"VolumeModification": {"VolumeId": params["VolumeId"], "ModificationState": "modifying"}}

    def _AttachVolume(self, params: Any) -> Any:
        volume, instance = self.account.volumes[params["VolumeId"]], self.account.instances[params["InstanceId"]]
        if instance["State"]["Name"] not in ("running", "stopped"):
            raise _error("IncorrectState")
        if volume["State"] != "available":
            raise _error("VolumeInUse")
        if volume["AvailabilityZone"] != instance["Placement"]["AvailabilityZone"]:
            raise _error("InvalidVolume.ZoneMismatch")
        if any((one["InstanceId"], one["Device"]) == (params["InstanceId"], params["Device"]) for one in self.account.volumes.values()):
            raise _error("InvalidParameterValue")
        volume.update({"InstanceId": params["InstanceId"], "Device": params["Device"], "State": "in-use", "Attachment": "attaching"})
        return {"VolumeId": params["VolumeId"], "InstanceId": params["InstanceId"], "State": "attaching"}

    def _DetachVolume(self, params: Any) -> Any:
        self.account.volumes[params["VolumeId"]].update(_FREE)

    def _DeleteVolume(self, params: Any) -> Any:
        if params["VolumeId"] not in self.account.volumes:
            raise _error("InvalidVolume.NotFound")
        if self.account.volumes[params["VolumeId"]]["InstanceId"]:
            raise _error("VolumeInUse")
        del self.account.volumes[params["VolumeId"]]

    def _AllocateAddress(self, params: Any) -> Any:
        number = len(self.account.addresses) + 1
        one = {"AllocationId": self.account.new_id("eipalloc"), "PublicIp": f"192.0.2.{number}", "Tags": _specified(params, "elastic-ip")}
        self.account.addresses[one["AllocationId"]] = one
        return one

    def _AssociateAddress(self, params: Any) -> Any:
        if self.account.instances[params["InstanceId"]]["State"]["Name"] not in ("running", "stopped"):
            raise _error("IncorrectInstanceState")
        one = self.account.addresses[params["AllocationId"]]
        for other in self.account.addresses.values():
            if other.get("InstanceId") == params["InstanceId"]:
                del other["InstanceId"], other["AssociationId"]
        one.update({"InstanceId": params["InstanceId"], "AssociationId": self.account.new_id("eipassoc")})
        return {"AssociationId": one["AssociationId"]}

    def _DisassociateAddress(self, params: Any) -> Any:
        for one in self.account.addresses.values():
            if one.get("AssociationId") == params["AssociationId"]:
                del one["InstanceId"], one["AssociationId"]
                return
        raise _error("InvalidAssociationID.NotFound")

    def _ReleaseAddress(self, params: Any) -> Any:
        if self.account.addresses[params["AllocationId"]].get("InstanceId"):
            raise _error("InvalidIPAddress.InUse")
        del self.account.addresses[params["AllocationId"]]

    def _by_token(self, params: Any, word: str) -> str | None:
        token, wish = params.pop("ClientToken"), json.dumps(params, sort_keys=True, default=str)
        params["ClientToken"] = token
        if token not in self.account.tokens:
            return None
        old, known = self.account.tokens[token]
        if old != wish:
            raise _error("IdempotentParameterMismatch")
        return known

    def _remember(self, params: Any, known: str) -> None:
        wish = {name: value for name, value in params.items() if name != "ClientToken"}
        self.account.tokens[params["ClientToken"]] = (json.dumps(wish, sort_keys=True, default=str), known)


_FREE = {"InstanceId": None, "Device": None, "State": "available", "Attachment": None, "DeleteOnTermination": False}


def _error(code: str) -> CallFailed:
    return CallFailed(code, code=code)


def _specified(params: Mapping[str, Any], kind: str) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for one in params.get("TagSpecifications", ()) if one["ResourceType"] == kind for tag in one["Tags"]}


def _with_tags(one: Mapping[str, Any]) -> dict[str, Any]:
    return {**one, "Tags": [{"Key": key, "Value": value} for key, value in one["Tags"].items()]}


def _found(kind: Mapping[str, dict[str, Any]], params: Mapping[str, Any], words: Mapping[str, str]) -> list[dict[str, Any]]:
    return [_with_tags(one) for one in kind.values() if _passes(one, params.get("Filters", ()), words)]


def _passes(one: Mapping[str, Any], filters: Any, words: Mapping[str, str]) -> bool:
    for condition in filters:
        name = condition["Name"]
        value = one["Tags"].get(name[4:]) if name.startswith("tag:") else one.get(words[name])
        if value is None or not any(fnmatch.fnmatchcase(value, pattern) for pattern in condition["Values"]):
            return False
    return True


def _source(permission: Mapping[str, Any]) -> Any:
    places = ("IpRanges", "Ipv6Ranges", "UserIdGroupPairs", "PrefixListIds")
    sources = [
        sorted((key, value) for key, value in entry.items() if key != "Description")
        for place in places
        for entry in permission.get(place, ())
    ]
    return (permission["IpProtocol"], permission.get("FromPort"), permission.get("ToPort"), sources)


def _same_rule(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return bool(_source(one) == _source(other))


def _tags(one: Mapping[str, Any]) -> list[tuple[str, str]]:
    return sorted(one["Tags"].items())


def _rules(group: Mapping[str, Any], names: Mapping[str, str]) -> list[str]:
    text = [json.dumps(one, sort_keys=True) for one in group["IpPermissions"]]
    for group_id, name in names.items():
        text = [one.replace(group_id, name) for one in text]
    return sorted(text)
