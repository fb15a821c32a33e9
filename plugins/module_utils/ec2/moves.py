# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a replacement of instances means for the rest of a plan: volumes and addresses count as moved already. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict, Iterable, List, Tuple

from ..engine.plan import Change
from .context import Context
from .world import Facts

Moved = Dict[str, Tuple[str, Any]]


def after_replacements(context: Context, changes: Iterable[Change]) -> Context:
    """`context` as it will be when the replacements among `changes` are through, so that nothing is moved twice."""
    volumes: Dict[str, Tuple[Any, str]] = {}
    addresses: Dict[str, Any] = {}
    ended: Dict[str, str] = {}
    renewed: Dict[str, Tuple[str, Any]] = {}
    for change in (one for one in changes if one.action == "replace"):
        for step in change.steps:
            if step.verb == "RunInstances":
                renewed[(change.before or {})["id"]] = (change.name, (change.after or {})["zone"])
            elif step.verb == "AttachVolume":
                volumes[step.params["VolumeId"]] = (step.params["InstanceId"], step.params["Device"])
            elif step.verb == "AssociateAddress":
                addresses[step.params["AllocationId"]] = step.params["InstanceId"]
            elif step.verb == "TerminateInstances":
                ended[step.params["InstanceIds"][0]] = change.name
    if not ended and not volumes and not addresses:
        return context
    world = context.world
    moved = replace(
        world,
        volumes=tuple(_attached(fact, volumes[fact["id"]], ended) if fact["id"] in volumes else fact for fact in world.volumes),
        elastic_ips=tuple({**fact, "instance_id": addresses.get(fact["id"], fact["instance_id"])} for fact in world.elastic_ips),
    )
    return replace(context, world=moved, renewed=renewed, ended=ended)


def _attached(fact: Facts, where: Tuple[Any, str], ended: Dict[str, str]) -> Facts:
    """A volume on the new instance instead of an old one."""
    instance, device = where
    others: List[Any] = [one for one in fact["attachments"] if one["instance_id"] not in ended]
    keep = bool(fact["delete_on_termination"])
    new = {"instance_id": instance, "device": device, "state": "attached", "delete_on_termination": keep}
    return {**fact, "instance_id": instance, "device": device, "delete_on_termination": keep, "attachments": [*others, new]}


def in_order(changes: List[Change], context: Context) -> List[Change]:
    """`changes` of volumes and addresses, after the replacement that moves what they are about."""
    if not context.ended:
        return changes
    names = set(context.ended.values())
    declared = {volume.name: volume.instance for volume in context.declaration.volumes}
    declared.update({address.name: address.instance for address in context.declaration.elastic_ips})
    ordered = []
    for change in changes:
        instance = declared.get(change.name)
        waits = instance in names and change.changed and change.action == "update"
        ordered.append(replace(change, requires=(*change.requires, ("instance", str(instance)))) if waits else change)
    return ordered
