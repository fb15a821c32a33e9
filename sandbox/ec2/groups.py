# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Security groups: whole changes or none, and no deletion of one that is needed."""

from __future__ import annotations

import copy
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, Optional

from moto.ec2.models.security_groups import SecurityGroupBackend

from sandbox.ec2.shared import Shared, missing, not_found
from sandbox.errors import Ec2Error


class GroupModel(Shared, SecurityGroupBackend):
    """The security groups of a region."""

    groups: Dict[str, Dict[str, Any]]

    def all_groups(self) -> Dict[str, Any]:
        """All groups by id."""
        return {group_id: group for of_vpc in self.groups.values() for group_id, group in of_vpc.items()}

    def describe_security_groups(
        self, group_ids: Optional[List[str]] = None, groupnames: Optional[List[str]] = None, filters: Any = None
    ) -> Any:
        """The groups asked for; each id and name must exist."""
        known = self.all_groups()
        absent = missing(group_ids or [], known) + missing(groupnames or [], [g.name for g in known.values()])
        if absent:
            raise not_found("InvalidGroup.NotFound", "security group", absent)
        found = super().describe_security_groups(None, groupnames, filters)
        return [group for group in found if not group_ids or group.id in group_ids]

    def delete_security_group(self, name: Optional[str] = None, group_id: Optional[str] = None) -> None:
        """Delete a group that no interface uses and no other group names."""
        by_name = self.get_security_group_from_name(name) if name else None
        group = by_name or self.existing_group(group_id or str(name))
        if group.name == "default":
            raise Ec2Error("CannotDelete", f"the specified group: '{group.id}' name: 'default' cannot be deleted by a user")
        used = any(group in nic.group_set for nic in self.enis.values())
        if used or any(group.id in _named_by(other) for other in self.all_groups().values() if other is not group):
            raise Ec2Error("DependencyViolation", f"resource {group.id} has a dependent object")
        self.groups[group.vpc_id].pop(group.id)
        self.tags.pop(group.id, None)

    @contextmanager
    def whole_or_nothing(self, name_or_id: str) -> Iterator[None]:
        """Put the rules of a group back as they were if the block fails."""
        group = self.get_security_group_from_id(name_or_id) or self.get_security_group_from_name(name_or_id)
        before = (copy.deepcopy(group.ingress_rules), copy.deepcopy(group.egress_rules)) if group else None
        try:
            yield
        except Exception:
            if group and before:
                group.ingress_rules, group.egress_rules = before
            raise

    def existing_rule(self, group_id: str, rule_id: str) -> Any:
        """The rule of this id in that group."""
        rule = self.existing_group(group_id).get_rule(rule_id)
        if rule is None:
            raise Ec2Error("InvalidSecurityGroupRuleId.NotFound", f"The security group rule ID '{rule_id}' does not exist")
        return rule

    def change_rule(self, group_id: str, rule_id: str, new: Dict[str, Any]) -> None:
        """Have a rule say something else. The kind of its source stays, and no other rule of the group says the same."""
        rule = self.existing_rule(group_id, rule_id)
        kinds = [word for word in _SOURCES if new.get(word)]
        if len(kinds) != 1:
            raise Ec2Error("MissingParameter", f"The request must contain exactly one of: {', '.join(_SOURCES)}")
        if not shown_rule(rule).get(_SHOWN.get(kinds[0], kinds[0])):
            raise Ec2Error("InvalidParameterValue", f"Invalid rule type for security group rule '{rule_id}'. It cannot become {kinds[0]}.")
        if not new.get("IpProtocol") or new.get("FromPort") is None or new.get("ToPort") is None:
            raise Ec2Error("InvalidParameterValue", "Invalid value for portRange. Must specify both from and to ports.")
        changed = copy.deepcopy(rule)
        all_ports = new["IpProtocol"] == "-1"
        changed.ip_protocol = new["IpProtocol"]
        changed.from_port, changed.to_port = (None, None) if all_ports else (int(new["FromPort"]), int(new["ToPort"]))
        value = new[kinds[0]]
        if kinds[0] == "PrefixListId":
            changed.prefix_list_id = value
        elif kinds[0] == "ReferencedGroupId":
            group = self.existing_group(value)
            changed.source_group = {"GroupId": group.id, "UserId": self.account_id, "OwnerId": self.account_id}
        else:
            changed.ip_range = {{"CidrIpv4": "CidrIp"}.get(kinds[0], kinds[0]): value}
        describe_rule(changed, new.get("Description"))
        of_group = self.existing_group(group_id)
        others = [one for one in (of_group.egress_rules if rule.is_egress else of_group.ingress_rules) if one.id != rule_id]
        if any(_says(one) == _says(changed) for one in others):
            raise Ec2Error("InvalidPermission.Duplicate", f'the specified rule "{rule_id}" already exists')
        vars(rule).update(vars(changed))


#: Where a rule that is to change says its source, and where one that is shown does.
_SOURCES = ("CidrIpv4", "CidrIpv6", "PrefixListId", "ReferencedGroupId")
_SHOWN = {"ReferencedGroupId": "ReferencedGroupInfo"}


def shown_rule(rule: Any) -> Dict[str, Any]:
    """A rule as DescribeSecurityGroupRules shows it."""
    source: Dict[str, Any] = rule.source_group or {}
    return {
        "SecurityGroupRuleId": rule.id,
        "GroupId": rule.group_id,
        "GroupOwnerId": rule.owner_id,
        "IsEgress": rule.is_egress,
        "IpProtocol": rule.ip_protocol,
        "FromPort": -1 if rule.from_port is None else rule.from_port,
        "ToPort": -1 if rule.to_port is None else rule.to_port,
        "CidrIpv4": rule.ip_range.get("CidrIp"),
        "CidrIpv6": rule.ip_range.get("CidrIpv6"),
        "PrefixListId": rule.prefix_list_id,
        "ReferencedGroupInfo": {"GroupId": source["GroupId"], "UserId": source.get("UserId")} if source else None,
        "Description": rule.ip_range.get("Description") or source.get("Description"),
        "Tags": rule.get_tags(),
    }


def describe_rule(rule: Any, text: Optional[str]) -> None:
    """Give a rule other words; none are none."""
    for place in (rule.ip_range, rule.source_group):
        if place:
            place.pop("Description", None)
            if text:
                place["Description"] = text


def _says(rule: Any) -> Any:
    shown = shown_rule(rule)
    return {name: value for name, value in shown.items() if name not in ("SecurityGroupRuleId", "Description", "Tags")}


def _named_by(group: Any) -> List[str]:
    return [rule.source_group.get("GroupId", "") for rule in [*group.ingress_rules, *group.egress_rules]]
