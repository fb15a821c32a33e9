# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From what exists back to a declaration: options of `fleet` which, applied, change nothing. Pure.

User data and private keys are no part of it: the API gives out the first, but they may hold secrets, and never the second.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any, Dict, FrozenSet, List, Mapping, Optional, Sequence, Tuple

from ..aws import tags as tag_words
from ..engine.errors import InvalidInput
from . import facts
from . import rules as rule_words
from .counts import with_counts, without_ids
from .rules import Rule
from .to_instance import write_instance, write_performance
from .world import Facts, World

PARTS = ("key_pairs", "security_groups", "instances", "volumes", "elastic_ips")
Options = Dict[str, Any]

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._ +=:@()-]*$")
_DEFAULT_EGRESS = (Rule(rule_words.ALL, None, None, "cidr", "0.0.0.0/0"),)


@dataclass(frozen=True)
class Found:
    """Options of `fleet`, and in `notes` what could not be put into them and why."""

    declaration: Options
    notes: Tuple[str, ...]


@dataclass
class _Work:
    """One description in the making."""

    world: World
    fleet: str
    #: Whether values that a new resource would get anyway are written out too.
    complete: bool
    parts: FrozenSet[str]
    notes: List[str] = field(default_factory=list)
    #: The tags that each declared resource should declare, by its id; what they share moves up to the fleet.
    tags: Dict[str, Dict[str, str]] = field(default_factory=dict)
    #: Whether something declared belongs to no fleet yet.
    foreign: bool = False
    purge_tags: bool = True

    def note(self, kind: str, fact: Facts, text: str) -> None:
        self.notes.append(f"{kind} {fact.get('name') or fact['id']} ({fact['id']}): {text}")

    def declares(self, fact: Facts) -> bool:
        """Whether the fleet may own it."""
        return fact["fleet"] in (None, self.fleet)

    def default(self, options: Options, name: str, value: Any, usual: Any) -> None:
        """Write `value` unless it is None, or the usual one where only differences are wanted."""
        if value is not None and (self.complete or value != usual):
            options[name] = value


def fleet(world: World, name: str, complete: bool = False, parts: Sequence[str] = PARTS) -> Found:
    """The declaration of a fleet `name` which has all of `world` that belongs to no other fleet."""
    work = _Work(world, name, complete, frozenset(parts))
    live = [fact for fact in world.instances if fact["state"] not in facts.GONE]
    members = _names(live, work)
    keys = [_key_pair(fact, work) for fact in _own("key_pair", "key_pairs", work)]
    groups = [_security_group(fact, work) for fact in _own("security_group", "security_groups", work) if fact["name"] != "default"]
    instances = [_instance(fact, members[fact["id"]], work) for fact in live if fact["id"] in members]
    _leftovers(members, work)
    common = _common_tags(work, groups + keys + instances)
    declared: Options = {"name": name}
    if common or complete:
        declared["tags"] = common
    for word, entries in (("key_pairs", keys), ("security_groups", groups), ("instances", with_counts(instances))):
        if entries or complete:
            declared[word] = [without_ids(entry) for entry in sorted(entries, key=lambda entry: str(entry["name"]))]
    if not work.purge_tags:
        declared["purge_tags"] = False
    if work.foreign:
        declared["adopt"] = True
    return Found(declared, tuple(work.notes))


def _own(kind: str, plural: str, work: _Work) -> List[Facts]:
    """What of a kind with names of its own is declared; what another fleet owns is only referred to."""
    if plural not in work.parts:
        return []
    found = []
    for fact in getattr(work.world, plural):
        if work.declares(fact):
            found.append(fact)
        else:
            work.note(kind, fact, f"belongs to the fleet {fact['fleet']}, and is only referred to")
    return found


