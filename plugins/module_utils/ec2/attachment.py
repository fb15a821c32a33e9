# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where a volume is attached: free device names, what is attached and detached, and what nobody is robbed of. Pure."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Mapping, Optional, Set, Tuple

from ..engine.errors import Busy, InvalidInput, Refused
from ..engine.plan import Ref, Step
from . import facts
from .context import Context, planned
from .declaration import Volume
from .world import Facts, check_zone

#: {(volume, instance as declared): attach name}
Devices = Mapping[Tuple[str, str], str]

_KIND = "volume"
#: In the order in which they are given out: what AWS recommends, then what it allows as well (EC2 User Guide, "Device names").
_NAMES = (
    *(f"/dev/sd{letter}" for letter in "fghijklmnop"),
    *(f"/dev/sd{letter}" for letter in "qrstuvwxyz"),
    *(f"/dev/xvd{first}{letter}" for first in "bc" for letter in "abcdefghijklmnopqrstuvwxyz"),
)


def wanted(desired: Volume) -> Optional[Tuple[str, ...]]:
    """The instances it is to be attached to, as declared; None where that is not managed."""
    if desired.instances is not None:
        return desired.instances
    if desired.instance is None:
        return None
    return (desired.instance,) if desired.instance else ()


def free_devices(context: Context) -> Devices:
    """Attach names for declared attachments that name none and do not exist yet; the same whatever the order."""
    _refuse_taken(context)
    taken: Dict[str, Set[str]] = {}
    open_: List[Tuple[str, str]] = []
    for volume in sorted(context.declaration.volumes, key=lambda one: one.name):
        there = context.world.volume(volume.name)
        for instance in (wanted(volume) or ()) if volume.state != "absent" else ():
            used = taken.setdefault(instance, _used(instance, context))
            if volume.device:
                used.add(_place(volume.device))
            elif there is None or not _attached(there, context.world.referred_instance(instance)):
                open_.append((volume.name, instance))
            else:
                used.update(_place(one["device"]) for one in there["attachments"])
    chosen: Dict[Tuple[str, str], str] = {}
    for name, instance in open_:
        used = taken[instance]
        device = next((device for device in _NAMES if _place(device) not in used), None)
        if device is None:
            do = "Give device, or attach fewer volumes."
            raise InvalidInput("there is no free device name left on its instance", resource=f"{_KIND} {name}", wanted=instance, do=do)
        used.add(_place(device))
        chosen[name, instance] = device
    return chosen


def _refuse_taken(context: Context) -> None:
    """Two volumes declared in one place of an instance, or one in the place of the disk it starts from."""
    places: Dict[Tuple[str, str], str] = {}
    for volume in context.declaration.volumes:
        for instance in (wanted(volume) or ()) if volume.device and volume.state != "absent" else ():
            found = context.world.referred_instance(instance)
            root = context.world.raw.get(found["id"], {}).get("RootDeviceName") if found else None
            place = _place(str(volume.device))
            other = places.setdefault((instance, place), volume.name)
            holder = (
                "the disk it starts from" if place == _place(root or "/dev/xvda") else f"volume {other}" if other != volume.name else ""
            )
            if holder:
                do = "Give each its own device, or leave device out."
                why = f"its device is that of {holder} on instance {instance}"
                raise InvalidInput(why, resource=f"{_KIND} {volume.name}", found=str(volume.device), do=do)


def check(desired: Volume, actual: Optional[Facts], context: Context) -> None:
    """Refuse what would take a disk away from under somebody, cross a zone, or cannot be; before the first change."""
    where = f"{_KIND} {desired.name}"
    several = desired.multi_attach if desired.multi_attach is not None else bool(actual and actual["multi_attach"])
    instances = wanted(desired) or ()
    if len(instances) > 1 and not several:
        do = "Declare multi_attach: true, with type io1 or io2, and a filesystem that is made for several machines."
        raise InvalidInput("is to be attached to several instances at once", resource=where, wanted=", ".join(instances), do=do)
    if actual is None:
        return
    for instance in instances:
        theirs = context.zone_of_instance(instance)
        check_zone(None if isinstance(theirs, Ref) else theirs, actual["zone"], f"instance {instance}", f"its volume {desired.name}")
        _check_one(desired, actual, instance, several, context)


