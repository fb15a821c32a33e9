# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From what is declared and what there is to a plan: made once, found by its name, shared, and the old ones of a series gone. Pure."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from ...aws import tags as tag_words
from ...engine.errors import Ambiguous, InvalidInput, NotFound, Refused
from ...engine.plan import UNKNOWN, Change, Plan, Ref, Step
from ..context import nothing, protect, tag_steps, unchanged
from .retention import GOOD, is_protected, verdict
from .state import IMAGE, OF_IMAGE, SERIES, SNAPSHOT, SOURCES, Backup, Facts, World, snapshot_ids

_FAILED = ("error", "failed", "invalid")
_DONE = {SNAPSHOT: "completed", IMAGE: "available"}
#: Looks only: it waits for what an earlier run began.
_AWAIT = {SNAPSHOT: ("DescribeSnapshots", "SnapshotIds"), IMAGE: ("DescribeImages", "ImageIds")}
_ID = {SNAPSHOT: "SnapshotId", IMAGE: "ImageId"}
_SHARE = {SNAPSHOT: ("ModifySnapshotAttribute", "createVolumePermission"), IMAGE: ("ModifyImageAttribute", "launchPermission")}
_SHARE_GROUP = {SNAPSHOT: "GroupNames", IMAGE: "UserGroups"}


def plan(backup: Backup, world: World) -> Plan:
    """What has to happen; refuses here what cannot or must not be done."""
    if backup.state == "absent":
        return Plan((_absent(backup, world),))
    changes: List[Change] = []
    if backup.name is not None:
        there = _single(backup, world)
        changes.append(_create(backup, world) if there is None else _update(backup, there))
    if backup.retains:
        changes += _retention(backup, world, coming=any(change.action == "create" for change in changes))
    return Plan(tuple(changes))


def _single(backup: Backup, world: World) -> Optional[Facts]:
    """The one of that name, or None."""
    if len(world.named) > 1:
        ids = ", ".join(sorted(str(fact["id"]) for fact in world.named))
        raise Ambiguous(
            f"{len(world.named)} of that name exist", resource=backup.where, found=ids, do="Give them names of their own, or delete one."
        )
    return world.named[0] if world.named else None


def _create(backup: Backup, world: World) -> Change:
    source = _source(backup, world)
    tags = _new_tags(backup, source)
    request = _request(backup, source, tags)
    steps = [Step(_verb(backup), {name: value for name, value in request.items() if value is not None})]
    own = Ref(backup.kind, str(backup.name), "id")
    if backup.share_with:
        steps += _share_steps(backup, own, (), backup.share_with)
    encrypted = True if backup.encrypted else (source.get("encrypted") if backup.kind == SNAPSHOT or backup.copy_of else UNKNOWN)
    after: Dict[str, Any] = {
        "id": UNKNOWN,
        "name": backup.name,
        "state": _DONE[backup.kind] if backup.wait else "pending",
        "description": backup.description or "",
        "encrypted": encrypted,
        "tags": tags,
        **({"shared_with": list(backup.share_with)} if backup.share_with is not None else {}),
        **({"copy_of": source["id"]} if backup.copy_of else {f"{SOURCES[backup.kind]}_id": source["id"]}),
    }
    return Change(backup.kind, str(backup.name), "create", None, after, ("does not exist yet",), tuple(steps))


def _source(backup: Backup, world: World) -> Facts:
    """What it is made from, exactly one thing that is ready."""
    wanted = backup.copy_of or backup.source
    what = backup.kind if backup.copy_of else SOURCES[backup.kind]
    if wanted is None:
        do = f"Give {SOURCES[backup.kind]}, or copy_from."
        raise InvalidInput("does not exist yet, and the declaration does not say what to make it from", resource=backup.where, do=do)
    if not world.sources:
        region = backup.copy_region or world.region
        raise NotFound(
            f"the {what} does not exist", resource=backup.where, wanted=wanted, found=f"none in {region}", do="Correct its name."
        )
    if len(world.sources) > 1:
        ids = ", ".join(sorted(str(fact["id"]) for fact in world.sources))
        raise Ambiguous(f"more than one {what} has that name", resource=backup.where, wanted=wanted, found=ids, do="Give its id instead.")
    source = world.sources[0]
    if backup.copy_of and source["state"] not in GOOD:
        do = "Wait until it is complete, then run again."
        raise Refused(f"the {what} to copy is not complete", resource=backup.where, wanted=wanted, found=str(source["state"]), do=do)
    return source


