# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Volumes: they only grow, stay in their zone, and are never taken from an instance that holds them. Pure."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

from ..aws import tags as tag_words
from ..engine.errors import InvalidInput, Refused
from ..engine.plan import UNKNOWN, Change, Ref, Step
from . import attachment
from .attachment import Devices
from .context import Context, planned, protect, tag_steps, unchanged
from .declaration import Volume
from .world import Facts, check_zone

KIND = "volume"
DEFAULT_TYPE = "gp3"


def plan(desired: Volume, context: Context, devices: Devices) -> Change:
    """What has to happen to one volume; `devices` are the free names chosen for this declaration."""
    actual = context.world.volume(desired.name)
    if actual is None:
        return _create(desired, context, devices)
    return _update(desired, actual, context, devices)


def delete(actual: Facts, name: str, context: Context, requires: Tuple[Tuple[str, str], ...] = ()) -> Change:
    """Delete a volume, after taking it off its instances; with `requires` the instance goes first and lets go of it."""
    protect(KIND, name, actual["tags"])
    force = any(one.force_detach for one in context.declaration.volumes if one.name == name)
    steps = [] if requires else [attachment.detach(actual["id"], one["instance_id"], force) for one in actual["attachments"]]
    steps.append(Step("DeleteVolume", {"VolumeId": actual["id"]}))
    return Change(KIND, name, "delete", _shown(actual), None, ("is declared absent",), tuple(steps), requires)


def _create(desired: Volume, context: Context, devices: Devices) -> Change:
    where = f"{KIND} {desired.name}"
    attachment.check(desired, None, context)
    zone = _zone(desired, context)
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
        "MultiAttachEnabled": desired.multi_attach,
        "TagSpecifications": [tag_words.specification("volume", tags)],
        "ClientToken": desired.name,
    }
    steps = [Step("CreateVolume", {name: value for name, value in options.items() if value is not None})]
    after: Dict[str, Any] = {"id": UNKNOWN, "name": desired.name, "size": desired.size or UNKNOWN, "type": desired.type or DEFAULT_TYPE}
    after.update({"iops": desired.iops or UNKNOWN, "throughput": desired.throughput or UNKNOWN, "zone": planned(zone), "tags": tags})
    after.update({"encrypted": UNKNOWN if desired.encrypted is None else desired.encrypted, "snapshot_id": desired.snapshot})
    attaching, _reasons = attachment.steps(desired, None, Ref(KIND, desired.name, "id"), context, devices)
    steps += attaching
    if attaching:
        after.update(attachment.shown(desired, None, context, devices))
    return Change(KIND, desired.name, "create", None, after, ("does not exist yet",), tuple(steps))


def _zone(desired: Volume, context: Context) -> Any:
    """Where a new volume goes: where it is declared, or where its instances are, which must agree."""
    where = f"{KIND} {desired.name}"
    zone: Any = context.world.zone_name(desired.zone, where) if desired.zone else None
    for instance in attachment.wanted(desired) or ():
        context.instance_id(instance, where)
        theirs = context.zone_of_instance(instance)
        known = None if isinstance(theirs, Ref) else theirs
        check_zone(None if isinstance(zone, Ref) else zone, known, where, f"its instance {instance}")
        zone = zone or theirs
    return zone


def _update(desired: Volume, actual: Facts, context: Context, devices: Devices) -> Change:
    notes = _refuse_impossible(desired, actual, context)
    attachment.check(desired, actual, context)
    before = _shown(actual)
    after: Dict[str, Any] = dict(before)
    steps: List[Step] = []
    reasons: List[str] = []
    sizes = {
        "size": ("Size", desired.size),
        "type": ("VolumeType", desired.type),
        "iops": ("Iops", desired.iops),
        "throughput": ("Throughput", desired.throughput),
        "multi_attach": ("MultiAttachEnabled", desired.multi_attach),
    }
    modified = {name: pair for name, pair in sizes.items() if pair[1] is not None and pair[1] != actual[name]}
    if modified:
        after.update({name: wanted for name, (_key, wanted) in modified.items()})
        after.update({name: UNKNOWN for name in ("iops", "throughput") if "type" in modified and name not in modified})
        steps.append(Step("ModifyVolume", {"VolumeId": actual["id"], **dict(modified.values())}))
        reasons += [f"{name} {actual[name]} is to be {wanted}" for name, (_key, wanted) in modified.items()]
    moving, why = attachment.steps(desired, actual, actual["id"], context, devices)
    if moving:
        after.update(attachment.shown(desired, actual, context, devices))
        steps, reasons = steps + moving, reasons + why
    tags = context.tags(actual, desired.tags, desired.name)
    if tags != actual["tags"]:
        after["tags"] = tags
        steps += tag_steps([actual["id"]], actual["tags"], tags)
        reasons.append("its tags differ")
    if not steps:
        return unchanged(KIND, desired.name, before, notes)
    return Change(KIND, desired.name, "update", before, after, tuple(reasons), tuple(steps), notes=notes)


def _refuse_impossible(desired: Volume, actual: Facts, context: Context) -> Tuple[str, ...]:
    """Refuse everything that AWS cannot do, before the first change; notes about what nobody can tell."""
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
        "the encryption key": (_key(desired.kms_key_id, actual["kms_key_id"]), actual["kms_key_id"]),
        "the snapshot it came from": (desired.snapshot, actual["snapshot_id"]),
    }
    for words, (wanted, found) in fixed.items():
        if wanted not in (None, found):
            do = "Make a snapshot, and a new volume from it."
            raise Refused(f"{words} cannot be changed", resource=where, wanted=str(wanted), found=str(found), do=do)
    if desired.kms_key_id and _is_alias(desired.kms_key_id):
        return (f"whether {desired.kms_key_id} still means its key {actual['kms_key_id']} is not looked up",)
    return ()


def _key(declared: Optional[str], found: Optional[str]) -> Optional[str]:
    """The declared key as EC2 shows it: always the ARN, where an id, an ARN or an alias may be declared."""
    if declared and found and (_is_alias(declared) or found.endswith(f"/{declared}")):
        return found
    return declared


def _is_alias(key: str) -> bool:
    return key.startswith("alias/") or ":alias/" in key


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
    several = {"multi_attach": True, "attached_to": sorted(one["instance_id"] for one in actual["attachments"])}
    return {**{name: actual[name] for name in names}, **(several if actual["multi_attach"] else {})}
