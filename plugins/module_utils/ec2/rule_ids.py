# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rules of a security group by their ids (sgr-…): changed in place or taken away, whatever they say at the moment. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple

from ..aws import tags as tag_words
from ..engine.errors import InvalidInput, NotFound, Refused
from . import rules as rule_words
from .rules import Rule

_SOURCES = ("cidr", "group", "prefix_list")
_RANGE = ("ports", "icmp_type", "icmp_code")
#: What the API calls each kind of source where it speaks of one rule.
_WORDS = {"cidr": "CidrIpv4", "cidr6": "CidrIpv6", "group": "ReferencedGroupId", "prefix_list": "PrefixListId"}


@dataclass(frozen=True)
class IdentifiedRule:
    """A rule that is declared by its id: what is `given` replaces what it says, the rest stays; or it is to be `absent`."""

    id: str
    given: Tuple[Tuple[str, Any], ...] = ()
    absent: bool = False

    @property
    def mentions(self) -> Tuple[Rule, ...]:
        """A stand-in for each source that is given, so that names are looked up as those of any rule."""
        source = {name: value for name, value in self.given if name in _SOURCES}
        return rule_words.declared([{"protocol": "all", **source}], self.id) if source and not self.absent else ()


@dataclass(frozen=True)
class Pair:
    """A rule as it is, and as it is to be; None where it is to go."""

    id: str
    before: Rule
    after: Optional[Rule]


def declared(options: Iterable[Mapping[str, Any]], where: str) -> Tuple[IdentifiedRule, ...]:
    """The entries of a list of rules that have an id; raises InvalidInput for what one rule cannot say."""
    found: Dict[str, IdentifiedRule] = {}
    for option in options:
        rule_id, absent = option.get("id"), option.get("state") == "absent"
        if rule_id is None:
            if absent:
                do = "Give its id; without one, a rule is removed by leaving it out."
                raise InvalidInput("a rule without an id is declared absent", resource=where, do=do)
            continue
        if not str(rule_id).startswith("sgr-") or rule_id in found:
            why = "the same rule is declared twice" if rule_id in found else f"{rule_id!r} is not the id of a rule"
            raise InvalidInput(why, resource=where, do="Ids begin with sgr-; security_group_info shows them under rule_entries.")
        given = {name: value for name, value in option.items() if value is not None and name not in ("id", "state")}
        if sum(len(given.get(name, ())) for name in _SOURCES) > 1 or len(given.get("ports", ())) > 1:
            do = "Give it one range of ports and one source, and declare the others as rules of their own."
            raise InvalidInput("a rule with an id is one rule, and cannot say so much", resource=where, found=rule_id, do=do)
        found[rule_id] = IdentifiedRule(rule_id, tuple(sorted((name, _frozen(value)) for name, value in given.items())), absent)
    return tuple(found.values())


def from_api(raw: Mapping[str, Any]) -> Dict[str, Any]:
    """One answer of DescribeSecurityGroupRules: {id, group_id, egress, rule, tags}."""
    source: Dict[str, Any] = {}
    if raw.get("CidrIpv4"):
        source["IpRanges"] = [{"CidrIp": raw["CidrIpv4"]}]
    elif raw.get("CidrIpv6"):
        source["Ipv6Ranges"] = [{"CidrIpv6": raw["CidrIpv6"]}]
    elif raw.get("PrefixListId"):
        source["PrefixListIds"] = [{"PrefixListId": raw["PrefixListId"]}]
    else:
        group = raw.get("ReferencedGroupInfo") or {}
        source["UserIdGroupPairs"] = [{"GroupId": group.get("GroupId"), "UserId": group.get("UserId")}]
    for entries in source.values():
        entries[0]["Description"] = raw.get("Description")
    ports = {name: raw[name] for name in ("IpProtocol", "FromPort", "ToPort") if name in raw}
    [rule] = rule_words.from_api([{**ports, **source}], raw.get("GroupOwnerId"))
    return {
        "id": raw["SecurityGroupRuleId"],
        "group_id": raw["GroupId"],
        "egress": bool(raw.get("IsEgress")),
        "rule": rule,
        "tags": tag_words.from_api(raw.get("Tags")),
    }


