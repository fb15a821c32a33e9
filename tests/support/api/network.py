# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# ruff: noqa: N802 - methods are called what the operations of the API are called
"""Key pairs, security groups and what they lie in, of the account in memory."""

from __future__ import annotations

import json
from typing import Any

from .part import VPC, ZONES, Part, error, found_by, passes, specified

PREFIX_LISTS = [{"PrefixListName": "com.amazonaws.us-east-1.s3", "PrefixListId": "pl-63a5400a"}]


class Network(Part):
    """Groups are held by what names them."""

    def _DescribeSubnets(self, params: Any) -> Any:
        subnets = [{"SubnetId": f"subnet-{zone[-1]}", "AvailabilityZone": zone, "VpcId": VPC, "DefaultForAz": True} for zone in ZONES]
        return {"Subnets": [one for one in subnets if passes(one, params.get("Filters", ()), {"subnet-id": "SubnetId"})]}

    def _DescribeManagedPrefixLists(self, params: Any) -> Any:
        words = {"prefix-list-name": "PrefixListName"}
        return {"PrefixLists": [one for one in PREFIX_LISTS if passes(one, params["Filters"], words)]}

    def _DescribeKeyPairs(self, params: Any) -> Any:
        return {"KeyPairs": found_by(self.account.key_pairs, params, {"key-name": "KeyName"})}

    def _DescribeSecurityGroups(self, params: Any) -> Any:
        return {"SecurityGroups": found_by(self.account.groups, params, {"group-name": "GroupName", "group-id": "GroupId"})}

    def _ImportKeyPair(self, params: Any) -> Any:
        name = params["KeyName"]
        if name in self.account.key_pairs:
            raise error("InvalidKeyPair.Duplicate")
        one = {
            "KeyPairId": self.account.new_id("key"),
            "KeyName": name,
            "KeyType": "rsa" if params["PublicKeyMaterial"].startswith("ssh-rsa") else "ed25519",
            "KeyFingerprint": "aa:bb",
            "PublicKey": params["PublicKeyMaterial"],
            "Tags": specified(params, "key-pair"),
        }
        self.account.key_pairs[name] = one
        return one

    def _DeleteKeyPair(self, params: Any) -> Any:
        self.account.key_pairs.pop(params["KeyName"], None)

    def _CreateSecurityGroup(self, params: Any) -> Any:
        if any(one["GroupName"] == params["GroupName"] for one in self.account.groups.values()):
            raise error("InvalidGroup.Duplicate")
        return {"GroupId": self.account.add_group(params["GroupName"], params["Description"], specified(params, "security-group"))}

    def _DeleteSecurityGroup(self, params: Any) -> Any:
        group_id = params["GroupId"]
        if group_id not in self.account.groups:
            raise error("InvalidGroup.NotFound")
        named = [one for one in self.account.groups.values() if one["GroupId"] != group_id and group_id in json.dumps(one["IpPermissions"])]
        if named or any(group_id in one["Groups"] for one in self.account.live()):
            raise error("DependencyViolation")
        del self.account.groups[group_id]

    def _ModifyNetworkInterfaceAttribute(self, params: Any) -> Any:
        self.account.instances[params["NetworkInterfaceId"].removeprefix("eni-")]["Groups"] = params["Groups"]
