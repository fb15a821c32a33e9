# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Elastic IPs: known by their tags, so the same address moves with its instance and none is allocated twice. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

from ..aws import tags as tag_words
from ..engine.errors import NotFound, Refused
from ..engine.plan import UNKNOWN, Change, Ref, Step
from . import facts
from .context import Context, planned, protect, tag_steps, unchanged
from .declaration import ElasticIp
from .world import Facts

KIND = "elastic_ip"
#: The facts that say where an address points.
_PLACES = ("instance_id", "network_interface_id", "private_ip")


@dataclass(frozen=True)
class Target:
    """Where an address is to point: an instance (the API takes its first interface) or one interface, and maybe one address of it."""

    context: Context
    noun: str
    instance: Any
    interface: Optional[str]
    private_ip: Optional[str]
    #: What is public there now, in the API's words.
    there: Facts

    @property
    def option(self) -> str:
        return self.noun.replace(" ", "_")

    @property
    def params(self) -> Dict[str, Any]:
        """The place in the words of AssociateAddress."""
        place = {"NetworkInterfaceId": self.interface} if self.interface else {"InstanceId": self.instance}
        return {**place, **({"PrivateIpAddress": self.private_ip} if self.private_ip else {})}

    def reached(self, actual: Facts) -> bool:
        """Whether the address points there already."""
        by_interface = self.noun != "instance"
        here = actual["network_interface_id"] == self.interface if by_interface else actual["instance_id"] == self.instance
        return here and self.private_ip in (None, actual["private_ip"])

    def shown(self, desired: ElasticIp) -> Dict[str, Any]:
        """What a plan shows of the place."""
        found: Dict[str, Any] = {"instance_id": planned(self.instance)}
        if desired.network_interface is not None:
            found["network_interface_id"] = self.interface
        if desired.private_ip is not None:
            found["private_ip"] = self.private_ip
        return found


def find(desired: ElasticIp, context: Context) -> Optional[Facts]:
    """The address that is meant, or None: the one of this name, or the one that is declared to be taken over."""
    where, actual = f"{KIND} {desired.name}", context.world.elastic_ip(desired.name)
    if desired.address is None:
        return actual
    named = context.world.address(desired.address)
    if named is None and desired.state == "absent":
        return None
    if named is None:
        do = "Correct it, or leave it out to get a new one."
        raise NotFound(
            "the address is not in the account", resource=where, wanted=desired.address, found=f"none in {context.world.region}", do=do
        )
    if actual and actual["id"] != named["id"]:
        do = "Release or rename that one first, or choose another name."
        raise Refused(
            "another address has this name already", resource=where, wanted=desired.address, found=f"{actual['public_ip']}", do=do
        )
    if named["fleet"] and (named["fleet"], named["member"]) != (context.declaration.fleet, desired.name):
        do = "Declare it there, or release it there first."
        raise Refused("the address has its place in a fleet", resource=where, found=f"{named['member']} of {named['fleet']}", do=do)
    return named


def plan(desired: ElasticIp, context: Context) -> Change:
    """What has to happen to one Elastic IP."""
    actual = find(desired, context)
    if actual is None:
        return _create(desired, context)
    return _update(desired, actual, context)


def delete(actual: Facts, name: str, requires: Tuple[Tuple[str, str], ...] = ()) -> Change:
    """Give the address back."""
    protect(KIND, name, actual["tags"])
    steps = [Step("DisassociateAddress", {"AssociationId": actual["association_id"]})] if actual["association_id"] else []
    steps.append(Step("ReleaseAddress", {"AllocationId": actual["id"]}))
    return Change(KIND, name, "delete", _shown(actual), None, ("is declared absent",), tuple(steps), requires)


def _create(desired: ElasticIp, context: Context) -> Change:
    tags = context.new_tags(desired.name, desired.tags)
    steps = [Step("AllocateAddress", {"Domain": "vpc", "TagSpecifications": [tag_words.specification("elastic-ip", tags)]})]
    after: Dict[str, Any] = {"id": UNKNOWN, "name": desired.name, "public_ip": UNKNOWN, "instance_id": None, "tags": tags}
    target = _target(desired, context)
    if target:
        _refuse_occupied(desired, None, target)
        steps.append(_associate(Ref(KIND, desired.name, "id"), target))
        after.update(target.shown(desired))
    return Change(KIND, desired.name, "create", None, after, ("does not exist yet",), tuple(steps))


