# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A small, strict EC2 in memory, for tests of plans: it keeps tokens, passing states and the errors that AWS has.

It stands where the client of the collection stands (`call`, `pages`, …), so no network and no library is in between.
"""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Mapping
from typing import Any

from .api.addresses import Addresses
from .api.instances import Instances
from .api.network import Network
from .api.part import OWNER, VPC
from .api.rules import Rules
from .api.volumes import Volumes

_DISK = {"RootDeviceName": "/dev/xvda", "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8, "VolumeType": "gp3"}}]}
IMAGES = (
    {"ImageId": "ami-1", "Name": "debian-12-amd64-20240101", "OwnerId": "136693071363", "CreationDate": "2024-01-01T00:00:00Z", **_DISK},
    {"ImageId": "ami-2", "Name": "debian-12-amd64-20250101", "OwnerId": "136693071363", "CreationDate": "2025-01-01T00:00:00Z", **_DISK},
)
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
        #: Interfaces that are no instance's first one.
        self.interfaces: dict[str, dict[str, Any]] = {}
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

    def add_interface(self, *private_ips: str, name: str = "", instance: str | None = None) -> str:
        """A network interface with these private addresses, the first of them primary; attached as a second one, or to nothing."""
        interface = self.new_id("eni")
        self.interfaces[interface] = {"Ips": list(private_ips), "InstanceId": instance, "Tags": {"Name": name} if name else {}}
        return interface

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


class Api(Instances, Volumes, Rules, Addresses, Network):
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


def _tags(one: Mapping[str, Any]) -> list[tuple[str, str]]:
    return sorted(one["Tags"].items())


def _rules(group: Mapping[str, Any], names: Mapping[str, str]) -> list[str]:
    rules = [{name: value for name, value in one.items() if name != "SecurityGroupRuleId"} for one in group["IpPermissions"]]
    text = [json.dumps(one, sort_keys=True) for one in rules]
    for group_id, name in names.items():
        text = [one.replace(group_id, name) for one in text]
    return sorted(text)
