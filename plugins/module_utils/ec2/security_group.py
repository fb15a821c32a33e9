# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Security groups: rules are authorised before others are revoked; what is not declared is left alone. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Dict, Iterable, List, Mapping, Optional, Set, Tuple

from ..aws import tags as tag_words
from ..engine.errors import InvalidInput, Refused
from ..engine.plan import UNKNOWN, Change, Ref, Step
from . import rule_ids
from . import rules as rule_words
from .context import Context, Id, protect, tag_steps, unchanged
from .declaration import SecurityGroup
from .rule_ids import Pair
from .rules import Rule
from .world import Facts

KIND = "security_group"
#: What AWS puts into every new group.
_DEFAULT_EGRESS = (
    Rule(rule_words.ALL, None, None, "cidr", "0.0.0.0/0"),
    # only where the VPC has IPv6; revoking it elsewhere does nothing
    Rule(rule_words.ALL, None, None, "cidr6", "::/0"),
)


@dataclass(frozen=True)
class _Direction:
    """Differences between the two directions of traffic."""

    shown: str
    word: str
    name: str

    @property
    def authorize(self) -> str:
        return f"AuthorizeSecurityGroup{self.name}"

    @property
    def revoke(self) -> str:
        return f"RevokeSecurityGroup{self.name}"

    @property
    def describe(self) -> str:
        return f"UpdateSecurityGroupRuleDescriptions{self.name}"

    def identified(self, desired: SecurityGroup) -> Tuple[rule_ids.IdentifiedRule, ...]:
        """The entries of its list that name a rule by its id."""
        return desired.identified_rules if self.name == "Ingress" else desired.identified_egress_rules


_INGRESS = _Direction("rules", "from", "Ingress")
_EGRESS = _Direction("egress_rules", "to", "Egress")


def plan(desired: SecurityGroup, context: Context) -> Change:
    """What has to happen to one security group."""
    actual = context.world.security_group(desired.name, desired.vpc_id)
    context.foreign(KIND, actual, desired.name)
    if actual is None:
        return _create(desired, context)
    return _update(desired, actual, context)


def delete(actual: Facts, context: Context, requires: Tuple[Tuple[str, str], ...] = (), leaving: Iterable[str] = ()) -> Change:
    """Remove a group; rules that name a group which is `leaving` too are revoked first, they would hold it."""
    protect(KIND, actual["name"], actual["tags"])
    ids: Set[str] = set(leaving) - {actual["id"]}
    steps = []
    for direction, permissions in ((_INGRESS, actual["ingress"]), (_EGRESS, actual["egress"])):
        holding = [rule for rule in rule_words.from_api(permissions, actual["owner_id"]) if rule.kind == "group" and rule.source in ids]
        if holding:
            steps.append(_step(direction.revoke, actual["id"], holding))
    steps.append(Step("DeleteSecurityGroup", {"GroupId": actual["id"]}))
    return Change(KIND, actual["name"], "delete", _shown(actual, context), None, ("is declared absent",), tuple(steps), requires)


def named_in(actual: Facts, desired: Optional[SecurityGroup]) -> Set[str]:
    """Ids of the groups that the rules of a group name and go on naming, because those rules are not declared."""
    places = (("rules", "ingress"), ("egress_rules", "egress"))
    kept = [actual[place] for name, place in places if desired is None or getattr(desired, name) is None or not desired.purge(name)]
    return {
        str(rule.source) for permissions in kept for rule in rule_words.from_api(permissions, actual["owner_id"]) if rule.kind == "group"
    }


def _create(desired: SecurityGroup, context: Context) -> Change:
    where = f"{KIND} {desired.name}"
    if desired.name.startswith("sg-"):
        raise InvalidInput(
            "a group with this id does not exist", resource=where, do="Names cannot begin with sg-; correct the id or give a name."
        )
    own: Id = Ref(KIND, desired.name, "id")
    tags = context.new_tags(desired.name, desired.tags, by_own_name=True)
    description = desired.description or desired.name
    request: Dict[str, Any] = {"GroupName": desired.name, "Description": description}
    if desired.vpc_id:
        request["VpcId"] = desired.vpc_id
    if tags:
        request["TagSpecifications"] = [tag_words.specification("security-group", tags)]
    steps = [Step("CreateSecurityGroup", request)]
    after: Dict[str, Any] = {
        "id": UNKNOWN,
        "name": desired.name,
        "description": description,
        "vpc_id": desired.vpc_id or UNKNOWN,
        "tags": tags,
    }
    after["rules"] = []
    for direction, there in ((_INGRESS, ()), (_EGRESS, _DEFAULT_EGRESS if desired.purge_egress_rules else _DEFAULT_EGRESS[:1])):
        if getattr(desired, direction.shown) is not None:
            _pairs(direction, (), desired, context)
            wanted = _wanted(direction, there, desired, context)
            steps += _rule_steps(direction, own, there, wanted)
            after[direction.shown] = rule_words.texts(wanted, context.group_names, direction.word)
    return Change(KIND, desired.name, "create", None, after, ("does not exist yet",), tuple(steps))


