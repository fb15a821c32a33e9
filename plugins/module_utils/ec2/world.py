# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is there, as frozen facts, and how a declared name finds its resource in them. Pure."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Dict, FrozenSet, Iterable, List, Mapping, Optional, Sequence, Set, Tuple

from ..aws import tags as tag_words
from ..engine.errors import Ambiguous, InvalidInput, NotFound
from . import facts
from .declaration import Image
from .key_files import KeyFile

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class World:
    """Everything that a declaration is compared with. Lists hold facts; `raw` the API's own words for an instance."""

    region: str = ""
    fleet: Optional[str] = None
    key_pairs: Tuple[Facts, ...] = ()
    security_groups: Tuple[Facts, ...] = ()
    instances: Tuple[Facts, ...] = ()
    volumes: Tuple[Facts, ...] = ()
    elastic_ips: Tuple[Facts, ...] = ()
    raw: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    #: {zone name: zone id}; empty where no zone was asked for
    zones: Mapping[str, str] = field(default_factory=dict)
    images: Tuple[Mapping[str, Any], ...] = ()
    #: {image as declared: what its filters find}
    filtered_images: Mapping[Image, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    subnets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    #: The API's own words for the network interfaces that addresses are declared for.
    interfaces: Tuple[Mapping[str, Any], ...] = ()
    my_ip: Optional[str] = None
    #: {name: id} of the prefix lists that were asked for by name
    prefix_lists: Mapping[str, str] = field(default_factory=dict)
    #: {id of a rule that is declared by it: the rule, as rule_ids.from_api tells it}
    rules: Mapping[str, Facts] = field(default_factory=dict)
    #: {id of what this run adopts: its name}
    adopted: Mapping[str, str] = field(default_factory=dict)
    key_files: Mapping[str, KeyFile] = field(default_factory=dict)
    #: {path: what is in it}
    user_data: Mapping[str, bytes] = field(default_factory=dict)
    #: {instance id: {name: value}} for what DescribeInstances does not tell; only what a declaration is about
    details: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, region: str, fleet: Optional[str], found: Mapping[str, Any], **more: Any) -> "World":
        """From the API's answers, {kind: list}; what came in several of them is there once. `more`: whatever else is known."""
        zones = {zone["ZoneName"]: zone["ZoneId"] for zone in found.get("zones", ())}
        volumes = _distinct(facts.volume(raw, zones) for raw in found.get("volumes", ()))
        elastic_ips = _distinct(facts.elastic_ip(raw) for raw in found.get("elastic_ips", ()))
        raw_instances = facts.instances_in(found.get("instances", ()))
        return cls(
            region=region,
            fleet=fleet,
            key_pairs=_distinct(facts.key_pair(raw) for raw in found.get("key_pairs", ())),
            security_groups=_distinct(facts.security_group(raw) for raw in found.get("security_groups", ())),
            instances=facts.instances(raw_instances, region, zones, volumes, elastic_ips),
            volumes=volumes,
            elastic_ips=elastic_ips,
            raw={raw["InstanceId"]: raw for raw in raw_instances},
            zones=zones,
            images=tuple(found.get("all_images", ())),
            subnets={raw["SubnetId"]: raw for raw in found.get("subnets", ())},
            **more,
        )

    def key_pair(self, name: str) -> Optional[Facts]:
        """The key pair of that name, or None."""
        return next((fact for fact in self.key_pairs if fact["name"] == name), None)

    def security_group(self, name: str, vpc_id: Optional[str] = None) -> Optional[Facts]:
        """The group of that name or id, or None; one of this fleet before any other."""
        found = [fact for fact in self.security_groups if name in (fact["name"], fact["id"]) and vpc_id in (None, fact["vpc_id"])]
        ours = [fact for fact in found if self.fleet and fact["fleet"] == self.fleet]
        return _single("security_group", name, ours or found, "Say which by vpc_id, or give the group's id.")

    def instance(self, name: str) -> Optional[Facts]:
        """The live instance of that declared name, or None; while one replaces another, the new one."""
        found = _current(self._live(name))
        return _single("instance", name, found, "Terminate or rename one of them, or give one its own name.")

    def referred_instance(self, name: str) -> Optional[Facts]:
        """The live instance that a reference means: an id, a declared name, or a Name tag."""
        found = _current(self._live(name))
        if not found and self.fleet:
            found = [fact for fact in self.instances if fact["state"] not in facts.GONE and name in (fact["name"], fact["id"])]
        return _single("instance", name, found, "Give its id instead.")

    def predecessors(self, name: str) -> List[Facts]:
        """Live instances of that name whose place another was to take, by a run that did not come to its end."""
        found = self._live(name)
        current = {fact["id"] for fact in _current(found)}
        return [fact for fact in found if fact["id"] not in current]

    def _live(self, name: str) -> List[Facts]:
        return [fact for fact in self._named("instances", name) if fact["state"] not in facts.GONE]

    def past_lives(self, name: str) -> List[str]:
        """Ids of the terminated instances of that name which the API still shows."""
        return sorted(fact["id"] for fact in self._named("instances", name) if fact["state"] in facts.GONE)

    def volume(self, name: str) -> Optional[Facts]:
        """The volume of that declared name, or None."""
        found = [fact for fact in self._named("volumes", name) if fact["state"] not in ("deleting", "deleted")]
        return _single("volume", name, found, "Delete or rename one of them.")

    def root_volume(self, instance_id: str) -> Optional[Facts]:
        """The volume that an instance starts from; None where it was not read."""
        raw = self.raw.get(instance_id, {})
        devices = facts.device_names(raw)
        found = next((volume for volume, device in devices.items() if device == raw.get("RootDeviceName")), None)
        return self._volumes_by_id.get(found or "")

    @cached_property
    def _volumes_by_id(self) -> Dict[str, Facts]:
        return {fact["id"]: fact for fact in self.volumes}

    def elastic_ip(self, name: str) -> Optional[Facts]:
        """The address of that declared name, or None."""
        return _single("elastic_ip", name, self._named("elastic_ips", name), "Release or rename one of them.")

    def address(self, reference: str) -> Optional[Facts]:
        """The Elastic IP of that allocation id or public address, or None."""
        return next((fact for fact in self.elastic_ips if reference in (fact["id"], fact["public_ip"])), None)

    def interface(self, reference: str, where: str) -> Mapping[str, Any]:
        """The network interface of that id or Name tag; raises NotFound."""
        found: List[Facts] = [
            {**raw, "id": raw["NetworkInterfaceId"]}
            for raw in self.interfaces
            if reference in (raw["NetworkInterfaceId"], tag_words.from_api(raw.get("TagSet")).get(tag_words.NAME))
        ]
        if not found:
            do = "Correct it; aws ec2 describe-network-interfaces shows what there is."
            raise NotFound("the network interface does not exist", resource=where, wanted=reference, found=f"none in {self.region}", do=do)
        return _single("network_interface", reference, found, "Give its id instead.") or {}

    @cached_property
    def ended(self) -> FrozenSet[str]:
        """Ids of the instances that no longer count as there."""
        return frozenset(fact["id"] for fact in self.instances if fact["state"] in facts.GONE)

    def owned(self, kind: str) -> List[Facts]:
        """What of `kind` belongs to the fleet."""
        return [fact for fact in getattr(self, kind) if self.fleet and fact["fleet"] == self.fleet]

    def _named(self, kind: str, name: str) -> List[Facts]:
        return self._index[kind].get(name, [])

    @cached_property
    def _index(self) -> Dict[str, Dict[str, List[Facts]]]:
        """{kind: {declared name: facts}}, so that a plan takes linear time."""
        index: Dict[str, Dict[str, List[Facts]]] = {"instances": {}, "volumes": {}, "elastic_ips": {}}
        for kind, names in index.items():
            for fact in getattr(self, kind):
                for name in self._names_of(fact):
                    names.setdefault(name, []).append(fact)
        return index

    def _names_of(self, fact: Facts) -> Set[str]:
        """What a declaration may call it: the name inside the fleet, or without a fleet the Name tag or the id."""
        if self.fleet is None:
            return {fact["tags"].get(tag_words.NAME, fact["id"]), fact["id"]}
        return {fact["member"]} if fact["fleet"] == self.fleet and fact["member"] else set()

    def zone_name(self, zone: str, where: str) -> str:
        """The name of a zone given by name or id; raises NotFound for one that this region does not have."""
        if zone in self.zones:
            return zone
        for name, zone_id in self.zones.items():
            if zone == zone_id:
                return name
        if not self.zones:
            return zone
        known = ", ".join(f"{name} ({zone_id})" for name, zone_id in sorted(self.zones.items()))
        raise NotFound(
            "the zone does not exist",
            resource=where,
            wanted=zone,
            found=f"in {self.region}: {known}",
            do="Choose one of these, by name or by id.",
        )

    def prefix_list(self, reference: str, where: str) -> str:
        """The id of a prefix list given by id or name; raises NotFound for a name that this region does not have."""
        if reference.startswith("pl-"):
            return reference
        if reference in self.prefix_lists:
            return self.prefix_lists[reference]
        raise NotFound(
            "the prefix list does not exist",
            resource=where,
            wanted=reference,
            found=f"none in {self.region}",
            do="Correct the name, or give its id; aws ec2 describe-managed-prefix-lists shows what there is.",
        )

    def newest_image(self, image: Image, where: str) -> Mapping[str, Any]:
        """The image meant: by id, or the newest that matches; raises NotFound."""
        found = list(self.filtered_images.get(image, ())) if image.filters else [raw for raw in self.images if _matches(image, raw)]
        if not found:
            do = (
                "Look for its id in this region: ids differ from region to region."
                if image.id
                else "Check name (with * for the rest) and owner; aws ec2 describe-images --owners … shows what there is."
            )
            raise NotFound("the image does not exist", resource=where, wanted=str(image), found=f"none in {self.region}", do=do)
        return max(found, key=lambda raw: (str(raw.get("CreationDate") or ""), raw["ImageId"]))


