# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A new instance takes the place of an old one. Pure.

The new one is launched first; then the old one is stopped, its volumes and addresses move, and it is terminated. What
is under way is written in tags of the new one from its first moment, so a run that is killed is finished by the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ...aws import tags as tag_words
from ...engine.errors import Refused
from ...engine.plan import Change, Ref, Step
from .. import facts
from ..context import Context, Id, protect, tag_steps
from ..world import Facts, zone_of_subnet
from . import shown
from .differences import Draft
from .inherit import inherited, taken_over
from .launch import launch


@dataclass
class _Work:
    """A replacement: who goes, who comes, and what moves."""

    draft: Draft
    olds: List[Facts]
    new: Id
    #: {attach name: volume id}
    volumes: Dict[str, str]
    addresses: List[Facts]
    #: Whether the new one is to run in the end.
    runs: bool

    @property
    def context(self) -> Context:
        return self.draft.context

    def raw(self, old: Facts) -> Mapping[str, Any]:
        return self.context.world.raw.get(old["id"], {})

    def details(self, old: Facts) -> Mapping[str, Any]:
        return self.context.world.details.get(old["id"], {})


def replace(draft: Draft) -> Change:
    """Launch a new one and let it take over; or finish what a run before began."""
    actual, world = draft.actual, draft.context.world
    starts = bool(draft.replacing)
    olds = [*world.predecessors(draft.desired.name), *([actual] if starts else [])]
    new: Id = Ref(shown.KIND, draft.desired.name) if starts else str(actual["id"])
    work = _Work(draft, olds, new, _volumes(draft, olds), _addresses(draft, olds), _runs(draft))
    for old in olds:
        _refuse_protected(old, work)
    before = shown.shown(actual, draft.context)
    launches, after = _launch(work) if starts else ([], dict(before))
    after["state"] = "running" if work.runs else "stopped"
    gone = [Step("TerminateInstances", {"InstanceIds": [old["id"]]}) for old in olds]
    if starts and draft.desired.private_ip and draft.desired.private_ip == actual["private_ip"]:
        # The address is free again only when the old one is gone.
        steps = [*_release(work), *gone, *launches, *_take_over(work)]
    else:
        steps = [*launches, *_release(work), *_take_over(work), *[step for step in gone if not _gone_before(step, work)]]
    if not work.runs and (starts or draft.up):
        steps.append(Step("StopInstances", {"InstanceIds": [new]}))
    steps += _unmark(work)
    return Change(shown.KIND, draft.desired.name, "replace", before, after, _reasons(work), tuple(steps), notes=tuple(draft.notes))


def unfinished(actual: Facts) -> bool:
    """Whether a run before began to put `actual` in the place of another, and did not come to the end."""
    return tag_words.REPLACES in actual["tags"]


def _volumes(draft: Draft, olds: List[Facts]) -> Dict[str, str]:
    """What moves: all but the root, what the new image brings itself, and what is declared to go or to be detached."""
    context = draft.context
    found = {key[len(tag_words.MOVES) :]: value for key, value in draft.actual["tags"].items() if key.startswith(tag_words.MOVES)}
    for old in olds:
        raw = context.world.raw.get(old["id"], {})
        found.update({device: volume for volume, device in facts.device_names(raw).items() if device != raw.get("RootDeviceName")})
    free = [context.world.volume(one.name) for one in context.declaration.volumes if one.instance == ""]
    detached = {there["id"] for there in free if there}
    image = context.world.newest_image(draft.desired.image, draft.where) if draft.desired.image and draft.replacing else {}
    brought = {mapping.get("DeviceName") for mapping in image.get("BlockDeviceMappings") or ()}
    return {
        device: volume
        for device, volume in sorted(found.items())
        if volume not in detached and volume not in context.leaving and device not in brought
    }


