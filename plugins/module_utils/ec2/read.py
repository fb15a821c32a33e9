# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read everything that a declaration is about: one call per kind whatever its size, all at once. Read-only."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, Mapping, Sequence, Set

from ..aws import tags as tag_words
from ..aws.client import Client
from . import facts, key_files, rule_ids
from . import rules as rule_words
from .declaration import Declaration, Image
from .describe import FILTER_VALUES, KINDS, Calls, Filter, Raw, api_filter, asking, at_once, describe
from .my_ip import my_ip
from .user_data import load
from .world import World

#: Kinds whose own name is unique, so that they are found by it even if no fleet owns them.
_BY_OWN_NAME = ("key_pairs", "security_groups")
#: What does not change while a task runs is asked for once.
_LASTING = ("zones", "all_images", "filtered", "subnets", "my_ip", "prefix_lists")


class Reader:
    """Reads the world of one declaration, as often as asked."""

    def __init__(self, client: Client, declaration: Declaration) -> None:
        self._client = client
        self._declaration = declaration
        self._lasting: Dict[str, Any] = {}

    def read(self) -> World:
        """The actual state of everything concerned."""
        found: Dict[str, Any] = dict(self._lasting)
        for phase in (self._first, self._second, self._third):
            for name, answer in at_once(phase(found)).items():
                found[name] = [*found.get(name, ()), *answer] if isinstance(answer, list) else answer
        self._lasting = {name: found[name] for name in _LASTING if name in found}
        return self._world(found)

    def _world(self, found: Mapping[str, Any]) -> World:
        return World.of(
            self._client.region,
            self._declaration.fleet,
            found,
            filtered_images=dict(found.get("filtered", ())),
            my_ip=found.get("my_ip"),
            interfaces=tuple(found.get("interfaces", ())),
            rules={raw["SecurityGroupRuleId"]: rule_ids.from_api(raw) for raw in found.get("rules", ())},
            prefix_lists={raw["PrefixListName"]: raw["PrefixListId"] for raw in found.get("prefix_lists", ())},
            key_files={
                key.private_key_file: key_files.look(key.private_key_file) for key in self._declaration.key_pairs if key.private_key_file
            },
            user_data=load(self._declaration.instances),
        )

    def _first(self, found: Mapping[str, Any]) -> Calls:
        """What can be asked at once."""
        declaration = self._declaration
        calls: Calls = {}
        for kind, names in concerned(declaration).items():
            if declaration.fleet and (kind not in _BY_OWN_NAME or self._looks_for_owned(kind)):
                if declaration.whole or names:
                    calls[kind] = self._describe(kind, self._owned(names))
            elif names:
                calls[kind] = self._named(kind, names)
        if "zones" not in found and ("instances" in calls or "volumes" in calls):
            calls["zones"] = asking(self._client, "zones", ())
        filtered = sorted({one.image for one in declaration.instances if one.image and one.image.filters}, key=str)
        if "filtered" not in found and filtered:
            calls["filtered"] = lambda: [(image, self._filtered(image)) for image in filtered]
        by_name = [one.image for one in declaration.instances if one.image and one.image.name and not one.image.filters]
        if "all_images" not in found and by_name:
            owners = sorted({image.owner for image in by_name if image.owner}) if all(image.owner for image in by_name) else []
            by_names = [api_filter("name", {str(image.name) for image in by_name})]
            calls["all_images"] = lambda: self._images(by_names, owners)
        if "my_ip" not in found and _needs_my_ip(declaration):
            calls["my_ip"] = lambda: my_ip(self._client.is_local, declaration.my_ip)
        calls.update(self._by_reference(found))
        return calls

    def _by_reference(self, found: Mapping[str, Any]) -> Calls:
        """What rules and addresses name beside the kinds that a declaration can have: interfaces, rules by id, prefix lists."""
        declaration = self._declaration
        calls: Calls = {}
        interfaces = {one.network_interface for one in declaration.elastic_ips if one.network_interface}
        if interfaces:
            calls["interfaces"] = self._named("interfaces", interfaces)
        rule_names = {rule.id for one in declaration.security_groups for rule in (*one.identified_rules, *one.identified_egress_rules)}
        if rule_names:
            calls["rules"] = self._named("rules", rule_names)
        lists = {rule.source for rule in _rules(declaration) if rule.kind == "prefix_list" and not rule.source.startswith("pl-")}
        if "prefix_lists" not in found and lists:
            calls["prefix_lists"] = self._describe("prefix_lists", [api_filter("prefix-list-name", lists)])
        return calls

    def _second(self, found: Mapping[str, Any]) -> Calls:
        """What can be asked only when it is known what is missing."""
        declaration, calls = self._declaration, {**self._to_adopt(found), **self._missing(found)}
        live = facts.live_in(found.get("instances", ()))
        names = {name for raw in live for name in (_tag(raw, tag_words.MEMBER), _tag(raw, tag_words.NAME))}
        if not declaration.fleet and declaration.instances and live:
            ids = [raw["InstanceId"] for raw in live]
            calls.setdefault("volumes", self._describe("volumes", [api_filter("attachment.instance-id", ids)]))
            calls.setdefault("elastic_ips", self._describe("elastic_ips", [api_filter("instance-id", ids)]))
        adopted = {one.address for one in declaration.elastic_ips if one.address}
        adopted -= {raw.get(word) for raw in found.get("elastic_ips", ()) for word in ("AllocationId", "PublicIp")}
        if adopted:
            calls["elastic_ips"] = self._addresses(adopted)
        to_create = [
            one for one in declaration.instances if one.state != "absent" and (one.name not in names or "replace" in one.on_change.values())
        ]
        image_ids = {one.image.id for one in to_create if one.image and one.image.id}
        if image_ids - {raw["ImageId"] for raw in found.get("all_images", ())}:
            calls["all_images"] = self._describe("all_images", [api_filter("image-id", image_ids)])
        subnet_ids = {one.subnet_id for one in to_create if one.subnet_id}
        if subnet_ids and "subnets" not in found:
            calls["subnets"] = self._describe("subnets", [api_filter("subnet-id", subnet_ids)])
        return calls

    def _third(self, found: Mapping[str, Any]) -> Calls:
        """What may be adopted because it is on the instance that it is declared for, whatever its Name tag says."""
        calls: Calls = {}
        for kind, word in (("volumes", "attachment.instance-id"), ("elastic_ips", "instance-id")) if self._adopts else ():
            there = {_tag(raw, tag_words.MEMBER) for raw in found.get(kind, ())}
            holders = {one.instance for one in getattr(self._declaration, kind) if one.instance and one.name not in there}
            live = facts.live_in(found.get("instances", ()))
            ids = [raw["InstanceId"] for raw in live if holders & {_tag(raw, tag_words.MEMBER), _tag(raw, tag_words.NAME)}]
            if ids:
                calls[kind] = self._describe(kind, [api_filter(word, ids)])
        interfaces = {raw["NetworkInterfaceId"] for raw in found.get("interfaces", ())}
        if self._adopts and interfaces:
            on_instances = calls.get("elastic_ips", list)
            on_interfaces = self._describe("elastic_ips", [api_filter("network-interface-id", interfaces)])
            calls["elastic_ips"] = lambda: [*on_instances(), *on_interfaces()]
        return calls

    @property
    def _adopts(self) -> bool:
        return bool(self._declaration.adopt and self._declaration.fleet)

    def _to_adopt(self, found: Mapping[str, Any]) -> Calls:
        """By their Name tags, what is declared and not the fleet's yet."""
        calls: Calls = {}
        for kind in ("instances", "volumes", "elastic_ips") if self._adopts else ():
            every = facts.instances_in(found.get(kind, ())) if kind == "instances" else found.get(kind, ())
            there = {_tag(raw, tag_words.MEMBER) for raw in every}
            names = {one.name for one in getattr(self._declaration, kind) if one.state != "absent"} - there
            if names:
                calls[kind] = self._named(kind, {tag_words.readable(name) for name in names})
        return calls

    def _filtered(self, image: Image) -> Raw:
        """What the filters of one image find."""
        filters = [api_filter(name, values) for name, values in image.filters]
        filters += [api_filter("name", [image.name])] if image.name else []
        return self._images(filters, [image.owner] if image.owner else [])

    def _images(self, filters: Sequence[Filter], owners: Sequence[str]) -> Raw:
        return describe(self._client, "all_images", filters, **({"Owners": owners} if owners else {}))

    def _looks_for_owned(self, kind: str) -> bool:
        """Whether what the fleet owns matters beside what is declared. A key pair left over is no worry unless all is to go."""
        return self._declaration.whole and (kind == "security_groups" or self._declaration.prune)

    def _missing(self, found: Mapping[str, Any]) -> Calls:
        """What is referred to, but does not belong to the fleet."""
        declaration = self._declaration
        if not declaration.fleet:
            return {}
        names = concerned(declaration)
        # without a look for what the fleet owns, key pairs were asked for by name in the first place
        keys = names["key_pairs"] - {raw["KeyName"] for raw in found.get("key_pairs", ())} if self._looks_for_owned("key_pairs") else set()
        groups = names["security_groups"] - {raw[word] for raw in found.get("security_groups", ()) for word in ("GroupName", "GroupId")}
        members = {_tag(raw, tag_words.MEMBER) for raw in facts.instances_in(found.get("instances", ()))}
        members |= {one.name for one in declaration.instances}
        missing = {"key_pairs": keys, "security_groups": groups, "instances": names["instances"] - members}
        return {kind: self._named(kind, wanted) for kind, wanted in missing.items() if wanted}

    def _owned(self, names: Set[str]) -> Raw:
        filters = [api_filter(f"tag:{tag_words.FLEET}", [str(self._declaration.fleet)])]
        if not self._declaration.whole and len(names) <= FILTER_VALUES:
            filters.append(api_filter(f"tag:{tag_words.MEMBER}", names))
        return filters

    def _named(self, kind: str, names: Set[str]) -> Callable[[], Raw]:
        """By name and by id; ids that do not exist are simply not in the answer."""
        how = KINDS[kind]
        ids = {name for name in names if name.startswith(how.id_prefix)}
        return self._either(kind, {how.id_filter: ids, how.name_filter: names - ids})

    def _addresses(self, references: Set[str]) -> Callable[[], Raw]:
        """Elastic IPs by allocation id or by themselves."""
        ids = {one for one in references if one.startswith("eipalloc-")}
        return self._either("elastic_ips", {"allocation-id": ids, "public-ip": references - ids})

    def _either(self, kind: str, words: Mapping[str, Set[str]]) -> Callable[[], Raw]:
        """What passes one of several filters, {name: values}; the API joins filters by "and"."""
        asks = [self._describe(kind, [api_filter(word, values)]) for word, values in words.items()]
        return lambda: [raw for ask in asks for raw in ask()]

    def _describe(self, kind: str, filters: Sequence[Filter]) -> Callable[[], Raw]:
        return asking(self._client, kind, filters)


