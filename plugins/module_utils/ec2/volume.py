# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Volumes: they only grow, stay in their zone, and are never taken from an instance that holds them. Pure."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Set, Tuple

from ..aws import tags as tag_words
from ..engine.errors import InvalidInput, Refused
from ..engine.plan import UNKNOWN, Change, Ref, Step
from . import facts
from .context import Context, planned, protect, tag_steps, unchanged
from .declaration import Volume
from .world import Facts, check_zone

KIND = "volume"
DEFAULT_TYPE = "gp3"
_LETTERS = "fghijklmnop"


def plan(desired: Volume, context: Context, devices: Mapping[str, str]) -> Change:
    """What has to happen to one volume; `devices` are the free names chosen for this declaration."""
    actual = context.world.volume(desired.name)
    if actual is None:
        return _create(desired, context, devices)
    return _update(desired, actual, context, devices)


def delete(actual: Facts, name: str, requires: Tuple[Tuple[str, str], ...] = ()) -> Change:
    """Delete a volume, after taking it off its instance; with `requires` the instance goes first and lets go of it."""
    protect(KIND, name, actual["tags"])
    steps = []
    if actual["instance_id"] and not requires:
        steps.append(Step("DetachVolume", {"VolumeId": actual["id"], "InstanceId": actual["instance_id"]}))
    steps.append(Step("DeleteVolume", {"VolumeId": actual["id"]}))
    return Change(KIND, name, "delete", _shown(actual), None, ("is declared absent",), tuple(steps), requires)


def free_devices(context: Context) -> Dict[str, str]:
    """{volume: attach name} for declared volumes that name none and have none yet; the same whatever the order."""
    taken: Dict[str, Set[str]] = {}
    open_: List[Volume] = []
    for volume in sorted(context.declaration.volumes, key=lambda one: one.name):
        if not volume.instance or volume.state == "absent":
            continue
        used = taken.setdefault(volume.instance, _used(volume.instance, context))
        there = context.world.volume(volume.name)
        if volume.device:
            used.add(_letter(volume.device))
        elif there is None or not there["device"]:
            open_.append(volume)
    chosen = {}
    for volume in open_:
        used = taken[str(volume.instance)]
        letter = next((letter for letter in _LETTERS if letter not in used), None)
        if letter is None:
            raise InvalidInput(
                "there is no free device name left on its instance",
                resource=f"{KIND} {volume.name}",
                do="Give device, or attach fewer volumes.",
            )
        used.add(letter)
        chosen[volume.name] = f"/dev/sd{letter}"
    return chosen


def _create(desired: Volume, context: Context, devices: Mapping[str, str]) -> Change:
    where = f"{KIND} {desired.name}"
    zone = context.world.zone_name(desired.zone, where) if desired.zone else None
    if desired.instance:
        context.instance_id(desired.instance, where)
        theirs = context.zone_of_instance(desired.instance)
        check_zone(zone, None if isinstance(theirs, Ref) else theirs, where, f"its instance {desired.instance}")
        zone = zone or theirs
    if zone is None:
        raise InvalidInput(
            "does not exist yet, and the declaration does not say where to make it", resource=where, do="Give zone, or instance."
        )
    if desired.size is None and desired.snapshot is None:
        raise InvalidInput(
            "does not exist yet, and the declaration does not say how large to make it", resource=where, do="Give size in GiB, or snapshot."
        )
    tags = context.new_tags(desired.name, desired.tags)
    options = {
        "AvailabilityZone": zone,
        "Size": desired.size,
        "VolumeType": desired.type or DEFAULT_TYPE,
        "Iops": desired.iops,
        "Throughput": desired.throughput,
        "SnapshotId": desired.snapshot,
        "Encrypted": desired.encrypted,
        "KmsKeyId": desired.kms_key_id,
        "TagSpecifications": [tag_words.specification("volume", tags)],
        "ClientToken": desired.name,
    }
    steps = [Step("CreateVolume", {name: value for name, value in options.items() if value is not None})]
    after: Dict[str, Any] = {"id": UNKNOWN, "name": desired.name, "size": desired.size or UNKNOWN, "type": desired.type or DEFAULT_TYPE}
    after.update({"iops": desired.iops or UNKNOWN, "throughput": desired.throughput or UNKNOWN, "zone": planned(zone), "tags": tags})
    after.update({"encrypted": UNKNOWN if desired.encrypted is None else desired.encrypted, "snapshot_id": desired.snapshot})
    if desired.instance:
        device = desired.device or devices[desired.name]
        instance = context.instance_id(desired.instance, where)
        steps += _attach_steps(Ref(KIND, desired.name, "id"), instance, device, desired.delete_on_termination)
        after.update({"instance_id": planned(instance), "device": device, "delete_on_termination": bool(desired.delete_on_termination)})
    return Change(KIND, desired.name, "create", None, after, ("does not exist yet",), tuple(steps))


def _update(desired: Volume, actual: Facts, context: Context, devices: Mapping[str, str]) -> Change:
    _refuse_impossible(desired, actual, context)
    before = _shown(actual)
    after: Dict[str, Any] = dict(before)
    steps: List[Step] = []
    reasons: List[str] = []
    sizes = {
        "size": ("Size", desired.size),
        "type": ("VolumeType", desired.type),
        "iops": ("Iops", desired.iops),
        "throughput": ("Throughput", desired.throughput),
    }
    modified = {name: pair for name, pair in sizes.items() if pair[1] is not None and pair[1] != actual[name]}
    if modified:
        after.update({name: wanted for name, (_key, wanted) in modified.items()})
        after.update({name: UNKNOWN for name in ("iops", "throughput") if "type" in modified and name not in modified})
        steps.append(Step("ModifyVolume", {"VolumeId": actual["id"], **dict(modified.values())}))
        reasons += [f"{name} {actual[name]} is to be {wanted}" for name, (_key, wanted) in modified.items()]
    _plan_attachment(desired, actual, context, devices, after, steps, reasons)
    tags = context.tags(actual, desired.tags, desired.name)
    if tags != actual["tags"]:
        after["tags"] = tags
        steps += tag_steps([actual["id"]], actual["tags"], tags)
        reasons.append("its tags differ")
    if not steps:
        return unchanged(KIND, desired.name, before)
    return Change(KIND, desired.name, "update", before, after, tuple(reasons), tuple(steps))


