# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read what a declaration of a snapshot or an image is about; one call where there is nothing to do. Read-only."""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Tuple

from ...aws.client import Client
from .. import facts as fact_words
from ..describe import KINDS, Calls, Raw, api_filter, asking, at_once
from . import plan as plan_words
from . import state
from .state import IMAGE, SERIES, SNAPSHOT, Backup, Facts, World

_PLURAL = {SNAPSHOT: "snapshots", IMAGE: "images"}
_ATTRIBUTE = {
    SNAPSHOT: ("DescribeSnapshotAttribute", "SnapshotId", "createVolumePermission", "CreateVolumePermissions"),
    IMAGE: ("DescribeImageAttribute", "ImageId", "launchPermission", "LaunchPermissions"),
}
_GONE = ("deregistered", "disabled")

Elsewhere = Callable[[Optional[str]], Client]


def read(client: Client, elsewhere: Elsewhere, backup: Backup) -> World:
    """What there is; `elsewhere` gives a client of another region."""
    now = time.time()
    kind, plural = backup.kind, _PLURAL[backup.kind]
    calls: Calls = {}
    if backup.name is not None:
        calls["named"] = asking(client, plural, [api_filter(KINDS[plural].name_filter, [str(backup.name)])])
    if backup.retains:
        calls["series"] = asking(client, plural, [api_filter(f"tag:{SERIES}", [str(backup.series)])])
    first = at_once(calls)
    named, series = (_alone(facts_of(kind, first.get(word, ()))) for word in ("named", "series"))
    second = at_once(_second(client, elsewhere, backup, named, series))
    if named and "shared" in second:
        named = [{**named[0], "shared_with": accounts(second["shared"])}, *named[1:]]
    copy_client = elsewhere(backup.copy_region) if backup.copy_of and "sources" in second else client
    return World(
        region=client.region,
        now=now,
        named=tuple(named),
        series=tuple(series),
        sources=tuple(_sources(backup, second.get("sources", ()), copy_client.region)),
        users=_users(kind, named if backup.state == "absent" else series, second),
    )


def _second(client: Client, elsewhere: Elsewhere, backup: Backup, named: List[Facts], series: List[Facts]) -> Calls:
    """What can be asked only when it is known what is there."""
    calls: Calls = {}
    if backup.state == "present" and not named and (backup.source or backup.copy_of):
        calls["sources"] = _source_call(client, elsewhere, backup)
    if named and backup.share_with is not None:
        calls["shared"] = lambda: shared_with(client, backup.kind, str(named[0]["id"]))
    going = named if backup.state == "absent" else series
    if going:
        calls.update(_user_calls(client, backup.kind, going))
    return calls


def shared_with(client: Client, kind: str, identity: str) -> Raw:
    """The API's list of who may use it."""
    operation, word, attribute, result = _ATTRIBUTE[kind]
    return list(client.call(operation, {word: identity, "Attribute": attribute}).get(result) or ())


def accounts(permissions: Iterable[Mapping[str, Any]]) -> List[str]:
    """Numbers of accounts, and `all` where everybody may."""
    return sorted(str(one.get("UserId") or one.get("Group")) for one in permissions if one.get("UserId") or one.get("Group"))


def _source_call(client: Client, elsewhere: Elsewhere, backup: Backup) -> Callable[[], Raw]:
    """By id whosever it is; by name only one's own."""
    if backup.source:
        return _referred(client, "volumes" if backup.kind == SNAPSHOT else "instances", backup.source)
    plural, wanted = _PLURAL[backup.kind], str(backup.copy_of)
    by_id = wanted.startswith(KINDS[plural].id_prefix)

    def ask() -> Raw:
        # here, in a thread of its own: a client of another region takes long to make
        return _referred(elsewhere(backup.copy_region), f"all_{plural}" if by_id else plural, wanted)()

    return ask


def _referred(client: Client, kind: str, reference: str) -> Callable[[], Raw]:
    """What an id or a name means."""
    how = KINDS[kind]
    return asking(client, kind, [api_filter(how.id_filter if reference.startswith(how.id_prefix) else how.name_filter, [reference])])


def _sources(backup: Backup, raws: Iterable[Mapping[str, Any]], region: str) -> List[Facts]:
    if backup.copy_of:
        by_id = str(backup.copy_of).startswith(("snap-", "ami-"))
        found = facts_of(backup.kind, raws)
        return [{**fact, "region": region} for fact in (found if by_id else _alone(found))]
    if backup.kind == SNAPSHOT:
        return [fact_words.volume(raw) for raw in raws if raw.get("State") not in ("deleting", "deleted")]
    return [fact_words.instance(raw) for raw in fact_words.live_in(raws)]


def _user_calls(client: Client, kind: str, going: List[Facts]) -> Calls:
    """Who uses what might be deleted: images and launch templates use snapshots, instances and launch templates use images."""
    ids = [str(fact["id"]) for fact in going]
    templates = {"Versions": ["$Latest", "$Default"]}
    calls: Calls = {"templates": lambda: client.pages("DescribeLaunchTemplateVersions", "LaunchTemplateVersions", templates)}
    if kind == SNAPSHOT:
        calls["images"] = asking(client, "images", [api_filter("block-device-mapping.snapshot-id", ids)])
        return calls
    calls["instances"] = asking(client, "instances", [api_filter("image-id", ids)])
    snapshots = sorted({one for fact in going for one in state.snapshot_ids(fact)})
    if snapshots:
        calls["snapshots"] = asking(client, "snapshots", [api_filter("snapshot-id", snapshots)])
    return calls


def _users(kind: str, going: List[Facts], found: Mapping[str, Raw]) -> Dict[str, Tuple[str, ...]]:
    users: Dict[str, List[str]] = {}
    for raw in found.get("images", ()):
        for identity in state.snapshot_ids(state.image(raw)):
            users.setdefault(identity, []).append(f"image {raw['ImageId']}")
    for raw in fact_words.live_in(found.get("instances", ())):
        users.setdefault(raw["ImageId"], []).append(f"instance {raw['InstanceId']}")
    for identity, name in _in_templates(found.get("templates", ())):
        users.setdefault(identity, []).append(f"launch template {name}")
    if kind == IMAGE:
        parts = facts_of(SNAPSHOT, found.get("snapshots", ()))
        for fact in going:
            users.setdefault(str(fact["id"]), []).extend(plan_words.protected_snapshots(fact, parts))
    return {identity: tuple(sorted(set(words))) for identity, words in users.items() if words}


def _alone(found: List[Facts]) -> List[Facts]:
    """Without the snapshots that are a part of an image: they go with it."""
    return [fact for fact in found if state.OF_IMAGE not in fact["tags"]]


def _in_templates(raws: Iterable[Mapping[str, Any]]) -> Iterator[Tuple[str, str]]:
    """(image or snapshot, name of the launch template that names it)"""
    for raw in raws:
        data = raw.get("LaunchTemplateData") or {}
        mappings = data.get("BlockDeviceMappings") or ()
        for identity in [data.get("ImageId"), *((one.get("Ebs") or {}).get("SnapshotId") for one in mappings)]:
            if identity:
                yield str(identity), str(raw.get("LaunchTemplateName"))


def facts_of(kind: str, raws: Iterable[Mapping[str, Any]]) -> List[Facts]:
    """What the API shows, as facts; an image that is no more is left out."""
    mapping = state.snapshot if kind == SNAPSHOT else state.image
    found: List[Facts] = [mapping(raw) for raw in raws if raw.get("State") not in _GONE]
    return list({str(fact["id"]): fact for fact in found}.values())