def _distinct(found: Iterable[Facts]) -> Tuple[Facts, ...]:
    return tuple({str(fact["id"]): fact for fact in found}.values())


def _matches(image: Image, raw: Mapping[str, Any]) -> bool:
    if image.id:
        return bool(raw["ImageId"] == image.id)
    owners = (str(raw.get("OwnerId")), str(raw.get("ImageOwnerAlias")))
    return fnmatch.fnmatchcase(str(raw.get("Name") or ""), str(image.name)) and (
        image.owner is None or image.owner == "self" or image.owner in owners
    )


def _current(found: List[Facts]) -> List[Facts]:
    """Without those whose place another of them is taking."""
    replaced = {str(fact["tags"].get(tag_words.REPLACES, "")).split(":", maxsplit=1)[0] for fact in found}
    return [fact for fact in found if fact["id"] not in replaced]


def _single(kind: str, name: str, found: List[Facts], do: str) -> Optional[Facts]:
    if len(found) > 1:
        ids = ", ".join(sorted(str(fact["id"]) for fact in found))
        raise Ambiguous(f"{len(found)} of that name exist", resource=f"{kind} {name}", found=ids, do=do)
    return found[0] if found else None


def zone_of_subnet(world: World, subnet_id: str, where: str) -> str:
    """The zone in which a subnet lies; raises NotFound for an unknown subnet."""
    if subnet_id not in world.subnets:
        raise NotFound(
            "the subnet does not exist", resource=where, wanted=subnet_id, found=f"not in {world.region}", do="Correct subnet_id."
        )
    return str(world.subnets[subnet_id]["AvailabilityZone"])


def check_zone(wanted: Optional[str], found: Optional[str], where: str, what: str) -> None:
    """A volume and its instance must be in the same zone; raises InvalidInput otherwise."""
    if wanted and found and wanted != found:
        raise InvalidInput(
            f"is to be in another zone than {what}, and AWS attaches volumes only within a zone",
            resource=where,
            wanted=wanted,
            found=f"{what} in {found}",
            do="Declare both in one zone, or take the volume over with a snapshot.",
        )
