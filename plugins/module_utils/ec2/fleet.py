# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reconcile all kinds together: one read, one plan, one concurrent apply. A single resource is a fleet of one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Dict, List, Mapping, Tuple

from ..aws.client import Client
from ..engine.errors import Refused
from ..engine.execute import Limits, execute
from ..engine.plan import Change, Plan
from ..engine.reconcile import Target
from . import attachment, elastic_ip, facts, key_pair, security_group, volume
from .adopt import adopted, explained
from .context import Context, nothing
from .declaration import Declaration
from .instance import resource as instance
from .instance.questions import questions
from .moves import after_replacements, in_order
from .performer import Ec2Performer
from .read import Reader
from .read_details import with_details
from .world import Facts, World

#: {kind: the declaration's and the world's word for it}, in the order in which people read a plan.
KINDS = {
    key_pair.KIND: "key_pairs",
    security_group.KIND: "security_groups",
    instance.KIND: "instances",
    volume.KIND: "volumes",
    elastic_ip.KIND: "elastic_ips",
}


_LIMITS = Limits()


class Fleet(Target):
    """What a declaration says, as a target of the engine."""

    #: What was just made may become visible late; a difference is believed only after these seconds.
    settle = (0.5, 1.0, 2.0, 4.0)

    def __init__(self, declaration: Declaration, client: Client, limits: Limits = _LIMITS) -> None:
        self._declaration = declaration
        self._client = client
        self._limits = limits
        self._reader = Reader(client, declaration)
        #: What came out otherwise than was wished most.
        self.notes: Tuple[str, ...] = ()

    @property
    def declaration(self) -> Declaration:
        return self._declaration

    def read(self) -> World:
        """The actual state of everything concerned."""
        world = adopted(self._declaration, self._reader.read())
        context = Context(self._declaration, world)
        return with_details(self._client, world, questions(context, _going(context).instance.values()))

    def plan(self, actual: World) -> Plan:
        """What has to change; refuses here what cannot or must not be done."""
        return plan(self._declaration, actual)

    def apply(self, plan: Plan, actual: World) -> None:
        """Carry out the plan. A restart is an event: once it happened, what is left to hold is that it runs."""
        performer = Ec2Performer(self._client)
        execute(plan, performer, self._limits)
        self.notes = tuple(sorted(performer.notes))
        members = tuple(replace(one, state="running") if one.state == "restarted" else one for one in self._declaration.instances)
        self._declaration = replace(self._declaration, instances=members)


def plan(declaration: Declaration, world: World) -> Plan:
    """The changes that bring `world` to `declaration`, in an order that people understand. Pure."""
    context = Context(declaration, world)
    going = _going(context)
    context = replace(context, leaving=frozenset(str(fact["id"]) for kind in (going.volume, going.elastic_ip) for fact in kind.values()))
    changes: List[Change] = []
    changes += [key_pair.plan(one, context) for one in _present(declaration.key_pairs)]
    changes += [security_group.plan(one, context) for one in _present(declaration.security_groups)]
    changes += [instance.plan(one, context) for one in _present(declaration.instances)]
    context = after_replacements(context, changes)
    devices = attachment.free_devices(context)
    changes += in_order([volume.plan(one, context, devices) for one in _present(declaration.volumes)], context)
    changes += in_order([elastic_ip.plan(one, context) for one in _present(declaration.elastic_ips)], context)
    changes += _deletions(going, context)
    changes += _already_absent(declaration, going)
    changes += _left_alone(context, going)
    changes += _strangers(context)
    changes += _nothing_to_delete(context)
    _limit_deletions(changes, declaration)
    changes = explained(changes, world)
    return Plan(tuple(sorted(changes, key=lambda change: (change.action == "delete", list(KINDS).index(change.kind), change.name))))


@dataclass(frozen=True)
class _Going:
    """What is to be deleted: {name: facts} per kind."""

    key_pair: Mapping[str, Facts]
    security_group: Mapping[str, Facts]
    instance: Mapping[str, Facts]
    volume: Mapping[str, Facts]
    elastic_ip: Mapping[str, Facts]


