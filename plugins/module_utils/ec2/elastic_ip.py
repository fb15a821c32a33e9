# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Elastic IPs: known by their tags, so the same address moves with its instance and none is allocated twice. Pure."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

from ..aws import tags as tag_words
from ..engine.errors import NotFound, Refused
from ..engine.plan import UNKNOWN, Change, Ref, Step
from . import facts
from .context import Context, planned, protect, tag_steps, unchanged
from .declaration import ElasticIp
from .world import Facts

KIND = "elastic_ip"


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
    instance = context.instance_id(desired.instance, f"{KIND} {desired.name}") if desired.instance else None
    if instance:
        _refuse_occupied(desired, None, instance, context)
        steps.append(_associate(Ref(KIND, desired.name, "id"), instance))
    after = {"id": UNKNOWN, "name": desired.name, "public_ip": UNKNOWN, "instance_id": planned(instance), "tags": tags}
    return Change(KIND, desired.name, "create", None, after, ("does not exist yet",), tuple(steps))


def _update(desired: ElasticIp, actual: Facts, context: Context) -> Change:
    before = _shown(actual)
    after: Dict[str, Any] = dict(before)
    steps: List[Step] = []
    reasons: List[str] = []
    if desired.instance == "" and actual["association_id"]:
        after["instance_id"] = None
        steps.append(Step("DisassociateAddress", {"AssociationId": actual["association_id"]}))
        reasons.append("it is to point to nothing")
    elif desired.instance:
        wanted = context.instance_id(desired.instance, f"{KIND} {desired.name}")
        if wanted != actual["instance_id"]:
            _refuse_occupied(desired, actual, wanted, context)
            after["instance_id"] = planned(wanted)
            steps.append(_associate(actual["id"], wanted))
            reasons.append("it is to point to another instance")
    tags = _tags(desired, actual, context)
    if tags != actual["tags"]:
        after["tags"] = tags
        steps += tag_steps([actual["id"]], actual["tags"], tags)
        reasons.append("its tags differ" if context.world.elastic_ip(desired.name) else "it is taken over under this name")
    if not steps:
        return unchanged(KIND, desired.name, before)
    return Change(KIND, desired.name, "update", before, after, tuple(reasons), tuple(steps))


def _tags(desired: ElasticIp, actual: Facts, context: Context) -> Dict[str, str]:
    if desired.address is None:
        return context.tags(actual, desired.tags, desired.name)
    own = context.identity(desired.name)
    return tag_words.wanted(actual["tags"], desired.tags, own, context.declaration.purge_tags)


def _refuse_occupied(desired: ElasticIp, actual: Optional[Facts], instance: Any, context: Context) -> None:
    """AWS takes an address off its interface without a word when another one is put there, and off what is no instance too."""
    where = f"{KIND} {desired.name}"
    if actual and actual["association_id"] and not actual["instance_id"]:
        do = 'Take it off there first, or declare instance: "" for it.'
        raise Refused("is in use by a network interface that belongs to no instance", resource=where, found=actual["association_id"], do=do)
    raw = context.world.raw.get(str(instance), {})
    there = facts.primary_interface(raw).get("Association") or {}
    public_ip = there.get("PublicIp")
    if not public_ip or there.get("IpOwnerId") in (None, "amazon") or (actual and public_ip == actual["public_ip"]):
        return
    if not any(fact["public_ip"] == public_ip and _leaves(fact, desired, context) for fact in context.world.elastic_ips):
        do = 'Declare instance: "" or state: absent for that one first; AWS would take it off without asking.'
        raise Refused("its instance has another Elastic IP", resource=where, wanted=str(desired.instance), found=public_ip, do=do)


def _leaves(fact: Facts, desired: ElasticIp, context: Context) -> bool:
    """Whether the same run takes an address away from the instance that `desired` is to point to."""
    if fact["fleet"] != context.declaration.fleet:
        return False
    declared = next((one for one in context.declaration.elastic_ips if one.name == fact["name"]), None)
    if declared is None:
        return context.declaration.prune
    return declared.state == "absent" or declared.instance not in (None, desired.instance)


def _associate(allocation: Any, instance: Any) -> Step:
    return Step("AssociateAddress", {"AllocationId": allocation, "InstanceId": instance, "AllowReassociation": True})


def _shown(actual: Facts) -> Dict[str, Any]:
    return {name: actual[name] for name in ("id", "name", "public_ip", "instance_id", "tags")}
