# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a task returns about its resources: as they are, or as planned where they do not exist yet. Pure."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional

from ..engine.plan import Change, Ref, Unknown, shown
from ..engine.reconcile import Outcome
from . import elastic_ip, key_pair, security_group, volume
from .context import Context
from .declaration import Declaration
from .instance import resource as instance
from .world import Facts, World

_PLURALS = {
    key_pair.KIND: "key_pairs",
    security_group.KIND: "security_groups",
    instance.KIND: "instances",
    volume.KIND: "volumes",
    elastic_ip.KIND: "elastic_ips",
}


def result(noun: str, declaration: Declaration, outcome: Outcome) -> Any:
    """The value under the module's noun: one resource, or the whole fleet."""
    found = {plural: _resources(kind, plural, declaration, outcome) for kind, plural in _PLURALS.items()}
    if noun == "fleet":
        return {"name": declaration.fleet, "region": outcome.actual.region, **found}
    resources = found[_PLURALS[noun]]
    return resources[0] if resources else None


def _resources(kind: str, plural: str, declaration: Declaration, outcome: Outcome) -> List[Dict[str, Any]]:
    context = Context(declaration, outcome.actual)
    created = {change.name: change for change in outcome.plan.changes if change.kind == kind and change.action == "create"}
    resources = []
    for desired in getattr(declaration, plural):
        if desired.state == "absent":
            continue
        fact = _find(kind, desired.name, context.world)
        if fact is None and getattr(desired, "address", None):
            fact = context.world.address(desired.address)
        if fact is not None:
            resources.append(_view(kind, fact, desired.name, context, getattr(desired, "private_key_file", None)))
        elif desired.name in created:
            resources.append(_planned(created[desired.name]))
    return resources


def _find(kind: str, name: str, world: World) -> Optional[Facts]:
    find = {
        "key_pair": world.key_pair,
        "security_group": world.security_group,
        "instance": world.instance,
        "volume": world.volume,
        "elastic_ip": world.elastic_ip,
    }
    return find[kind](name)


def _view(kind: str, fact: Facts, name: str, context: Context, private_key_file: Optional[str]) -> Dict[str, Any]:
    if kind == "security_group":
        return security_group.view(fact, context)
    found: Dict[str, Any] = dict(fact)
    if kind == "key_pair":
        found["private_key_file"] = private_key_file
    return {**found, "planned": False}


def _planned(change: Change) -> Dict[str, Any]:
    """A resource that only check mode knows; what the API decides is null, so that a template can tell."""
    after: Mapping[str, Any] = change.after or {}
    return {**{name: None if isinstance(value, (Unknown, Ref)) else shown(value) for name, value in after.items()}, "planned": True}
