# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read everything that a declaration is about: one call per kind whatever its size, all at once. Read-only."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Sequence, Set

from ..aws import tags as tag_words
from ..aws.client import CONCURRENCY, Client
from . import facts, key_files
from . import rules as rule_words
from .declaration import Declaration, Image
from .my_ip import my_ip
from .user_data import load
from .world import World

#: The API takes at most so many values in one filter.
FILTER_VALUES = 200

Calls = Dict[str, Callable[[], Any]]
Raw = List[Dict[str, Any]]


@dataclass(frozen=True)
class _Kind:
    """How the resources of one kind are asked for."""

    operation: str
    result: str
    name_filter: str
    id_filter: str
    id_prefix: str
    extra: Mapping[str, Any]


_KINDS = {
    "key_pairs": _Kind("DescribeKeyPairs", "KeyPairs", "key-name", "key-pair-id", "key-", {"IncludePublicKey": True}),
    "security_groups": _Kind("DescribeSecurityGroups", "SecurityGroups", "group-name", "group-id", "sg-", {}),
    "instances": _Kind("DescribeInstances", "Reservations", "tag:Name", "instance-id", "i-", {}),
    "volumes": _Kind("DescribeVolumes", "Volumes", "tag:Name", "volume-id", "vol-", {}),
    "elastic_ips": _Kind("DescribeAddresses", "Addresses", "tag:Name", "allocation-id", "eipalloc-", {}),
}
#: Kinds whose own name is unique, so that they are found by it even if no fleet owns them.
_BY_OWN_NAME = ("key_pairs", "security_groups")
#: What does not change while a task runs is asked for once.
_LASTING = ("zones", "images", "filtered", "subnets", "my_ip", "prefix_lists")


