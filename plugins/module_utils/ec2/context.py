# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the kinds of resources need of each other while a plan is made: names resolved, tags, guards. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Dict, FrozenSet, List, Mapping, Optional, Sequence, Tuple, Union

from ..aws import tags as tag_words
from ..engine.errors import NotFound, Refused
from ..engine.plan import UNKNOWN, Change, Ref, Step
from .declaration import Declaration, Instance, KeyPair, SecurityGroup
from .world import Facts, World, zone_of_subnet

Id = Union[str, Ref]


@dataclass(frozen=True)
class Context:
    """A declaration beside the world it is compared with."""

    declaration: Declaration
    world: World
    #: Ids of volumes and addresses that this plan deletes.
    leaving: FrozenSet[str] = frozenset()
    #: {id of an instance that this plan replaces: (its name, the zone of the new one)}
    renewed: Mapping[str, Tuple[str, Any]] = field(default_factory=dict)
    #: {id of an instance that a replacement terminates: its name}
    ended: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def instances(self) -> Dict[str, Instance]:
        """The declared instances by name."""
        return {one.name: one for one in self.declaration.instances}

    @cached_property
    def key_pairs(self) -> Dict[str, KeyPair]:
        """The declared key pairs by name."""
        return {one.name: one for one in self.declaration.key_pairs}

    @cached_property
    def security_groups(self) -> Dict[str, SecurityGroup]:
        """The declared security groups by name."""
        return {one.name: one for one in self.declaration.security_groups}

    @cached_property
    def group_names(self) -> Dict[str, str]:
        """{group id: name}, for what people read."""
        return {fact["id"]: fact["name"] for fact in self.world.security_groups}

    def identity(self, name: str, by_own_name: bool = False) -> Dict[str, str]:
        """The tags that a new resource is found by; a kind with a name of its own needs none outside a fleet."""
        if by_own_name and self.declaration.fleet is None:
            return {}
        return tag_words.identity(self.declaration.fleet, name)

    def tags(self, actual: Facts, declared: Optional[Mapping[str, str]], name: str) -> Dict[str, str]:
        """The tags that an existing resource should have."""
        own = self.identity(name) if actual["fleet"] and actual["fleet"] == self.declaration.fleet else {}
        if declared is not None and tag_words.NAME in declared:
            own.pop(tag_words.NAME, None)
        return tag_words.wanted(actual["tags"], declared, own, self.declaration.purge_tags)

    def new_tags(self, name: str, declared: Optional[Mapping[str, str]], by_own_name: bool = False) -> Dict[str, str]:
        """The tags of a new resource."""
        return {**self.identity(name, by_own_name), **{key: str(value) for key, value in (declared or {}).items()}}

    def foreign(self, kind: str, actual: Optional[Facts], name: str) -> None:
        """Refuse to manage what another fleet owns."""
        fleet = self.declaration.fleet
        if actual and fleet and actual["fleet"] not in (None, fleet):
            raise Refused(
                "belongs to another fleet",
                resource=f"{kind} {name}",
                wanted=fleet,
                found=str(actual["fleet"]),
                do="Choose another name, or declare it only there and refer to it by name.",
            )

    def _referred(self, reference: str) -> Optional[Facts]:
        """The instance that a reference means; a name that is declared means the fleet's own, also before it exists."""
        if self.declaration.fleet and reference in self.instances:
            return self.world.instance(reference)
        return self.world.referred_instance(reference)

    def instance_id(self, reference: str, where: str) -> Id:
        """The id of an instance that exists, or a Ref to one that this plan creates."""
        found = self._referred(reference)
        if found and found["id"] in self.renewed:
            return Ref("instance", self.renewed[found["id"]][0], "id")
        if found:
            return str(found["id"])
        declared = self.instances.get(reference)
        if declared and declared.state != "absent":
            return Ref("instance", reference, "id")
        raise NotFound(
            "refers to an instance that is neither declared nor there",
            resource=where,
            wanted=reference,
            do="Declare it, or correct the name.",
        )

    def group_id(self, name: str, where: str, vpc_id: Optional[str] = None) -> Id:
        """The id of a group that exists, or a Ref to one that this plan creates."""
        found = self.world.security_group(name, vpc_id)
        if found:
            return str(found["id"])
        declared = self.security_groups.get(name)
        if declared and declared.state != "absent":
            return Ref("security_group", name, "id")
        raise NotFound(
            "refers to a security group that is neither declared nor there",
            resource=where,
            wanted=name,
            do="Declare it, or correct the name.",
        )

    def key_name(self, name: str, where: str) -> Id:
        """The name of a key pair that exists, or a Ref to one that this plan creates."""
        if self.world.key_pair(name):
            return name
        declared = self.key_pairs.get(name)
        if declared and declared.state != "absent":
            return Ref("key_pair", name, "name")
        raise NotFound(
            "refers to a key pair that is neither declared nor there",
            resource=where,
            wanted=name,
            do="Declare it with private_key_file or public_key, or correct the name.",
        )

    def zone_of_instance(self, name: str) -> Any:
        """The zone an instance is in or will be in: a name, or a Ref where only the API decides."""
        found = self._referred(name)
        if found:
            return self.renewed[found["id"]][1] if found["id"] in self.renewed else found["zone"]
        zones = self.acceptable_zones(name)
        return zones[0] if len(zones) == 1 else Ref("instance", name, "zone")

    def acceptable_zones(self, name: str) -> List[str]:
        """Where a new instance may go, the best first: not beside its volumes. Empty where AWS chooses."""
        member, where = self.instances[name], f"instance {name}"
        if member.subnet_id:
            return [zone_of_subnet(self.world, member.subnet_id, where)]
        zones = [self.world.zone_name(zone, where) for zone in member.zones]
        held = sorted({zone for _volume, zone in self.bound_volumes(name)})
        if not held:
            return zones
        return [zone for zone in zones if zone in held][:1] or zones[:1] or held[:1]

    @cached_property
    def _volume_zones(self) -> Dict[str, List[Tuple[str, str]]]:
        zones: Dict[str, List[Tuple[str, str]]] = {}
        for volume in self.declaration.volumes:
            if volume.instance and volume.state != "absent":
                there = self.world.volume(volume.name)
                zone = there["zone"] if there else volume.zone and self.world.zone_name(volume.zone, f"volume {volume.name}")
                if zone:
                    zones.setdefault(volume.instance, []).append((volume.name, str(zone)))
        return zones

    def bound_volumes(self, name: str) -> List[Tuple[str, str]]:
        """(volume, zone) for the volumes of an instance that are bound to a zone, because they exist or declare one."""
        return self._volume_zones.get(name, [])