def _names(live: Sequence[Facts], work: _Work) -> Dict[str, str]:
    """{instance id: name in the declaration}; an instance that none can be found for is left out."""
    found: Dict[str, str] = {}
    if "instances" not in work.parts:
        return found
    for fact in live:
        name = fact["member"] if fact["fleet"] == work.fleet else fact["name"]
        if not work.declares(fact):
            work.note("instance", fact, f"belongs to the fleet {fact['fleet']}, and is left out")
        elif not name or not _NAME.match(name):
            work.note("instance", fact, "has no Name tag that could be its name in a fleet, and is left out; give it one")
        else:
            found[fact["id"]] = name
    for name in sorted({name for name in found.values() if list(found.values()).count(name) > 1}):
        twins = sorted(one for one, other in found.items() if other == name)
        work.notes.append(f"instance {name}: {', '.join(twins)} share this name, and are left out; give each a Name tag of its own")
        for one in twins:
            del found[one]
    return found


def _key_pair(fact: Facts, work: _Work) -> Options:
    options: Options = {"name": fact["name"], "id": fact["id"]}
    work.default(options, "public_key", fact["public_key"], None)
    _register(fact, str(fact["name"]), work)
    return options


def _security_group(fact: Facts, work: _Work) -> Options:
    options: Options = {"name": fact["name"], "id": fact["id"]}
    work.default(options, "description", fact["description"], fact["name"])
    usual_vpcs = {subnet["VpcId"] for subnet in work.world.subnets.values() if subnet.get("DefaultForAz")}
    work.default(options, "vpc_id", fact["vpc_id"], fact["vpc_id"] if fact["vpc_id"] in usual_vpcs else None)
    for name, permissions, usual in (("rules", fact["ingress"], ()), ("egress_rules", fact["egress"], _DEFAULT_EGRESS)):
        rules = rule_words.from_api(permissions, fact["owner_id"])
        declared = _rules(rules, fact, work)
        if declared is None:
            work.note("security_group", fact, f"its {name} have one that cannot be declared, so they are left out and stay as they are")
        elif work.complete or {rule.key for rule in rules} != {rule.key for rule in usual}:
            options[name] = declared
    _register(fact, str(fact["name"]), work)
    return options


def _rules(rules: Sequence[Rule], fact: Facts, work: _Work) -> Optional[List[Options]]:
    """Rules as options, those alike but for their source in one; None where the options cannot say one of them."""
    names = {group["id"]: group["name"] for group in work.world.security_groups if work.declares(group) and group["name"] != "default"}
    found: Dict[Tuple[Any, ...], Options] = {}
    for rule in rules:
        key = (rule.protocol, rule.first or 0, rule.last or 0, rule.description or "")
        option = found.setdefault(key, _rule(rule, work))
        place = "cidr" if rule.kind == "cidr6" else rule.kind
        option.setdefault(place, []).append(names.get(rule.source, rule.source) if rule.kind == "group" else rule.source)
    options = [_ordered(found[key]) for key in sorted(found)]
    try:
        said = {rule.key for rule in rule_words.declared(options, f"security_group {fact['name']}")}
    except InvalidInput:
        return None
    return options if said == {replace(rule, source=names.get(rule.source, rule.source)).key for rule in rules} else None


def _rule(rule: Rule, work: _Work) -> Options:
    option: Options = {}
    work.default(option, "protocol", "all" if rule.protocol == rule_words.ALL else rule.protocol, "tcp")
    if rule.first is not None and rule.protocol in ("icmp", "icmpv6"):
        option["icmp_type"] = rule.first
        work.default(option, "icmp_code", rule.last, -1)
    elif rule.first is not None:
        option["ports"] = [str(rule.first) if rule.first == rule.last else f"{rule.first}-{rule.last}"]
    if rule.description:
        option["description"] = rule.description
    return option


def _ordered(option: Options) -> Options:
    return {name: sorted(value) if isinstance(value, list) else value for name, value in option.items()}