def _addresses(draft: Draft, olds: List[Facts]) -> List[Facts]:
    """Elastic IPs of the old ones that are declared to go nowhere else."""
    context, ids = draft.context, {old["id"] for old in olds}
    elsewhere = set()
    for one in context.declaration.elastic_ips:
        there = context.world.elastic_ip(one.name) if one.instance is not None else None
        target = context.world.referred_instance(one.instance) if one.instance else None
        if there and (target is None or target["id"] != draft.actual["id"]):
            elsewhere.add(there["id"])
    return [
        one
        for one in context.world.elastic_ips
        if one["instance_id"] in ids and one["id"] not in elsewhere and one["id"] not in context.leaving
    ]


def _runs(draft: Draft) -> bool:
    """In the state that is declared; otherwise as the old one was, which the new one's tag remembers."""
    declared = {"running": True, "restarted": True, "stopped": False}.get(draft.desired.state)
    if declared is not None:
        return declared
    return not draft.actual["tags"].get(tag_words.REPLACES, "").endswith(":stopped") and (draft.up or not draft.replacing)


def _refuse_protected(old: Facts, work: _Work) -> None:
    """Nothing that is protected is replaced, unless the declaration itself lifts the protection."""
    desired, details = work.draft.desired, work.details(old)
    protect(shown.KIND, desired.name, old["tags"])
    stops = bool(work.volumes) and old["state"] not in ("stopping", "stopped")
    for name, needed in (("termination_protection", True), ("stop_protection", stops)):
        if needed and details.get(name) and getattr(desired, name) is not False:
            raise Refused(
                "has to be replaced, and is protected",
                resource=work.draft.where,
                wanted="; ".join(work.draft.replacing),
                found=f"{old['id']} with {name} true",
                do=f"If it is really to go, declare {name}: false for it.",
            )


def _launch(work: _Work) -> Tuple[List[Step], Dict[str, Any]]:
    """The new one, with all that is declared and, where nothing is, what the old one had."""
    draft, context = work.draft, work.context
    desired = inherited(draft)
    zone = _zone(work)
    stopped = "" if work.runs else ":stopped"
    marks = {tag_words.REPLACES: f"{draft.actual['id']}{stopped}", **{tag_words.MOVES + name: one for name, one in work.volumes.items()}}
    tags = {key: value for key, value in context.tags(draft.actual, draft.desired.tags, draft.desired.name).items() if _own(key)}
    image = None if draft.desired.image else {"ImageId": draft.actual["image_id"], **_root_name(work.raw(draft.actual))}
    step, after = launch(desired, context, {**tags, **marks}, zone, image)
    request, words = taken_over(draft)
    return [Step(step.verb, {**step.params, **request}), *shown.health(draft.desired, work.new)], {**after, **words}


def _own(key: str) -> bool:
    """Whether a tag of the old one is the new one's too: not Amazon's, and not what is only bookkeeping."""
    return not key.startswith("aws:") and bool(shown.visible({key: ""}))


def _root_name(raw: Mapping[str, Any]) -> Dict[str, Any]:
    return {"RootDeviceName": raw.get("RootDeviceName")}


def _zone(work: _Work) -> Optional[str]:
    """The old one's where that is accepted; what moves cannot leave its zone."""
    draft, world = work.draft, work.context.world
    found = str(draft.actual["zone"])
    wanted = [world.zone_name(zone, draft.where) for zone in draft.desired.zones]
    subnet = draft.desired.subnet_id
    if subnet:
        zone = found if subnet == draft.actual["subnet_id"] else zone_of_subnet(world, subnet, draft.where)
    else:
        zone = wanted[0] if wanted and found not in wanted else found
    if zone != found and work.volumes:
        raise Refused(
            "is to be replaced in another zone, and its volumes cannot leave theirs",
            resource=draft.where,
            wanted=zone,
            found=f"{', '.join(work.volumes.values())} in {found}",
            do="Take them over with snapshots, or keep the zone.",
        )
    return zone