def _update(desired: ElasticIp, actual: Facts, context: Context) -> Change:
    before = _shown(actual, desired)
    after: Dict[str, Any] = dict(before)
    steps: List[Step] = []
    reasons: List[str] = []
    target = _target(desired, context)
    if desired.place == "" and actual["association_id"]:
        after.update({name: None for name in _PLACES if name in before})
        steps.append(Step("DisassociateAddress", {"AssociationId": actual["association_id"]}))
        reasons.append("it is to point to nothing")
    elif target and not target.reached(actual):
        _refuse_torn_off(desired, actual)
        _refuse_occupied(desired, actual, target)
        after.update(target.shown(desired))
        steps.append(_associate(actual["id"], target))
        reasons.append(f"it is to point to another {target.noun}")
    tags = _tags(desired, actual, context)
    if tags != actual["tags"]:
        after["tags"] = tags
        steps += tag_steps([actual["id"]], actual["tags"], tags)
        reasons.append("its tags differ" if context.world.elastic_ip(desired.name) else "it is taken over under this name")
    if not steps:
        return unchanged(KIND, desired.name, before)
    return Change(KIND, desired.name, "update", before, after, tuple(reasons), tuple(steps))


def _target(desired: ElasticIp, context: Context) -> Optional[Target]:
    """Where the address is to point, None where that is nowhere or not managed; raises NotFound for what is not there."""
    where = f"{KIND} {desired.name}"
    if desired.network_interface:
        interface = context.world.interface(desired.network_interface, where)
        there = _address_on(interface, desired, where)
        instance = (interface.get("Attachment") or {}).get("InstanceId")
        return Target(context, "network interface", instance, interface["id"], desired.private_ip, there)
    if not desired.instance:
        return None
    instance = context.instance_id(desired.instance, where)
    raw: Facts = context.world.raw.get(str(instance), {})
    primary = facts.primary_interface(raw)
    several = len(raw.get("NetworkInterfaces") or ()) > 1
    there = _address_on(primary, desired, where) if primary else {}
    # AWS does not choose among several interfaces
    return Target(context, "instance", instance, primary.get("NetworkInterfaceId") if several else None, desired.private_ip, there)


def _address_on(interface: Facts, desired: ElasticIp, where: str) -> Facts:
    """What is public at the private address that is meant; raises NotFound where the interface does not have it."""
    every = list(interface.get("PrivateIpAddresses") or ())
    if desired.private_ip is None:
        primary = next((one for one in every if one.get("Primary")), interface)
        return interface.get("Association") or primary.get("Association") or {}
    for one in every:
        if one.get("PrivateIpAddress") == desired.private_ip:
            return one.get("Association") or {}
    found = ", ".join(str(one.get("PrivateIpAddress")) for one in every) or "none"
    do = "Correct it, or give the interface that address first."
    raise NotFound("its interface has no such private address", resource=where, wanted=desired.private_ip, found=found, do=do)


def _tags(desired: ElasticIp, actual: Facts, context: Context) -> Dict[str, str]:
    if desired.address is None:
        return context.tags(actual, desired.tags, desired.name)
    own = context.identity(desired.name)
    return tag_words.wanted(actual["tags"], desired.tags, own, context.declaration.purge_tags)


def _refuse_torn_off(desired: ElasticIp, actual: Facts) -> None:
    """AWS takes an address off what is no instance without a word; whoever means interfaces names them."""
    if actual["association_id"] and not actual["instance_id"] and not desired.network_interface:
        where, do = f"{KIND} {desired.name}", 'Take it off there first, or declare instance: "" for it.'
        raise Refused("is in use by a network interface that belongs to no instance", resource=where, found=actual["association_id"], do=do)


def _refuse_occupied(desired: ElasticIp, actual: Optional[Facts], target: Target) -> None:
    """AWS takes an address off its interface without a word when another one is put there."""
    public_ip, context = target.there.get("PublicIp"), target.context
    if not public_ip or target.there.get("IpOwnerId") in (None, "amazon") or (actual and public_ip == actual["public_ip"]):
        return
    if not any(fact["public_ip"] == public_ip and _leaves(fact, desired, context) for fact in context.world.elastic_ips):
        do = f'Declare {target.option}: "" or state: absent for that one first; AWS would take it off without asking.'
        raise Refused(
            f"its {target.noun} has another Elastic IP",
            resource=f"{KIND} {desired.name}",
            wanted=str(desired.place),
            found=public_ip,
            do=do,
        )


def _leaves(fact: Facts, desired: ElasticIp, context: Context) -> bool:
    """Whether the same run takes an address away from where `desired` is to point to."""
    if fact["fleet"] != context.declaration.fleet:
        return False
    declared = next((one for one in context.declaration.elastic_ips if one.name == fact["name"]), None)
    if declared is None:
        return context.declaration.prune
    elsewhere = (declared.place, declared.private_ip) != (desired.place, desired.private_ip)
    return declared.state == "absent" or (declared.place is not None and elsewhere)


def _associate(allocation: Any, target: Target) -> Step:
    return Step("AssociateAddress", {"AllocationId": allocation, **target.params, "AllowReassociation": True})


def _shown(actual: Facts, desired: Optional[ElasticIp] = None) -> Dict[str, Any]:
    """Interface and private address only where they are declared: with an instance, AWS chooses them."""
    names = ["id", "name", "public_ip", "instance_id", "tags"]
    names += ["network_interface_id"] if desired and desired.network_interface is not None else []
    names += ["private_ip"] if desired and desired.private_ip is not None else []
    return {name: actual[name] for name in names}