def _instance(fact: Facts, name: str, work: _Work) -> Options:
    options: Options = {"name": name, "id": fact["id"], "image": fact["image_id"], "instance_type": fact["instance_type"]}
    work.default(options, "key_pair", fact["key_pair"], None)
    _placement(fact, options, work)
    groups = _group_names(fact, work)
    if work.complete or groups != ["default"]:
        options["security_groups"] = groups
    write_instance(options, fact, work.world, "volumes" in work.parts, work.default)
    state = "running" if fact["state"] in ("pending", "running") else "stopped"
    work.default(options, "state", state, "running")
    if options.get("market") == "spot":
        work.note("instance", fact, "is a spot instance; how it was asked for (spot) is not told, so declare that yourself for new ones")
    if tag_words.USER_DATA in fact["tags"] or work.world.details.get(str(fact["id"]), {}).get("user_data"):
        work.note("instance", fact, "has user data, which are not given out because they may hold secrets; declare them yourself")
    _register(fact, name, work)
    parts = [_volume(one, name, work) for one in _data_volumes(fact, work)]
    volumes = [one for one in parts if one is not None]
    if volumes:
        options["volumes"] = sorted(volumes, key=lambda one: str(one["name"]))
    if _has_address(fact, name, work):
        options["elastic_ip"] = True
    return options


def _placement(fact: Facts, options: Options, work: _Work) -> None:
    """The zone; and the subnet where it is not the one that AWS takes for the zone, so that members of a kind stay alike."""
    subnet = work.world.subnets.get(str(fact["subnet_id"]), {})
    usual = bool(subnet.get("DefaultForAz"))
    if fact["zone"] and (usual or work.complete or not fact["subnet_id"]):
        options["zone"] = [fact["zone"]]
    if fact["subnet_id"] and not usual:
        options["subnet_id"] = fact["subnet_id"]


def _group_names(fact: Facts, work: _Work) -> List[str]:
    """Names of groups that the fleet declares, ids of the others; AWS's own `default` by its name."""
    ours = {group["id"] for group in work.world.security_groups if work.declares(group)} if "security_groups" in work.parts else set()
    named = [group["name"] if group["id"] in ours or group["name"] == "default" else group["id"] for group in fact["security_groups"]]
    return sorted(str(name) for name in named)


def _data_volumes(fact: Facts, work: _Work) -> List[Facts]:
    """The volumes of an instance, without the one that it starts from."""
    if "volumes" not in work.parts:
        return []
    raw = work.world.raw.get(str(fact["id"]), {})
    devices = facts.device_names(raw)
    found = [one for one in work.world.volumes if one["id"] in devices and devices[one["id"]] != raw.get("RootDeviceName")]
    return sorted(found, key=lambda one: str(one["device"]))


def volume_name(fact: Facts, member: str, fleet_name: str) -> Optional[str]:
    """What a volume is called inside its instance: its own name there, or its Name tag without that of the instance."""
    if fact["fleet"] == fleet_name:
        owner, _slash, name = str(fact["member"] or "").partition("/")
        return name if owner == member and name and name != "root" else None
    tag = str(fact["tags"].get(tag_words.NAME) or "")
    name = tag[len(member) + 1 :] if tag.startswith(f"{member}-") else tag
    return name if name and "/" not in name and name != "root" else str(fact["device"] or "").rsplit("/", 1)[-1] or None


def _volume(fact: Facts, member: str, work: _Work) -> Optional[Options]:
    name = volume_name(fact, member, work.fleet) if work.declares(fact) else None
    if name is None:
        why = f"belongs to the fleet {fact['fleet']}" if not work.declares(fact) else "its name in the fleet is not one of this instance"
        work.note("volume", fact, f"{why}, and it is left out")
        return None
    options: Options = {"name": name, "id": fact["id"], "size": fact["size"]}
    work.default(options, "type", fact["type"], "gp3")
    write_performance(options, fact, work.default)
    work.default(options, "device", fact["device"], None)
    work.default(options, "snapshot", fact["snapshot_id"], None)
    work.default(options, "encrypted", fact["encrypted"], False)
    work.default(options, "kms_key_id", fact["kms_key_id"], None)
    work.default(options, "delete_on_termination", fact["delete_on_termination"], False)
    work.default(options, "multi_attach", fact["multi_attach"], False)
    _register(fact, f"{member}/{name}", work)
    return options