def _release(work: _Work) -> List[Step]:
    """Old ones let go of their volumes: stopped before, so that everything is on the disks."""
    steps: List[Step] = []
    for old in work.olds:
        steps += _lift(old, work)
        attached = facts.device_names(work.raw(old))
        going = [(volume, device) for device, volume in work.volumes.items() if volume in attached]
        if not going:
            continue
        if _is_spot(work.raw(old)):
            # A spot instance cannot always be stopped; terminated, it lets go of what is to be kept.
            kept = [{"DeviceName": device, "Ebs": {"DeleteOnTermination": False}} for _volume, device in going]
            steps.append(Step("ModifyInstanceAttribute", {"InstanceId": old["id"], "BlockDeviceMappings": kept}))
            steps.append(Step("TerminateInstances", {"InstanceIds": [old["id"]]}))
            continue
        if old["state"] not in ("stopping", "stopped"):
            steps.append(Step("StopInstances", {"InstanceIds": [old["id"]]}))
        steps += [Step("DetachVolume", {"VolumeId": volume, "InstanceId": old["id"]}) for volume, _device in going]
    return steps


def _lift(old: Facts, work: _Work) -> List[Step]:
    words = {"termination_protection": "DisableApiTermination", "stop_protection": "DisableApiStop"}
    lifted = [word for name, word in words.items() if work.details(old).get(name)]
    steps = [Step("ModifyInstanceAttribute", {"InstanceId": old["id"], word: {"Value": False}}) for word in lifted]
    return [*steps, *cancel_request(work.raw(old))]


def cancel_request(raw: Mapping[str, Any]) -> List[Step]:
    """A persistent spot request would launch another instance for one that is terminated."""
    request = raw.get("SpotInstanceRequestId")
    return [Step("CancelSpotInstanceRequests", {"SpotInstanceRequestIds": [request]})] if request else []


def _is_spot(raw: Mapping[str, Any]) -> bool:
    return raw.get("InstanceLifecycle") == "spot"


def _gone_before(step: Step, work: _Work) -> bool:
    """Whether an old one was terminated to let go of its volumes."""
    return any(step == one for one in _release(work))


def _take_over(work: _Work) -> List[Step]:
    """The new one gets the volumes under the same names, and the addresses."""
    steps: List[Step] = []
    by_id = {fact["id"]: fact for fact in work.context.world.volumes}
    for device, volume in work.volumes.items():
        fact = by_id.get(volume, {})
        if fact.get("instance_id") == work.new or fact.get("state") in ("deleting", "deleted"):
            continue
        steps.append(Step("AttachVolume", {"VolumeId": volume, "InstanceId": work.new, "Device": device}))
        if fact.get("delete_on_termination"):
            mapping = {"DeviceName": device, "Ebs": {"DeleteOnTermination": True}}
            steps.append(Step("ModifyInstanceAttribute", {"InstanceId": work.new, "BlockDeviceMappings": [mapping]}))
    for one in work.addresses:
        steps.append(Step("AssociateAddress", {"AllocationId": one["id"], "InstanceId": work.new, "AllowReassociation": True}))
    return steps


def _unmark(work: _Work) -> List[Step]:
    """The tags that said what was under way."""
    if work.draft.replacing:
        keys = [tag_words.REPLACES, *(tag_words.MOVES + device for device in work.volumes)]
    else:
        keys = [key for key in work.draft.actual["tags"] if key == tag_words.REPLACES or key.startswith(tag_words.MOVES)]
    return tag_steps([work.new], dict.fromkeys(keys, ""), {})


def _reasons(work: _Work) -> Tuple[str, ...]:
    begun = () if work.draft.replacing else ("a run that was to replace it ended before it did",)
    moving = [f"{volume} ({device}) moves to the new one" for device, volume in work.volumes.items()]
    moving += [f"{one['public_ip']} moves to the new one" for one in work.addresses]
    ending = [f"{old['id']} is terminated" for old in work.olds]
    return (*work.draft.replacing, *begun, *moving, *ending)