def steps(desired: Volume, actual: Optional[Facts], volume: Any, context: Context, devices: Devices) -> Tuple[List[Step], List[str]]:
    """The calls that bring the attachments of `volume` (its id, or a Ref to it) to what is declared, and why."""
    instances, done, reasons = wanted(desired), [], []
    if instances is None:
        return [], []
    where, present = f"{_KIND} {desired.name}", live(actual, context)
    ids = {instance: context.instance_id(instance, where) for instance in instances}
    if desired.instances is not None or not instances:
        for one in present:
            if one["instance_id"] not in ids.values():
                done.append(detach(volume, one["instance_id"], desired.force_detach))
                reasons.append(f"it is to leave {one['instance_id']}" if instances else "it is to be attached to nothing")
    for instance, instance_id in ids.items():
        there = next((one for one in present if one["instance_id"] == instance_id), None)
        if there is None:
            device = desired.device or devices[desired.name, instance]
            done += _attach(volume, instance_id, device, desired.delete_on_termination)
            reasons.append("it is not attached" if len(ids) == 1 else f"it is not attached to {instance}")
        elif desired.delete_on_termination not in (None, there["delete_on_termination"]):
            done.append(_on_termination(instance_id, there["device"], bool(desired.delete_on_termination)))
            reasons.append("delete_on_termination differs")
    return done, reasons


def shown(desired: Volume, actual: Optional[Facts], context: Context, devices: Devices) -> Dict[str, Any]:
    """The attributes about attachments as they will be, for a plan."""
    instances = wanted(desired)
    if instances is None:
        return {}
    if not instances:
        nothing: Dict[str, Any] = {"instance_id": None, "device": None, "delete_on_termination": None}
        return {**nothing, "attached_to": []} if actual and actual["multi_attach"] else nothing
    ids = [planned(context.instance_id(instance, f"{_KIND} {desired.name}")) for instance in instances]
    if desired.multi_attach or (actual and actual["multi_attach"]):
        stay = [one["instance_id"] for one in live(actual, context) if desired.instances is None]
        return {"attached_to": sorted({*stay, *ids}, key=str)}
    first = context.instance_id(instances[0], f"{_KIND} {desired.name}")
    there = next((one for one in live(actual, context) if one["instance_id"] == first), None)
    device = there["device"] if there else desired.device or devices[desired.name, instances[0]]
    kept = bool(there and there["delete_on_termination"])
    termination = kept if desired.delete_on_termination is None else desired.delete_on_termination
    return {"instance_id": ids[0], "device": device, "delete_on_termination": termination}


def detach(volume: Any, instance: Any, force: bool = False) -> Step:
    """Take a volume off an instance; with `force` even if it does not let go."""
    return Step("DetachVolume", {"VolumeId": volume, "InstanceId": instance, **({"Force": True} if force else {})})


def live(actual: Optional[Facts], context: Context) -> List[Facts]:
    """The attachments of a volume to instances that are not about to vanish."""
    return [one for one in actual["attachments"] if one["instance_id"] not in context.world.ended] if actual else []


def _check_one(desired: Volume, actual: Facts, instance: str, several: bool, context: Context) -> None:
    where = f"{_KIND} {desired.name}"
    wanted_id = context.instance_id(instance, where)
    for one in live(actual, context):
        if one["instance_id"] != wanted_id:
            if not several:
                do = 'Detach it first: unmount it there, then declare instance: "" for it.'
                raise Refused("is attached to another instance", resource=where, wanted=instance, found=str(one["instance_id"]), do=do)
            continue
        if one["state"] in ("detaching", "busy"):
            do = "Run again when it is detached. If it stays so: unmount it there."
            raise Busy("is just being detached", resource=where, wanted=f"attached to {instance}", found=str(one["state"]), do=do)
        if desired.device and _place(desired.device) != _place(one["device"]):
            do = "Declare the name it has, or detach it first."
            raise Refused("is attached under another device name", resource=where, wanted=desired.device, found=str(one["device"]), do=do)


def _attach(volume: Any, instance: Any, device: str, delete_on_termination: Optional[bool]) -> Iterator[Step]:
    yield Step("AttachVolume", {"VolumeId": volume, "InstanceId": instance, "Device": device})
    if delete_on_termination:
        yield _on_termination(instance, device, True)


def _on_termination(instance: Any, device: str, delete: bool) -> Step:
    mapping = {"DeviceName": device, "Ebs": {"DeleteOnTermination": delete}}
    return Step("ModifyInstanceAttribute", {"InstanceId": instance, "BlockDeviceMappings": [mapping]})


def _attached(actual: Facts, instance: Optional[Facts]) -> Optional[Facts]:
    return next((one for one in actual["attachments"] if instance and one["instance_id"] == instance["id"]), None)


def _used(reference: str, context: Context) -> Set[str]:
    found = context.world.referred_instance(reference)
    raw = context.world.raw.get(found["id"], {}) if found else {}
    names = [*facts.device_names(raw).values(), raw.get("RootDeviceName") or "/dev/xvda"]
    return {_place(name) for name in names}


def _place(device: str) -> str:
    """/dev/sdf, /dev/xvdf and xvdf are one place on an instance: f."""
    name = device.rsplit("/", 1)[-1]
    for prefix in ("xvd", "sd", "hd"):
        if name.startswith(prefix):
            return name[len(prefix) :].rstrip("0123456789")
    return name