def _has_address(fact: Facts, member: str, work: _Work) -> bool:
    if "elastic_ips" not in work.parts:
        return False
    for address in work.world.elastic_ips:
        if address["instance_id"] != fact["id"]:
            continue
        if address["fleet"] is None or (address["fleet"] == work.fleet and address["member"] == member):
            _register(address, member, work)
            if address["fleet"] is None and address["name"] not in (None, tag_words.readable(member)):
                work.note("elastic_ip", address, f"its Name tag will read {member}, because a fleet names an address after its instance")
            return True
        work.note("elastic_ip", address, f"is known as {address['member']} in the fleet {address['fleet']}, and is left out")
    return False


def _leftovers(members: Mapping[str, str], work: _Work) -> None:
    """What the fleet owns and no declaration can say: volumes and addresses without their instance."""
    for kind, plural in (("volume", "volumes"), ("elastic_ip", "elastic_ips")):
        for fact in getattr(work.world, plural) if plural in work.parts else ():
            if fact["fleet"] == work.fleet and fact["instance_id"] not in members:
                work.note(kind, fact, "belongs to the fleet but to none of its instances, and is left out")


def _register(fact: Facts, name: str, work: _Work) -> None:
    """Keep the tags that are to be declared, and see whether it has to be adopted."""
    work.foreign = work.foreign or fact["fleet"] is None
    by_itself = {tag_words.NAME: tag_words.readable(name)}
    work.tags[str(fact["id"])] = {
        key: value
        for key, value in fact["tags"].items()
        if by_itself.get(key) != value and (key == tag_words.PROTECTED or not key.startswith(("aws:", "steadfast:")))
    }


def _common_tags(work: _Work, entries: Sequence[Options]) -> Dict[str, str]:
    """Give each entry the tags of its own; what all resources have in common comes back."""
    everywhere = list(work.tags.values())
    common = {
        key: value for key, value in (everywhere[0] if everywhere else {}).items() if all(one.get(key) == value for one in everywhere)
    }
    for entry in entries:
        own = _own_tags(entry, common, work)
        _set_tags(entry, own, work)
        inherited = {**common, **own}
        for part in entry.get("volumes", ()):
            _set_tags(part, {key: value for key, value in work.tags[part["id"]].items() if inherited.get(key) != value}, work)
    return dict(sorted(common.items()))


def _own_tags(entry: Options, common: Mapping[str, str], work: _Work) -> Dict[str, str]:
    """The tags to declare for an entry. Its volumes inherit them and may add some, its address inherits them and nothing else."""
    own = {key: value for key, value in work.tags[entry["id"]].items() if key not in common}
    volumes = [work.tags[part["id"]] for part in entry.get("volumes", ())]
    addresses = [work.tags[one["id"]] for one in work.world.elastic_ips if entry.get("elastic_ip") and one["instance_id"] == entry["id"]]
    shared = {
        key: value
        for key, value in own.items()
        if all(key in part for part in volumes) and all(part.get(key) == value for part in addresses)
    }
    if shared != own or any(part != {**common, **shared} for part in addresses):
        work.purge_tags = False
        work.notes.append(
            f"instance {entry['name']}: its volumes or its address have other tags than it has, which a declaration cannot say; "
            "what differs is left out, and purge_tags is false so that it stays"
        )
    return shared


def _set_tags(entry: Options, own: Mapping[str, str], work: _Work) -> None:
    if own or work.complete:
        entry["tags"] = dict(sorted(own.items()))