def _plan_attachment(
    desired: Volume,
    actual: Facts,
    context: Context,
    devices: Mapping[str, str],
    after: Dict[str, Any],
    steps: List[Step],
    reasons: List[str],
) -> None:
    where = f"{KIND} {desired.name}"
    if desired.instance is None:
        return
    if desired.instance == "":
        if actual["instance_id"]:
            steps.append(Step("DetachVolume", {"VolumeId": actual["id"], "InstanceId": actual["instance_id"]}))
            after.update({"instance_id": None, "device": None, "delete_on_termination": None})
            reasons.append("it is to be attached to nothing")
        return
    instance = context.instance_id(desired.instance, where)
    if actual["instance_id"] is None or actual["instance_id"] in _gone(context):
        device = desired.device or devices[desired.name]
        steps += _attach_steps(actual["id"], instance, device, desired.delete_on_termination)
        after.update({"instance_id": planned(instance), "device": device, "delete_on_termination": bool(desired.delete_on_termination)})
        reasons.append("it is not attached")
    elif desired.delete_on_termination not in (None, actual["delete_on_termination"]):
        steps.append(_on_termination(actual["instance_id"], actual["device"], bool(desired.delete_on_termination)))
        after["delete_on_termination"] = desired.delete_on_termination
        reasons.append("delete_on_termination differs")


def _refuse_impossible(desired: Volume, actual: Facts, context: Context) -> None:
    """Everything that AWS cannot do, before the first change."""
    where = f"{KIND} {desired.name}"
    if desired.size is not None and desired.size < actual["size"]:
        raise Refused(
            "a volume cannot shrink",
            resource=where,
            wanted=f"{desired.size} GiB",
            found=f"{actual['size']} GiB",
            do="Declare at least its present size; for a smaller one make a new volume and copy.",
        )
    zone = context.world.zone_name(desired.zone, where) if desired.zone else actual["zone"]
    fixed = {
        "its zone": (zone, actual["zone"]),
        "encryption": (desired.encrypted, actual["encrypted"]),
        "the encryption key": (desired.kms_key_id, actual["kms_key_id"]),
        "the snapshot it came from": (desired.snapshot, actual["snapshot_id"]),
    }
    for words, (wanted, found) in fixed.items():
        if wanted not in (None, found):
            do = "Make a snapshot, and a new volume from it."
            raise Refused(f"{words} cannot be changed", resource=where, wanted=str(wanted), found=str(found), do=do)
    if desired.instance:
        _refuse_taking(desired, actual, context, where)


def _refuse_taking(desired: Volume, actual: Facts, context: Context, where: str) -> None:
    """Nothing that would take a disk away from under somebody, or attach it across zones."""
    wanted = context.instance_id(str(desired.instance), where)
    theirs = context.zone_of_instance(str(desired.instance))
    check_zone(None if isinstance(theirs, Ref) else theirs, actual["zone"], f"instance {desired.instance}", f"its volume {desired.name}")
    attached = actual["instance_id"]
    if attached is None or attached in _gone(context):
        return
    if attached != wanted:
        do = 'Detach it first: unmount it there, then declare instance: "" for it.'
        raise Refused("is attached to another instance", resource=where, wanted=str(desired.instance), found=str(attached), do=do)
    if desired.device and _letter(desired.device) != _letter(actual["device"]):
        do = "Declare the name it has, or detach it first."
        raise Refused("is attached under another device name", resource=where, wanted=desired.device, found=str(actual["device"]), do=do)


def _gone(context: Context) -> List[str]:
    return [fact["id"] for fact in context.world.instances if fact["state"] in facts.GONE]


def _attach_steps(volume: Any, instance: Any, device: str, delete_on_termination: Optional[bool]) -> List[Step]:
    steps = [Step("AttachVolume", {"VolumeId": volume, "InstanceId": instance, "Device": device})]
    if delete_on_termination:
        steps.append(_on_termination(instance, device, True))
    return steps


def _on_termination(instance: Any, device: str, delete: bool) -> Step:
    mapping = {"DeviceName": device, "Ebs": {"DeleteOnTermination": delete}}
    return Step("ModifyInstanceAttribute", {"InstanceId": instance, "BlockDeviceMappings": [mapping]})


def _used(reference: str, context: Context) -> Set[str]:
    found = context.world.referred_instance(reference)
    raw = context.world.raw.get(found["id"], {}) if found else {}
    names = [*facts.device_names(raw).values(), raw.get("RootDeviceName") or "/dev/xvda"]
    return {_letter(name) for name in names}


def _letter(device: str) -> str:
    """/dev/sdf, /dev/xvdf and xvdf are one place on an instance: f."""
    name = device.rsplit("/", 1)[-1]
    for prefix in ("xvd", "sd", "hd"):
        if name.startswith(prefix):
            return name[len(prefix) :].rstrip("0123456789")
    return name


def _shown(actual: Facts) -> Dict[str, Any]:
    names = (
        "id",
        "name",
        "size",
        "type",
        "iops",
        "throughput",
        "zone",
        "encrypted",
        "snapshot_id",
        "instance_id",
        "device",
        "delete_on_termination",
        "tags",
    )
    return {name: actual[name] for name in names}
