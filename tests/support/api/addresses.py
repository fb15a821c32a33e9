# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# ruff: noqa: N802 - methods are called what the operations of the API are called
"""Addresses of the account in memory, and the interfaces that they are on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .part import OWNER, Part, error, found_by, passes, specified, with_tags


class Addresses(Part):
    """An address points to one private address of one interface."""

    def _DescribeNetworkInterfaces(self, params: Any) -> Any:
        found = []
        for interface, one in self.account.interfaces.items():
            taken = {a["PrivateIpAddress"]: a for a in self.account.addresses.values() if a.get("NetworkInterfaceId") == interface}
            ips = [
                {
                    "PrivateIpAddress": ip,
                    "Primary": number == 0,
                    **({"Association": {"PublicIp": taken[ip]["PublicIp"], "IpOwnerId": OWNER}} if ip in taken else {}),
                }
                for number, ip in enumerate(one["Ips"])
            ]
            raw = {"NetworkInterfaceId": interface, "PrivateIpAddresses": ips, "Tags": one["Tags"], "TagSet": with_tags(one)["Tags"]}
            found.append({**raw, **({"Attachment": {"InstanceId": one["InstanceId"]}} if one["InstanceId"] else {})})
        return {
            "NetworkInterfaces": [one for one in found if passes(one, params["Filters"], {"network-interface-id": "NetworkInterfaceId"})]
        }

    def _DescribeAddresses(self, params: Any) -> Any:
        words = {"allocation-id": "AllocationId", "instance-id": "InstanceId", "public-ip": "PublicIp"}
        words["network-interface-id"] = "NetworkInterfaceId"
        return {"Addresses": found_by(self.account.addresses, params, words)}

    def _AllocateAddress(self, params: Any) -> Any:
        number = len(self.account.addresses) + 1
        one = {"AllocationId": self.account.new_id("eipalloc"), "PublicIp": f"192.0.2.{number}", "Tags": specified(params, "elastic-ip")}
        self.account.addresses[one["AllocationId"]] = one
        return one

    def _AssociateAddress(self, params: Any) -> Any:
        place = self._place(params)
        one = self.account.addresses[params["AllocationId"]]
        for other in self.account.addresses.values():
            if (other.get("NetworkInterfaceId"), other.get("PrivateIpAddress")) == (place["NetworkInterfaceId"], place["PrivateIpAddress"]):
                take_off(other)
        take_off(one)
        one.update({**place, "AssociationId": self.account.new_id("eipassoc")})
        return {"AssociationId": one["AssociationId"]}

    def _place(self, params: Any) -> dict[str, Any]:
        """Where an address goes: an interface, one of its private addresses, and the instance that has it."""
        if "InstanceId" in params:
            instance = self.account.instances[params["InstanceId"]]
            if instance["State"]["Name"] not in ("running", "stopped"):
                raise error("IncorrectInstanceState")
            if any(one["InstanceId"] == params["InstanceId"] for one in self.account.interfaces.values()):
                raise error("InvalidInstanceID")
            return {"InstanceId": params["InstanceId"], **self._first_address(instance)}
        interface = params["NetworkInterfaceId"]
        if interface.removeprefix("eni-") in self.account.instances:
            instance = self.account.instances[interface.removeprefix("eni-")]
            return {"InstanceId": instance["InstanceId"], **self._first_address(instance)}
        there = self.account.interfaces[interface]
        ip = params.get("PrivateIpAddress", there["Ips"][0])
        if ip not in there["Ips"]:
            raise error("InvalidParameterValue")
        own = {"InstanceId": there["InstanceId"]} if there["InstanceId"] else {}
        return {**own, "NetworkInterfaceId": interface, "PrivateIpAddress": ip}

    def _first_address(self, instance: Mapping[str, Any]) -> dict[str, Any]:
        return {"NetworkInterfaceId": f"eni-{instance['InstanceId']}", "PrivateIpAddress": instance["PrivateIpAddress"]}

    def _DisassociateAddress(self, params: Any) -> Any:
        for one in self.account.addresses.values():
            if one.get("AssociationId") == params["AssociationId"]:
                take_off(one)
                return
        raise error("InvalidAssociationID.NotFound")

    def _ReleaseAddress(self, params: Any) -> Any:
        if self.account.addresses[params["AllocationId"]].get("AssociationId"):
            raise error("InvalidIPAddress.InUse")
        del self.account.addresses[params["AllocationId"]]


def take_off(address: dict[str, Any]) -> None:
    for name in ("InstanceId", "AssociationId", "NetworkInterfaceId", "PrivateIpAddress"):
        address.pop(name, None)