def _going(context: Context) -> _Going:
    """What is declared absent, and with `prune` what the fleet owns and no longer declares."""
    world, declaration = context.world, context.declaration
    find = {
        "key_pair": world.key_pair,
        "security_group": world.security_group,
        "instance": world.instance,
        "volume": world.volume,
    }
    found: Dict[str, Dict[str, Facts]] = {}
    for kind, plural in KINDS.items():
        absent = [one for one in getattr(declaration, plural) if one.state == "absent"]
        there = {
            one.name: fact for one in absent if (fact := elastic_ip.find(one, context) if kind == elastic_ip.KIND else find[kind](one.name))
        }
        if kind == instance.KIND:
            there.update({fact["id"]: fact for one in absent for fact in world.predecessors(one.name)})
        for name, fact in there.items():
            context.foreign(kind, fact, name)
        if declaration.prune:
            there.update(
                {name: fact for name, fact in _undeclared(kind, context).items() if kind != "volume" or _may_delete(name, declaration)}
            )
        found[kind] = there
    return _Going(**found)


def _undeclared(kind: str, context: Context) -> Dict[str, Facts]:
    """What the fleet owns of `kind` and the declaration does not name. Root volumes go with their instance."""
    declared = {one.name for one in getattr(context.declaration, KINDS[kind])}
    found: Dict[str, Facts] = {}
    for fact in context.world.owned(KINDS[kind]) if context.declaration.whole else ():
        name = fact["name"] if kind in ("key_pair", "security_group") else fact["member"] or fact["id"]
        if name in declared or fact.get("state") in (*facts.GONE, "deleting", "deleted") or (kind == "volume" and _is_root(fact, context)):
            continue
        found[name if name not in found else fact["id"]] = fact
    return found


def _is_root(fact: Facts, context: Context) -> bool:
    raw = context.world.raw.get(str(fact["instance_id"]), {})
    return bool(raw) and facts.device_names(raw).get(fact["id"]) == raw.get("RootDeviceName")


def _may_delete(name: str, declaration: Declaration) -> bool:
    """Volumes may hold data, so their deletion has to be declared: for all of them or by name."""
    allowed = declaration.delete_volumes
    return allowed is True or (isinstance(allowed, (list, tuple)) and name in allowed)


def _deletions(going: _Going, context: Context) -> List[Change]:
    """Deletions in the order that AWS needs: instances let go of volumes and groups first."""
    names = {fact["id"]: name for name, fact in going.instance.items()}
    changes = [key_pair.delete(fact) for fact in going.key_pair.values()]
    changes += [instance.delete(fact, name, context) for name, fact in going.instance.items()]
    for name, fact in going.volume.items():
        holder = names.get(fact["instance_id"])
        changes.append(volume.delete(fact, name, context, ((instance.KIND, holder),) if holder else ()))
    changes += [elastic_ip.delete(fact, name) for name, fact in going.elastic_ip.items()]
    leaving = [fact["id"] for fact in going.security_group.values()]
    _refuse_held(going, context)
    for fact in going.security_group.values():
        users = tuple(
            (instance.KIND, name)
            for name, one in (*going.instance.items(), *_replaced(context))
            if fact["id"] in {group["id"] for group in one["security_groups"]}
        )
        changes.append(security_group.delete(fact, context, users, leaving))
    return changes


def _replaced(context: Context) -> List[Tuple[str, Facts]]:
    """The instances that give their place to new ones, by name."""
    return [(context.ended[one["id"]], one) for one in context.world.instances if one["id"] in context.ended]


def _refuse_held(going: _Going, context: Context) -> None:
    """A group cannot go while something that stays holds it, and is not declared to let go of it."""
    declared = context.security_groups
    leaving = {gone["id"] for gone in going.instance.values()}
    for name, fact in going.security_group.items():
        holders = [
            f"the rules of {other['name']}"
            for other in context.world.security_groups
            if other["name"] not in going.security_group and fact["id"] in security_group.named_in(other, declared.get(other["name"]))
        ]
        holders += [
            f"instance {one['name']}"
            for one in context.world.instances
            if one["state"] not in facts.GONE and one["id"] not in leaving
            if fact["id"] in {group["id"] for group in one["security_groups"]} and _keeps_groups(one, context)
        ]
        if holders:
            do = "Declare their rules or groups without it, or keep it."
            raise Refused("is to be deleted, but is still in use", resource=f"security_group {name}", found=", ".join(holders), do=do)