def _update(desired: SecurityGroup, actual: Facts, context: Context) -> Change:
    if desired.description is not None and desired.description != actual["description"]:
        raise Refused(
            "its description cannot be changed",
            resource=f"{KIND} {desired.name}",
            wanted=desired.description,
            found=str(actual["description"]),
            do="AWS keeps a group's description for ever: leave it out, take over the one it has, or use a new name.",
        )
    before = _shown(actual, context)
    after, steps, reasons = dict(before), [], []
    for direction, permissions in ((_INGRESS, actual["ingress"]), (_EGRESS, actual["egress"])):
        if getattr(desired, direction.shown) is None:
            continue
        there = rule_words.from_api(permissions, actual["owner_id"])
        pairs = _pairs(direction, there, desired, context, actual)
        there = _with(pairs, there)
        wanted = _wanted(direction, there, desired, context, actual, pairs)
        own_steps = [*_identified_steps(direction, actual["id"], pairs), *_rule_steps(direction, actual["id"], there, wanted)]
        if own_steps:
            steps += own_steps
            after[direction.shown] = rule_words.texts(wanted, context.group_names, direction.word)
            reasons.append(f"its {direction.shown} differ")
    tags = context.tags(actual, desired.tags, desired.name)
    if tags != actual["tags"]:
        after["tags"] = tags
        steps += tag_steps([actual["id"]], actual["tags"], tags)
        reasons.append("its tags differ")
    if not steps:
        return unchanged(KIND, desired.name, before)
    return Change(KIND, desired.name, "update", before, after, tuple(reasons), tuple(_authorise_first(steps)))


def _pairs(
    direction: _Direction, there: Iterable[Rule], desired: SecurityGroup, context: Context, actual: Optional[Facts] = None
) -> List[Pair]:
    """What becomes of the rules that are declared by their ids; refuses what AWS would, or what another entry contradicts."""
    where, found = f"{KIND} {desired.name}", []
    for one in direction.identified(desired):
        fact = rule_ids.found(one, context.world.rules, actual["id"] if actual else None, direction.name == "Egress", where)
        if fact is None:
            continue
        after = rule_ids.changed(one, fact, where)
        if after is not None:
            [mine] = rule_words.with_my_ip([after], context.world.my_ip)
            mine = _resolved(mine, where, desired.vpc_id or (actual or {}).get("vpc_id"), (actual or {}).get("owner_id"), context)
            after = replace(mine, description=mine.description or None)
        pair = Pair(one.id, fact["rule"], after)
        rule_ids.same_kind(pair, where)
        if after and after.key != pair.before.key and any(rule.key == after.key for rule in there):
            do = "Declare that one absent in a run before, or leave this one as it is."
            raise Refused(f"another rule says already what {one.id} is to say", resource=where, found=after.text({}), do=do)
        found.append(pair)
    _refuse_contradictions(found, _resolved_all(direction, desired, context, actual), where)
    return found


def _refuse_contradictions(pairs: Iterable[Pair], declared: Iterable[Rule], where: str) -> None:
    keys = {rule.key for rule in declared}
    for pair in pairs:
        if pair.after is None and pair.before.key in keys:
            do = "Leave one of the two entries out."
            raise InvalidInput(
                "a rule is declared absent by its id and present by what it says",
                resource=where,
                found=f"{pair.id}: {pair.before.text({})}",
                do=do,
            )


def _with(pairs: Iterable[Pair], there: Iterable[Rule]) -> Tuple[Rule, ...]:
    """The rules as they are when those that are declared by their ids are dealt with."""
    changed = {pair.before.key: pair.after for pair in pairs}
    rules = [changed.get(rule.key, rule) for rule in there]
    return tuple(rule for rule in rules if rule is not None)