def concerned(declaration: Declaration) -> Dict[str, Set[str]]:
    """The names and ids of each kind that `declaration` declares or refers to."""
    members = declaration.instances
    attached = {one.instance for one in declaration.volumes} | {one.instance for one in declaration.elastic_ips}
    attached |= {name for one in declaration.volumes for name in one.instances or ()}
    return {
        "key_pairs": {one.name for one in declaration.key_pairs} | {one.key_pair for one in members if one.key_pair},
        "security_groups": {one.name for one in declaration.security_groups}
        | {name for one in members for name in one.security_groups or ()}
        | {rule.source for rule in _rules(declaration) if rule.kind == "group" and not rule_words.foreign(rule.source)},
        "instances": {one.name for one in members} | {name for name in attached if name},
        "volumes": {one.name for one in declaration.volumes},
        "elastic_ips": {one.name for one in declaration.elastic_ips},
    }


def _tag(raw: Mapping[str, Any], key: str) -> Any:
    return tag_words.from_api(raw.get("Tags")).get(key)


def _rules(declaration: Declaration) -> Iterator[rule_words.Rule]:
    """The declared rules of all groups, in both directions."""
    for group in declaration.security_groups:
        yield from group.mentioned


def _needs_my_ip(declaration: Declaration) -> bool:
    return any(rule.source == rule_words.MY_IP for rule in _rules(declaration))
