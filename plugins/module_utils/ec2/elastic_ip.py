# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Elastic IPs: known by their tags, so the same address moves with its instance and none is allocated twice. Pure."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

from ..aws import tags as tag_words
from ..engine.plan import UNKNOWN, Change, Ref, Step
from .context import Context, planned, protect, tag_steps, unchanged
from .declaration import ElasticIp
from .world import Facts

KIND = "elastic_ip"


def plan(desired: ElasticIp, context: Context) -> Change:
    """What has to happen to one Elastic IP."""
    actual = context.world.elastic_ip(desired.name)
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
        steps.append(_associate(Ref(KIND, desired.name, "id"), instance))
    after = {"id": UNKNOWN, "name": desired.name, "public_ip": UNKNOWN, "instance_id": planned(instance), "tags": tags}
    return Change(KIND, desired.name, "create", None, after, ("does not exist yet",), tuple(steps))


def _update(desired: ElasticIp, actual: Facts, context: Context) -> Change:
    before = _shown(actual)
    after: Dict[str, Any] = dict(before)
    steps: List[Step] = []
    reasons: List[str] = []
    if desired.instance is not None:
        wanted = context.instance_id(desired.instance, f"{KIND} {desired.name}") if desired.instance else None
        if wanted != actual["instance_id"]:
            after["instance_id"] = planned(wanted)
            steps.append(
                _associate(actual["id"], wanted) if wanted else Step("DisassociateAddress", {"AssociationId": actual["association_id"]})
            )
            reasons.append("it is to point to another instance" if wanted else "it is to point to nothing")
    tags = context.tags(actual, desired.tags, desired.name)
    if tags != actual["tags"]:
        after["tags"] = tags
        steps += tag_steps([actual["id"]], actual["tags"], tags)
        reasons.append("its tags differ")
    if not steps:
        return unchanged(KIND, desired.name, before)
    return Change(KIND, desired.name, "update", before, after, tuple(reasons), tuple(steps))


def _associate(allocation: Any, instance: Any) -> Step:
    return Step("AssociateAddress", {"AllocationId": allocation, "InstanceId": instance, "AllowReassociation": True})


def _shown(actual: Facts) -> Dict[str, Any]:
    return {name: actual[name] for name in ("id", "name", "public_ip", "instance_id", "tags")}