class Reader:
    """Reads the world of one declaration, as often as asked."""

    def __init__(self, client: Client, declaration: Declaration) -> None:
        self._client = client
        self._declaration = declaration
        self._lasting: Dict[str, Any] = {}

    def read(self) -> World:
        """The actual state of everything concerned."""
        found: Dict[str, Any] = dict(self._lasting)
        with ThreadPoolExecutor(max_workers=CONCURRENCY, thread_name_prefix="read") as pool:
            for phase in (self._first, self._second, self._third):
                started = {name: pool.submit(call) for name, call in phase(found).items()}
                for name, future in started.items():
                    answer = future.result()
                    found[name] = [*found.get(name, ()), *answer] if isinstance(answer, list) else answer
        self._lasting = {name: found[name] for name in _LASTING if name in found}
        return self._world(found)

    def _world(self, found: Mapping[str, Any]) -> World:
        region = self._client.region
        zones = {zone["ZoneName"]: zone["ZoneId"] for zone in found.get("zones", ())}
        volumes = _distinct(facts.volume(raw, zones) for raw in found.get("volumes", ()))
        elastic_ips = _distinct(facts.elastic_ip(raw) for raw in found.get("elastic_ips", ()))
        raw_instances = _instances(found)
        return World(
            region=region,
            fleet=self._declaration.fleet,
            key_pairs=_distinct(facts.key_pair(raw) for raw in found.get("key_pairs", ())),
            security_groups=_distinct(facts.security_group(raw) for raw in found.get("security_groups", ())),
            instances=facts.instances(raw_instances, region, zones, volumes, elastic_ips),
            volumes=volumes,
            elastic_ips=elastic_ips,
            raw={raw["InstanceId"]: raw for raw in raw_instances},
            zones=zones,
            images=tuple(found.get("images", ())),
            filtered_images=dict(found.get("filtered", ())),
            subnets={raw["SubnetId"]: raw for raw in found.get("subnets", ())},
            my_ip=found.get("my_ip"),
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
            calls["zones"] = lambda: self._client.pages("DescribeAvailabilityZones", "AvailabilityZones", {})
        filtered = sorted({one.image for one in declaration.instances if one.image and one.image.filters}, key=str)
        if "filtered" not in found and filtered:
            calls["filtered"] = lambda: [(image, self._images(image)) for image in filtered]
        by_name = [one.image for one in declaration.instances if one.image and one.image.name and not one.image.filters]
        if "images" not in found and by_name:
            owners = sorted({image.owner for image in by_name if image.owner}) if all(image.owner for image in by_name) else []
            request = {"Filters": [_filter("name", {str(image.name) for image in by_name})], **({"Owners": owners} if owners else {})}
            calls["images"] = lambda: self._client.pages("DescribeImages", "Images", request)
        if "my_ip" not in found and _needs_my_ip(declaration):
            calls["my_ip"] = lambda: my_ip(self._client.is_local, declaration.my_ip)
        lists = {rule.source for rule in _rules(declaration) if rule.kind == "prefix_list" and not rule.source.startswith("pl-")}
        if "prefix_lists" not in found and lists:
            request = {"Filters": [_filter("prefix-list-name", lists)]}
            calls["prefix_lists"] = lambda: self._client.pages("DescribeManagedPrefixLists", "PrefixLists", request)
        return calls

    def _second(self, found: Mapping[str, Any]) -> Calls:
        """What can be asked only when it is known what is missing."""
        declaration, calls = self._declaration, {**self._to_adopt(found), **self._missing(found)}
        live = [raw for raw in _instances(found) if raw["State"]["Name"] not in facts.GONE]
        names = {name for raw in live for name in (_tag(raw, tag_words.MEMBER), _tag(raw, tag_words.NAME))}
        if not declaration.fleet and declaration.instances and live:
            ids = [raw["InstanceId"] for raw in live]
            calls.setdefault("volumes", self._describe("volumes", [_filter("attachment.instance-id", ids)]))
            calls.setdefault("elastic_ips", self._describe("elastic_ips", [_filter("instance-id", ids)]))
        adopted = {one.address for one in declaration.elastic_ips if one.address}
        adopted -= {raw.get(word) for raw in found.get("elastic_ips", ()) for word in ("AllocationId", "PublicIp")}
        if adopted:
            calls["elastic_ips"] = self._addresses(adopted)
        to_create = [
            one for one in declaration.instances if one.state != "absent" and (one.name not in names or "replace" in one.on_change.values())
        ]
        image_ids = {one.image.id for one in to_create if one.image and one.image.id}
        if image_ids - {raw["ImageId"] for raw in found.get("images", ())}:
            calls["images"] = lambda: self._client.pages("DescribeImages", "Images", {"Filters": [_filter("image-id", image_ids)]})
        subnet_ids = {one.subnet_id for one in to_create if one.subnet_id}
        if subnet_ids and "subnets" not in found:
            calls["subnets"] = lambda: self._client.pages("DescribeSubnets", "Subnets", {"Filters": [_filter("subnet-id", subnet_ids)]})
        return calls

    def _third(self, found: Mapping[str, Any]) -> Calls:
        """What may be adopted because it is on the instance that it is declared for, whatever its Name tag says."""
        calls: Calls = {}
        for kind, word in (("volumes", "attachment.instance-id"), ("elastic_ips", "instance-id")) if self._adopts else ():
            there = {_tag(raw, tag_words.MEMBER) for raw in found.get(kind, ())}
            holders = {one.instance for one in getattr(self._declaration, kind) if one.instance and one.name not in there}
            live = [raw for raw in _instances(found) if raw["State"]["Name"] not in facts.GONE]
            ids = [raw["InstanceId"] for raw in live if holders & {_tag(raw, tag_words.MEMBER), _tag(raw, tag_words.NAME)}]
            if ids:
                calls[kind] = self._all_of(kind, word, sorted(ids))
        return calls

    def _all_of(self, kind: str, word: str, values: Sequence[str]) -> Callable[[], Raw]:
        """By a filter that may have more values than one request takes."""
        portions = [values[start : start + FILTER_VALUES] for start in range(0, len(values), FILTER_VALUES)]
        return lambda: [raw for some in portions for raw in self._describe(kind, [_filter(word, some)])()]

    @property
    def _adopts(self) -> bool:
        return bool(self._declaration.adopt and self._declaration.fleet)

    def _to_adopt(self, found: Mapping[str, Any]) -> Calls:
        """By their Name tags, what is declared and not the fleet's yet."""
        calls: Calls = {}
        for kind in ("instances", "volumes", "elastic_ips") if self._adopts else ():
            every = _instances(found) if kind == "instances" else found.get(kind, ())
            there = {_tag(raw, tag_words.MEMBER) for raw in every}
            names = {one.name for one in getattr(self._declaration, kind) if one.state != "absent"} - there
            if names:
                calls[kind] = self._named(kind, {tag_words.readable(name) for name in names})
        return calls

    def _images(self, image: Image) -> Raw:
        """What the filters of one image find."""
        filters = [_filter(name, values) for name, values in image.filters]
        filters += [_filter("name", [image.name])] if image.name else []
        owners = {"Owners": [image.owner]} if image.owner else {}
        return self._client.pages("DescribeImages", "Images", {"Filters": filters, **owners})

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
        members = {_tag(raw, tag_words.MEMBER) for raw in _instances(found)} | {one.name for one in declaration.instances}
        missing = {"key_pairs": keys, "security_groups": groups, "instances": names["instances"] - members}
        return {kind: self._named(kind, wanted) for kind, wanted in missing.items() if wanted}

    def _owned(self, names: Set[str]) -> Raw:
        filters = [_filter(f"tag:{tag_words.FLEET}", [str(self._declaration.fleet)])]
        if not self._declaration.whole and len(names) <= FILTER_VALUES:
            filters.append(_filter(f"tag:{tag_words.MEMBER}", names))
        return filters

    def _named(self, kind: str, names: Set[str]) -> Callable[[], Raw]:
        """By name and by id; ids that do not exist are simply not in the answer."""
        how = _KINDS[kind]
        ids = sorted(name for name in names if name.startswith(how.id_prefix))
        others = sorted(names - set(ids))

        def ask() -> Raw:
            found: Raw = []
            for word, values in ((how.id_filter, ids), (how.name_filter, others)):
                for start in range(0, len(values), FILTER_VALUES):
                    found += self._describe(kind, [_filter(word, values[start : start + FILTER_VALUES])])()
            return found

        return ask

    def _addresses(self, references: Set[str]) -> Callable[[], Raw]:
        """Elastic IPs by allocation id or by themselves."""
        ids = {one for one in references if one.startswith("eipalloc-")}
        words = {"allocation-id": ids, "public-ip": references - ids}
        asks = [self._describe("elastic_ips", [_filter(word, values)]) for word, values in words.items() if values]
        return lambda: [raw for ask in asks for raw in ask()]

    def _describe(self, kind: str, filters: Sequence[Mapping[str, Any]]) -> Callable[[], Raw]:
        how = _KINDS[kind]
        return lambda: self._client.pages(how.operation, how.result, {**how.extra, "Filters": list(filters)})


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


def _instances(found: Mapping[str, Any]) -> Raw:
    every = {raw["InstanceId"]: raw for reservation in found.get("instances", ()) for raw in reservation.get("Instances", ())}
    return list(every.values())


def _distinct(found: Iterable[Dict[str, Any]]) -> Any:
    return tuple({fact["id"]: fact for fact in found}.values())


def _filter(name: str, values: Iterable[Any]) -> Dict[str, Any]:
    return {"Name": name, "Values": sorted(values)}


def _tag(raw: Mapping[str, Any], key: str) -> Any:
    return tag_words.from_api(raw.get("Tags")).get(key)


def _rules(declaration: Declaration) -> Iterator[rule_words.Rule]:
    """The declared rules of all groups, in both directions."""
    for group in declaration.security_groups:
        yield from group.rules or ()
        yield from group.egress_rules or ()


def _needs_my_ip(declaration: Declaration) -> bool:
    return any(rule.source == rule_words.MY_IP for rule in _rules(declaration))
