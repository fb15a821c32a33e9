# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What exists under a declared name and belongs to no fleet becomes the fleet's own, by its tags alone. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable, Dict, List, Mapping, Tuple

from ..aws import tags as tag_words
from ..engine.errors import Ambiguous
from ..engine.plan import Change
from . import facts
from .declaration import Declaration
from .world import Facts, World

_REASON = "it has this name and belongs to no fleet, so it is adopted: the tags that the fleet knows its own by are put on it"


def adopted(declaration: Declaration, world: World) -> World:
    """`world` with what is to be adopted as if it were the fleet's already, but for its tags; raises Ambiguous."""
    if not declaration.adopt or not declaration.fleet:
        return world
    world = _kind("instance", "instances", declaration, world, _is_instance)
    world = _kind("volume", "volumes", declaration, world, _is_volume)
    world = _kind("elastic_ip", "elastic_ips", declaration, world, _is_address)
    world = _kind("security_group", "security_groups", declaration, world, _is_group)
    return _kind("key_pair", "key_pairs", declaration, world, lambda desired, fact, world: bool(fact["name"] == desired.name))


def explained(changes: List[Change], world: World) -> List[Change]:
    """`changes` with the reason of those that adopt something."""
    return [
        replace(change, reasons=(_REASON, *change.reasons))
        if change.changed and (change.before or {}).get("id", change.name) in world.adopted
        else change
        for change in changes
    ]


def _kind(kind: str, plural: str, declaration: Declaration, world: World, fits: Callable[[Any, Facts, World], bool]) -> World:
    free = [fact for fact in getattr(world, plural) if fact["fleet"] is None]
    chosen: Dict[str, str] = {}
    for desired in getattr(declaration, plural):
        if desired.state == "absent" or not free or _ours(kind, desired.name, world):
            continue
        found = [fact for fact in free if fits(desired, fact, world)]
        if len(found) > 1:
            ids = ", ".join(sorted(str(fact["id"]) for fact in found))
            do = "Give all but one another Name tag, or delete what is not needed."
            raise Ambiguous(f"{len(found)} could be adopted under this name", resource=f"{kind} {desired.name}", found=ids, do=do)
        if found:
            chosen[str(found[0]["id"])] = desired.name
    if not chosen:
        return world
    own: Tuple[Facts, ...] = tuple(_own(fact, chosen, world) for fact in getattr(world, plural))
    parts: Mapping[str, Any] = {plural: own, "adopted": {**world.adopted, **chosen}}
    return replace(world, **parts)


def _own(fact: Facts, chosen: Mapping[str, str], world: World) -> Facts:
    return {**fact, "fleet": world.fleet, "member": chosen[str(fact["id"])]} if str(fact["id"]) in chosen else fact


def _ours(kind: str, name: str, world: World) -> bool:
    """Whether the fleet has one of that name already."""
    find: Mapping[str, Callable[[str], Any]] = {
        "instance": world.instance,
        "volume": world.volume,
        "elastic_ip": world.elastic_ip,
    }
    if kind in find:
        return find[kind](name) is not None
    owned = world.security_groups if kind == "security_group" else world.key_pairs
    return any(fact["name"] == name and fact["fleet"] == world.fleet for fact in owned)


def _is_instance(desired: Any, fact: Facts, world: World) -> bool:
    return bool(fact["state"] not in facts.GONE and fact["name"] == tag_words.readable(desired.name))


def _is_volume(desired: Any, fact: Facts, world: World) -> bool:
    """By its Name tag; or on the instance that it is declared for, by the device or by its short name."""
    if fact["state"] in ("deleting", "deleted"):
        return False
    if fact["tags"].get(tag_words.NAME) == tag_words.readable(desired.name):
        return True
    instance = world.instance(desired.instance) if desired.instance else None
    if instance is None or fact["instance_id"] != instance["id"]:
        return False
    short = desired.name.rsplit("/", 1)[-1]
    return bool(fact["device"] == desired.device if desired.device else fact["tags"].get(tag_words.NAME) == short)


def _is_address(desired: Any, fact: Facts, world: World) -> bool:
    """By its Name tag; or because it is on the instance that it is declared for."""
    instance = world.instance(desired.instance) if desired.instance else None
    on_it = instance is not None and fact["instance_id"] == instance["id"]
    if desired.network_interface:
        on_it = fact["network_interface_id"] == world.interface(desired.network_interface, f"elastic_ip {desired.name}")["id"]
    return on_it or fact["tags"].get(tag_words.NAME) == tag_words.readable(desired.name)


def _is_group(desired: Any, fact: Facts, world: World) -> bool:
    return bool(fact["name"] == desired.name and desired.vpc_id in (None, fact["vpc_id"]))