def _verb(backup: Backup) -> str:
    word = backup.kind.capitalize()
    return f"Copy{word}" if backup.copy_of else f"Create{word}"


def _request(backup: Backup, source: Facts, tags: Mapping[str, str]) -> Dict[str, Any]:
    parts = [tag_words.specification(SNAPSHOT, {**_for_parts(tags), OF_IMAGE: str(backup.name)})] if backup.kind == IMAGE else []
    common: Dict[str, Any] = {
        "Description": backup.description,
        "TagSpecifications": [tag_words.specification(backup.kind, tags), *parts],
        "Name": backup.name if backup.kind == IMAGE else None,
    }
    if backup.copy_of:
        place = "SourceSnapshotId" if backup.kind == SNAPSHOT else "SourceImageId"
        encryption = {"Encrypted": backup.encrypted or None, "KmsKeyId": backup.kms_key_id}
        return {**common, place: source["id"], "SourceRegion": source["region"], **encryption}
    if backup.kind == SNAPSHOT:
        return {**common, "VolumeId": source["id"]}
    return {**common, "InstanceId": source["id"], "NoReboot": not backup.reboot}


def _new_tags(backup: Backup, source: Facts) -> Dict[str, str]:
    kept = ("aws:", "steadfast:")
    copied = {key: value for key, value in source["tags"].items() if backup.copy_tags and not key.startswith(kept)}
    return {**copied, **_identity(backup), **(backup.tags or {})}


def _for_parts(tags: Mapping[str, str]) -> Dict[str, str]:
    """The tags of an image that its snapshots get too: not those by which the image itself is found."""
    return {key: value for key, value in tags.items() if not key.startswith("steadfast:")}


def _tag_steps(there: Facts, wanted: Mapping[str, str]) -> List[Step]:
    """Tags of a snapshot, or of an image and its snapshots."""
    own, parts = [there["id"]], snapshot_ids(there)
    before, after = _for_parts(there["tags"]), _for_parts(wanted)
    if not parts or {key for key in {*there["tags"], *wanted} if there["tags"].get(key) != wanted.get(key)} <= {*before, *after}:
        return tag_steps([*own, *parts], there["tags"], wanted)
    return [*tag_steps(own, there["tags"], wanted), *tag_steps(parts, before, after)]


def _identity(backup: Backup) -> Dict[str, str]:
    return {tag_words.NAME: str(backup.name), **({SERIES: backup.series} if backup.series else {})}


def _update(backup: Backup, there: Facts) -> Change:
    _refuse_fixed(backup, there)
    before = shown(there)
    after: Dict[str, Any] = dict(before)
    steps: List[Step] = []
    reasons: List[str] = []
    if backup.wait and there["state"] != _DONE[backup.kind]:
        verb, ids = _AWAIT[backup.kind]
        steps.append(Step(verb, {ids: [there["id"]]}))
        after["state"] = _DONE[backup.kind]
        reasons.append("an earlier run began it, and it is not complete yet")
    if backup.description is not None and backup.description != there["description"]:
        after["description"] = backup.description
        steps.append(Step("ModifyImageAttribute", {"ImageId": there["id"], "Description": {"Value": backup.description}}))
        reasons.append("its description differs")
    if backup.share_with is not None and list(backup.share_with) != (there["shared_with"] or []):
        after["shared_with"] = list(backup.share_with)
        steps += _share_steps(backup, there["id"], there["shared_with"] or (), backup.share_with)
        reasons.append("it is to be shared with others than it is")
    wanted = tag_words.wanted(there["tags"], backup.tags, _identity(backup), backup.purge_tags and not backup.copy_tags)
    if wanted != there["tags"]:
        after["tags"] = wanted
        steps += _tag_steps(there, wanted)
        reasons.append("its tags differ")
    if not steps:
        return unchanged(backup.kind, str(backup.name), before)
    return Change(backup.kind, str(backup.name), "update", before, after, tuple(reasons), tuple(steps))