def as_option(rule: Rule) -> Dict[str, Any]:
    """A rule as the options that declare it."""
    option: Dict[str, Any] = {"protocol": "all" if rule.protocol == rule_words.ALL else rule.protocol}
    if rule.first is not None and rule.protocol in ("icmp", "icmpv6"):
        option.update({"icmp_type": rule.first, "icmp_code": rule.last})
    elif rule.first is not None:
        option["ports"] = [str(rule.first) if rule.first == rule.last else f"{rule.first}-{rule.last}"]
    option["cidr" if rule.kind == "cidr6" else rule.kind] = [rule.source]
    if rule.description:
        option["description"] = rule.description
    return option


def entry(fact: Mapping[str, Any], names: Mapping[str, str]) -> Dict[str, Any]:
    """A rule for a result: its id, the options that declare it, and the line for people; `names` are those of groups by id."""
    text = fact["rule"].text(names, "to" if fact["egress"] else "from")
    return {"id": fact["id"], "egress": fact["egress"], "text": text, "tags": fact["tags"], **as_option(fact["rule"])}


def changed(wanted: IdentifiedRule, fact: Mapping[str, Any], where: str) -> Optional[Rule]:
    """What `wanted` makes of the rule in `fact`, names not resolved yet; None where it is to go."""
    if wanted.absent:
        return None
    given = {name: list(value) if isinstance(value, tuple) else value for name, value in wanted.given}
    base = as_option(fact["rule"])
    dropped: Tuple[str, ...] = _SOURCES if any(name in given for name in _SOURCES) else ()
    dropped += _RANGE if given.get("protocol", base["protocol"]) != base["protocol"] else ()
    [rule] = rule_words.declared([{**{name: value for name, value in base.items() if name not in dropped}, **given}], where)
    return rule


def same_kind(pair: Pair, where: str) -> None:
    """AWS changes what a rule says, but not the kind of its source; raises Refused."""
    if pair.after is not None and pair.before.kind != pair.after.kind:
        do = "Declare it absent, and a new rule without an id beside it."
        raise Refused(
            f"the source of the rule {pair.id} is to become one of another kind, which AWS does not do",
            resource=where,
            wanted=pair.after.kind,
            found=pair.before.kind,
            do=do,
        )


def found(wanted: IdentifiedRule, facts: Mapping[str, Any], group_id: Optional[str], egress: bool, where: str) -> Optional[Any]:
    """The rule that is meant, None where an absent one is gone; raises NotFound where it is not among these rules of the group."""
    fact = facts.get(wanted.id)
    if fact and (fact["group_id"], fact["egress"]) == (group_id, egress):
        return fact
    if wanted.absent and not fact:
        return None
    there = "nowhere in the region"
    if fact:
        there = f"among the {'egress' if fact['egress'] else 'ingress'} rules of {fact['group_id']}"
    do = "Correct the id; security_group_info shows those of a group under rule_entries."
    raise NotFound("has no such rule in this list", resource=where, wanted=wanted.id, found=there, do=do)


def request(pairs: Iterable[Pair]) -> List[Dict[str, Any]]:
    """The rules of a ModifySecurityGroupRules."""
    return [{"SecurityGroupRuleId": pair.id, "SecurityGroupRule": _one(pair.after)} for pair in pairs if pair.after]


def _one(rule: Rule) -> Dict[str, Any]:
    # this call wants ports for all protocols; -1 is its word for "all"
    first = -1 if rule.first is None else rule.first
    last = -1 if rule.last is None else rule.last
    source = str(rule.source).rpartition("/")[2] if rule_words.foreign(rule.source) and rule.kind == "group" else rule.source
    return {
        "IpProtocol": rule.protocol,
        "FromPort": first,
        "ToPort": last,
        _WORDS[rule.kind]: source,
        "Description": rule.description or "",
    }


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