def _keeps_groups(fact: Facts, context: Context) -> bool:
    member = context.instances.get(fact["member"] or fact["name"] or "")
    return member is None or member.security_groups is None


def _already_absent(declaration: Declaration, going: _Going) -> List[Change]:
    return [
        nothing(kind, one.name)
        for kind, plural in KINDS.items()
        for one in getattr(declaration, plural)
        if one.state == "absent" and one.name not in getattr(going, kind)
    ]


def _left_alone(context: Context, going: _Going) -> List[Change]:
    """Notes about what the fleet owns, does not declare, and keeps."""
    changes = []
    for kind in KINDS:
        for name, fact in _undeclared(kind, context).items():
            if name in getattr(going, kind):
                continue
            note = f"{fact['id']} belongs to the fleet but is not declared; prune: true would delete it"
            if kind == "volume" and context.declaration.prune:
                note = f"{fact['id']} is kept because it may hold data; delete_volumes: true (or its name) would delete it"
            changes.append(Change(kind, name, "none", notes=(note,)))
    return changes


def _strangers(context: Context) -> List[Change]:
    """What somebody attached to the fleet's instances: never touched, but told. What goes with its instance is the image's own."""
    ours = {fact["id"] for fact in context.world.owned("volumes")} if context.declaration.whole else set()
    ours |= {fact["id"] for one in context.declaration.volumes if (fact := context.world.volume(one.name))}
    changes = []
    for desired in _present(context.declaration.instances) if context.declaration.whole else ():
        fact = context.world.instance(desired.name)
        raw = context.world.raw.get(str(fact["id"]), {}) if fact else {}
        for mapping in raw.get("BlockDeviceMappings") or ():
            ebs, device = mapping.get("Ebs") or {}, mapping.get("DeviceName")
            if ebs.get("VolumeId") in (None, *ours) or ebs.get("DeleteOnTermination") or device == raw.get("RootDeviceName"):
                continue
            note = f"is attached to instance {desired.name} as {device}, and not declared; it is left alone"
            there = {"instance": desired.name, "device": device}
            changes.append(Change("volume", ebs["VolumeId"], "none", there, None, notes=(note,)))
    return changes


def _nothing_to_delete(context: Context) -> List[Change]:
    """Notes about names in `delete_volumes` that no volume has: deleted by an earlier run, or a slip of the pen."""
    allowed = context.declaration.delete_volumes
    there = {one.name for one in context.declaration.volumes}
    live = [fact for fact in context.world.owned("volumes") if fact.get("state") not in ("deleting", "deleted")]
    there |= {str(fact[word]) for fact in live for word in ("member", "id")}
    note = "delete_volumes names it, and the fleet has no volume of that name"
    missing = [name for name in dict.fromkeys(allowed) if name not in there] if isinstance(allowed, tuple) else []
    return [Change("volume", name, "none", notes=(note,)) for name in missing]


def _limit_deletions(changes: List[Change], declaration: Declaration) -> None:
    deletions = [change for change in changes if change.action in ("delete", "replace")]
    limit = declaration.max_deletions
    if limit is not None and len(deletions) > limit:
        raise Refused(
            "more would be deleted than max_deletions allows",
            resource=f"fleet {declaration.fleet}" if declaration.fleet else "",
            wanted=f"at most {limit}",
            found=f"{len(deletions)}: " + ", ".join(f"{change.kind} {change.name}" for change in deletions),
            do="Look at the list; if it is meant, raise max_deletions.",
        )


def _present(resources: Tuple[Any, ...]) -> List[Any]:
    return [one for one in resources if one.state != "absent"]