def _refuse_fixed(backup: Backup, there: Facts) -> None:
    """What nobody can change any more."""
    if there["state"] in _FAILED:
        do = "Delete it (state: absent), and run again."
        raise Refused("failed when it was made", resource=backup.where, found=f"{there['id']}: {there['message'] or there['state']}", do=do)
    fixed: Dict[str, Tuple[Any, Any]] = {"encryption": (backup.encrypted, there["encrypted"])}
    if backup.kind == SNAPSHOT:
        fixed["its description"] = (backup.description, there["description"])
        if backup.source and backup.source.startswith("vol-"):
            fixed["the volume that it is of"] = (backup.source, there["volume_id"])
    for words, (wanted, found) in fixed.items():
        if wanted not in (None, found):
            do = "Give another name to what is to be made anew."
            raise Refused(f"{words} cannot be changed", resource=backup.where, wanted=str(wanted), found=str(found), do=do)


def _share_steps(backup: Backup, identity: Any, before: Sequence[str], after: Sequence[str]) -> List[Step]:
    """One call for those who are added and one for those who are removed; `all` is a group of its own."""
    verb, attribute = _SHARE[backup.kind]
    steps = []
    for operation, others in (("add", set(after) - set(before)), ("remove", set(before) - set(after))):
        places = {"UserIds": sorted(others - {"all"}), _SHARE_GROUP[backup.kind]: ["all"] if "all" in others else []}
        for place, values in places.items():
            if values:
                steps.append(Step(verb, {_ID[backup.kind]: identity, "Attribute": attribute, "OperationType": operation, place: values}))
    return steps


def _absent(backup: Backup, world: World) -> Change:
    there = _single(backup, world)
    if there is None:
        return nothing(backup.kind, str(backup.name))
    users = world.users.get(str(there["id"]))
    if users:
        do = "Remove that first; nothing that is in use is deleted."
        raise Refused("is to be deleted, but is still in use", resource=backup.where, found=", ".join(users), do=do)
    protect(backup.kind, str(backup.name), there["tags"])
    return _deletion(backup, there, str(backup.name), "is declared absent")


def _deletion(backup: Backup, there: Facts, name: str, reason: str, requires: Tuple[Tuple[str, str], ...] = ()) -> Change:
    """An image goes with its snapshots in one call, so that none of them is left over when a run ends in between."""
    if backup.kind == SNAPSHOT:
        step = Step("DeleteSnapshot", {"SnapshotId": there["id"]})
    else:
        step = Step("DeregisterImage", {"ImageId": there["id"], "DeleteAssociatedSnapshots": backup.delete_snapshots})
    return Change(backup.kind, name, "delete", shown(there), None, (reason,), (step,), requires)


def _retention(backup: Backup, world: World, coming: bool) -> List[Change]:
    """The old ones of the series, once the new one is there."""
    found = verdict(backup, world, coming)
    requires = ((backup.kind, str(backup.name)),) if coming else ()
    names = [str(fact["name"]) for fact in world.series] + [str(backup.name)]

    def unique(fact: Facts) -> str:
        return str(fact["name"]) if fact["name"] and names.count(str(fact["name"])) == 1 else str(fact["id"])

    reason = f"is one more of the series {backup.series} than is kept"
    changes = [_deletion(backup, fact, unique(fact), reason, requires) for fact in found.going]
    for fact, why in found.staying:
        note = f"{fact['id']} is older than what is kept, and stays because of {why}"
        changes.append(Change(backup.kind, unique(fact), "none", notes=(note,)))
    return sorted(changes, key=lambda change: (change.action, change.name))


def shown(fact: Facts) -> Dict[str, Any]:
    """What a plan and a diff show of it."""
    names = ("id", "name", "state", "description", "encrypted", "tags")
    more = ("volume_id", "size") if "volume_id" in fact else ("volumes",)
    found = {name: fact[name] for name in (*names, *more)}
    return {**found, "shared_with": fact["shared_with"]} if fact["shared_with"] is not None else found


def protected_snapshots(fact: Facts, snapshots: Sequence[Facts]) -> Tuple[str, ...]:
    """Words for those snapshots of an image that a tag protects."""
    own = snapshot_ids(fact)
    return tuple(f"the tag {tag_words.PROTECTED} of {one['id']}" for one in snapshots if one["id"] in own and is_protected(one))