def _identified_steps(direction: _Direction, group: Id, pairs: Iterable[Pair]) -> List[Step]:
    """Changes in place, all in one request; descriptions in another; and what goes, one by one."""
    moved = [pair for pair in pairs if pair.after and pair.after.key != pair.before.key]
    described = [pair for pair in pairs if pair.after and pair not in moved and pair.after.description != pair.before.description]
    steps = [Step("ModifySecurityGroupRules", {"GroupId": group, "SecurityGroupRules": rule_ids.request(moved)})] if moved else []
    if described:
        texts = [{"SecurityGroupRuleId": one.id, "Description": one.after.description or ""} for one in described if one.after]
        steps.append(Step(direction.describe, {"GroupId": group, "SecurityGroupRuleDescriptions": texts}))
    return steps + [Step(direction.revoke, {"GroupId": group, "SecurityGroupRuleIds": [pair.id]}) for pair in pairs if pair.after is None]


def _wanted(
    direction: _Direction,
    there: Iterable[Rule],
    desired: SecurityGroup,
    context: Context,
    actual: Optional[Facts] = None,
    pairs: Iterable[Pair] = (),
) -> Tuple[Rule, ...]:
    """The rules that should be there in the end: my_ip and names replaced by what they mean, descriptions as declared or as they were."""
    where = f"{KIND} {desired.name}"
    resolved = [*_resolved_all(direction, desired, context, actual), *(pair.after for pair in pairs if pair.after)]
    old = {rule.key: rule.description for rule in there}
    wanted = [
        replace(rule, description=(old.get(rule.key) if rule.description is None else rule.description) or None)
        for rule in rule_words.distinct(resolved, where)
    ]
    keys = {rule.key for rule in wanted}
    kept = [] if desired.purge(direction.shown) else [rule for rule in there if rule.key not in keys]
    return tuple(wanted + kept)


def _resolved_all(direction: _Direction, desired: SecurityGroup, context: Context, actual: Optional[Facts]) -> List[Rule]:
    """The declared rules that have no id, with my_ip and names replaced by what they mean."""
    vpc = desired.vpc_id or (actual["vpc_id"] if actual else None)
    owner = actual["owner_id"] if actual else next((fact["owner_id"] for fact in context.world.security_groups), None)
    declared = rule_words.with_my_ip(getattr(desired, direction.shown), context.world.my_ip)
    return [_resolved(rule, f"{KIND} {desired.name}", vpc, owner, context) for rule in declared]


def _resolved(rule: Rule, where: str, vpc: Optional[str], owner: Optional[str], context: Context) -> Rule:
    """A declared rule with names replaced by ids."""
    if rule.kind == "prefix_list":
        return replace(rule, source=context.world.prefix_list(rule.source, where))
    if rule.kind != "group":
        return rule
    if not rule_words.foreign(rule.source):
        return replace(rule, source=context.group_id(rule.source, where, vpc))
    account, _slash, group = rule.source.partition("/")
    return replace(rule, source=group) if account == owner else rule


def _rule_steps(direction: _Direction, group: Id, there: Iterable[Rule], wanted: Iterable[Rule]) -> List[Step]:
    before = {rule.key: rule for rule in there}
    after = {rule.key: rule for rule in wanted}
    new = [rule for key, rule in after.items() if key not in before]
    old = [rule for key, rule in before.items() if key not in after]
    described = [rule for key, rule in after.items() if key in before and rule.description != before[key].description]
    steps = [_step(verb, group, rules) for verb, rules in ((direction.authorize, new), (direction.describe, described)) if rules]
    if old:
        steps.append(_step(direction.revoke, group, [replace(rule, description=None) for rule in old]))
    return steps


def _step(verb: str, group: Id, rules: Iterable[Rule]) -> Step:
    ordered = sorted(rules, key=lambda rule: rule.text({}))
    return Step(verb, {"GroupId": group, "IpPermissions": [rule.permission() for rule in ordered]})


def _authorise_first(steps: Iterable[Step]) -> List[Step]:
    """Both directions are opened before either is closed, so that no traffic is cut in between."""
    return sorted(steps, key=lambda step: step.verb.startswith("Revoke"))


def _shown(actual: Facts, context: Context) -> Dict[str, Any]:
    names: Mapping[str, str] = context.group_names
    return {
        **{name: actual[name] for name in ("id", "name", "description", "vpc_id", "tags")},
        "rules": rule_words.texts(rule_words.from_api(actual["ingress"]), names),
        "egress_rules": rule_words.texts(rule_words.from_api(actual["egress"]), names, "to"),
    }


def view(actual: Facts, context: Context) -> Dict[str, Any]:
    """The group for a result: rules as data and as text."""
    found = _shown(actual, context)
    return {**found, "fleet": actual["fleet"], "planned": False}
