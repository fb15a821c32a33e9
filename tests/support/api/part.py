# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# ruff: noqa: N802 - methods are called what the operations of the API are called
"""What all parts of the API in memory share: answers by filter, tags, tokens, errors."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import CallFailed

ZONES = {"us-east-1a": "use1-az1", "us-east-1b": "use1-az2", "us-east-1c": "use1-az4"}
VPC = "vpc-1"
OWNER = "111111111111"


class Part:
    """Operations on one account."""

    account: Any

    def _DescribeAvailabilityZones(self, params: Any) -> Any:
        return {"AvailabilityZones": [{"ZoneName": name, "ZoneId": zone_id} for name, zone_id in ZONES.items()]}

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

    def _by_token(self, params: Any, word: str) -> str | None:
        token, wish = params.pop("ClientToken"), json.dumps(params, sort_keys=True, default=str)
        params["ClientToken"] = token
        if token not in self.account.tokens:
            return None
        old, known = self.account.tokens[token]
        if old != wish:
            raise error("IdempotentParameterMismatch")
        return known

    def _remember(self, params: Any, known: str) -> None:
        wish = {name: value for name, value in params.items() if name != "ClientToken"}
        self.account.tokens[params["ClientToken"]] = (json.dumps(wish, sort_keys=True, default=str), known)


def error(code: str) -> CallFailed:
    return CallFailed(code, code=code)


def specified(params: Mapping[str, Any], kind: str) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for one in params.get("TagSpecifications", ()) if one["ResourceType"] == kind for tag in one["Tags"]}


def with_tags(one: Mapping[str, Any]) -> dict[str, Any]:
    return {**one, "Tags": [{"Key": key, "Value": value} for key, value in one["Tags"].items()]}


def found_by(kind: Mapping[str, dict[str, Any]], params: Mapping[str, Any], words: Mapping[str, str]) -> list[dict[str, Any]]:
    return [with_tags(one) for one in kind.values() if passes(one, params.get("Filters", ()), words)]


def passes(one: Mapping[str, Any], filters: Any, words: Mapping[str, str]) -> bool:
    for condition in filters:
        name = condition["Name"]
        value = one["Tags"].get(name[4:]) if name.startswith("tag:") else one.get(words[name])
        if value is None or not any(fnmatch.fnmatchcase(value, pattern) for pattern in condition["Values"]):
            return False
    return True