def tag_steps(ids: Sequence[Id], before: Mapping[str, str], after: Mapping[str, str]) -> List[Step]:
    """The calls that bring tags from `before` to `after`."""
    added = {key: value for key, value in after.items() if before.get(key) != value}
    gone = [key for key in sorted(before) if key not in after]
    steps = [Step("CreateTags", {"Resources": list(ids), "Tags": tag_words.to_api(added)})] if added else []
    if gone:
        steps.append(Step("DeleteTags", {"Resources": list(ids), "Tags": [{"Key": key} for key in gone]}))
    return steps


def unchanged(kind: str, name: str, shown: Mapping[str, Any], notes: Tuple[str, ...] = ()) -> Change:
    """It is as declared."""
    return Change(kind, name, "none", shown, shown, notes=notes)


def nothing(kind: str, name: str) -> Change:
    """It is absent, as declared."""
    return Change(kind, name, "none")


def protect(kind: str, name: str, tags: Mapping[str, str]) -> None:
    """Refuse to delete what carries the protection tag."""
    if str(tags.get(tag_words.PROTECTED, "")).lower() in ("true", "yes", "1"):
        raise Refused(
            "is protected by its tag",
            resource=f"{kind} {name}",
            found=f"{tag_words.PROTECTED}=true",
            do="Remove the tag first if it is really to go.",
        )


def planned(value: Any) -> Any:
    """What a plan shows for `value`: a Ref is unknown before it is resolved."""
    return UNKNOWN if isinstance(value, Ref) else value
