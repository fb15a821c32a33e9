# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# ruff: noqa: N802 - methods are called what the operations of the API are called
"""Rules of the security groups of the account in memory: compared as AWS does, and with ids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .part import OWNER, Part, error, passes


class Rules(Part):
    """Each permission has one source here, and so is one rule."""

    def _DescribeSecurityGroupRules(self, params: Any) -> Any:
        words = {"group-id": "GroupId", "security-group-rule-id": "SecurityGroupRuleId"}
        return {"SecurityGroupRules": [one for one in self._every_rule() if passes(one, params["Filters"], words)]}

    def _every_rule(self) -> list[dict[str, Any]]:
        """The rules of all groups, as the API tells single ones: each permission here has one source."""
        found = []
        for group in self.account.groups.values():
            for place in ("IpPermissions", "IpPermissionsEgress"):
                for one in group[place]:
                    rule_id = one.setdefault("SecurityGroupRuleId", self.account.new_id("sgr"))
                    [entry] = [entry for kind in _RULE_SOURCES for entry in one.get(kind, ())]
                    own = {"SecurityGroupRuleId": rule_id, "GroupId": group["GroupId"], "GroupOwnerId": OWNER}
                    source = {_RULE_SOURCES[kind]: _one_source(entry) for kind in _RULE_SOURCES if one.get(kind)}
                    ports = {"IpProtocol": one["IpProtocol"], "FromPort": one.get("FromPort", -1), "ToPort": one.get("ToPort", -1)}
                    egress = place.endswith("Egress")
                    found.append({**own, **source, **ports, "IsEgress": egress, "Description": entry.get("Description")})
        return found

    def _AuthorizeSecurityGroupIngress(self, params: Any) -> Any:
        self._authorize(params, "IpPermissions")

    def _AuthorizeSecurityGroupEgress(self, params: Any) -> Any:
        self._authorize(params, "IpPermissionsEgress")

    def _authorize(self, params: Any, place: str) -> None:
        rules = self.account.groups[params["GroupId"]][place]
        if any(same_rule(one, new) for one in rules for new in params["IpPermissions"]):
            raise error("InvalidPermission.Duplicate")
        rules.extend(params["IpPermissions"])

    def _RevokeSecurityGroupIngress(self, params: Any) -> Any:
        self._revoke(params, "IpPermissions")

    def _RevokeSecurityGroupEgress(self, params: Any) -> Any:
        self._revoke(params, "IpPermissionsEgress")

    def _revoke(self, params: Any, place: str) -> None:
        group = self.account.groups[params["GroupId"]]
        if "SecurityGroupRuleIds" in params:
            ids = set(params["SecurityGroupRuleIds"])
            if ids - {one.get("SecurityGroupRuleId") for one in group[place]}:
                raise error("InvalidSecurityGroupRuleId.NotFound")
            group[place] = [one for one in group[place] if one.get("SecurityGroupRuleId") not in ids]
            return
        if not all(any(same_rule(one, old) for one in group[place]) for old in params["IpPermissions"]):
            raise error("InvalidPermission.NotFound")
        group[place] = [one for one in group[place] if not any(same_rule(one, old) for old in params["IpPermissions"])]

    def _UpdateSecurityGroupRuleDescriptionsIngress(self, params: Any) -> Any:
        self._describe_rules(params, "IpPermissions")

    def _UpdateSecurityGroupRuleDescriptionsEgress(self, params: Any) -> Any:
        self._describe_rules(params, "IpPermissionsEgress")

    def _describe_rules(self, params: Any, place: str) -> None:
        group = self.account.groups[params["GroupId"]]
        for one in params.get("SecurityGroupRuleDescriptions", ()):
            _describe(self._rule(params["GroupId"], one["SecurityGroupRuleId"]), one["Description"])
        for new in params.get("IpPermissions", ()):
            own = ("SecurityGroupRuleId",)
            group[place] = [
                {**{name: one[name] for name in own if name in one}, **new} if same_rule(one, new) else one for one in group[place]
            ]

    def _rule(self, group_id: str, rule_id: str) -> dict[str, Any]:
        group = self.account.groups[group_id]
        for one in (*group["IpPermissions"], *group["IpPermissionsEgress"]):
            if one.get("SecurityGroupRuleId") == rule_id:
                found: dict[str, Any] = one
                return found
        raise error("InvalidSecurityGroupRuleId.NotFound")

    def _ModifySecurityGroupRules(self, params: Any) -> Any:
        for change in params["SecurityGroupRules"]:
            rule, new = self._rule(params["GroupId"], change["SecurityGroupRuleId"]), change["SecurityGroupRule"]
            [kind] = [
                kind for kind, word in _RULE_SOURCES.items() if word in new or (kind == "UserIdGroupPairs" and "ReferencedGroupId" in new)
            ]
            if not rule.get(kind):
                raise error("InvalidParameterValue")
            key = {"IpRanges": "CidrIp", "Ipv6Ranges": "CidrIpv6", "PrefixListIds": "PrefixListId"}.get(kind, "GroupId")
            rule[kind] = [{key: new.get(_RULE_SOURCES[kind], new.get("ReferencedGroupId"))}]
            for name in ("FromPort", "ToPort"):
                rule.pop(name, None)
                if new["IpProtocol"] != "-1":
                    rule[name] = new[name]
            rule["IpProtocol"] = new["IpProtocol"]
            _describe(rule, new["Description"])


#: {where a permission keeps a source: what the API calls it where it speaks of one rule}
_RULE_SOURCES = {
    "IpRanges": "CidrIpv4",
    "Ipv6Ranges": "CidrIpv6",
    "UserIdGroupPairs": "ReferencedGroupInfo",
    "PrefixListIds": "PrefixListId",
}


def _one_source(entry: Mapping[str, Any]) -> Any:
    """What a single rule says of its source: a group as a mapping, everything else as text."""
    if "GroupId" in entry:
        return {"GroupId": entry["GroupId"], "UserId": entry.get("UserId", OWNER)}
    return next(value for key, value in entry.items() if key != "Description")


def _describe(rule: dict[str, Any], text: str) -> None:
    for kind in _RULE_SOURCES:
        for entry in rule.get(kind, ()):
            entry.pop("Description", None)
            if text:
                entry["Description"] = text


def same_rule(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return bool(_source(one) == _source(other))


def _source(permission: Mapping[str, Any]) -> Any:
    places = ("IpRanges", "Ipv6Ranges", "UserIdGroupPairs", "PrefixListIds")
    sources = [
        sorted((key, value) for key, value in entry.items() if key != "Description")
        for place in places
        for entry in permission.get(place, ())
    ]
    return (permission["IpProtocol"], permission.get("FromPort"), permission.get("ToPort"), sources)
