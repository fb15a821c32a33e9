# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is declared about a snapshot or an image, and what was found of it. Frozen data; bad input is refused here. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ...aws import tags as tag_words
from ...engine.errors import InvalidInput
from .. import declare
from ..texts import refuse_half_characters

SNAPSHOT, IMAGE = "snapshot", "image"
#: Snapshots (or images) that follow each other carry the name of their series in this tag.
SERIES = "steadfast:series"
#: The name of the image that a snapshot is a part of; such a one is no snapshot that somebody declared by name.
OF_IMAGE = "steadfast:image"
#: Where each kind comes from, unless it is copied.
SOURCES = {SNAPSHOT: "volume", IMAGE: "instance"}

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Keep:
    """What retention keeps: the `newest` so many, and what is younger than so many `days`; with both, what either keeps."""

    newest: Optional[int] = None
    days: Optional[int] = None


@dataclass(frozen=True)
class Backup:
    """A snapshot or an image, and with `keep` the series that it stands in. Without a name only the series is meant."""

    kind: str
    name: Optional[str] = None
    state: str = "present"
    #: The volume or instance, by id or Name tag.
    source: Optional[str] = None
    #: The snapshot or image that it is a copy of, by id or name, and its region.
    copy_of: Optional[str] = None
    copy_region: Optional[str] = None
    description: Optional[str] = None
    encrypted: Optional[bool] = None
    kms_key_id: Optional[str] = None
    tags: Optional[Mapping[str, str]] = None
    purge_tags: bool = True
    copy_tags: bool = False
    #: Accounts, or ("all",); None is not managed.
    share_with: Optional[Tuple[str, ...]] = None
    series: Optional[str] = None
    keep: Keep = field(default_factory=Keep)
    wait: bool = True
    reboot: bool = False
    delete_snapshots: bool = True

    @property
    def where(self) -> str:
        return f"{self.kind} {self.name or self.series}"

    @property
    def retains(self) -> bool:
        return self.keep != Keep()


@dataclass(frozen=True)
class World:
    """What there is: those of the name, those of the series, the source, and who uses what might go."""

    region: str = ""
    #: Seconds since 1970, when it was read.
    now: float = 0.0
    named: Tuple[Facts, ...] = ()
    series: Tuple[Facts, ...] = ()
    #: What matches `source` or `copy_of`.
    sources: Tuple[Facts, ...] = ()
    #: {id: what uses it, in words}
    users: Mapping[str, Tuple[str, ...]] = field(default_factory=dict)


def declared(kind: str, options: Mapping[str, Any]) -> Backup:
    """The declaration that the options of a module mean."""
    refuse_half_characters(options, f"{kind} {options.get('name') or options.get('series')}")
    source, copy = options.get(SOURCES[kind]), options.get("copy_from") or {}
    keep = options.get("keep") or {}
    share = options.get("share_with")
    backup = Backup(
        kind,
        options.get("name"),
        options["state"],
        source or None,
        copy.get(kind),
        copy.get("region"),
        tags=declare.own_tags(options),
        share_with=None if share is None else tuple(sorted({str(one) for one in share})),
        keep=Keep(keep.get("newest"), keep.get("days")),
        **{
            name: options[name]
            for name in (
                "description",
                "encrypted",
                "kms_key_id",
                "purge_tags",
                "copy_tags",
                "series",
                "wait",
                "reboot",
                "delete_snapshots",
            )
            if options.get(name) is not None
        },
    )
    _check(backup)
    return backup


def _check(backup: Backup) -> None:
    kind, source = backup.kind, SOURCES[backup.kind]
    wrong = [
        (backup.name is None and not backup.retains, "is declared without a name", "Give name, or series and keep."),
        (backup.retains and not backup.series, "keep does not say what is counted", "Give series, the name of what belongs together."),
        (bool(backup.source and backup.copy_of), f"{source} and copy_from are both given", "Choose one of them."),
        (
            backup.encrypted is not None and not backup.copy_of,
            f"encrypted is for copies; otherwise a {kind} is encrypted as its {source} is",
            f"Leave encrypted out, or make an encrypted copy with copy_from of a {kind} that exists.",
        ),
        (bool(backup.kms_key_id) and not backup.encrypted, "kms_key_id is given without encrypted: true", "Say encrypted: true too."),
        (backup.state == "absent" and backup.retains, "state: absent and keep are both given", "Choose one of them."),
        (min(backup.keep.newest or 1, 1) < 1 or backup.keep.newest == 0, "keep.newest must be 1 or more", "The last one is never deleted."),
        (backup.keep.days is not None and backup.keep.days < 0, "keep.days cannot be meant", "Give 0 or more days."),
        (
            kind == IMAGE and backup.name is not None and not 3 <= len(backup.name) <= 128,
            "the name of an image has 3 to 128 characters",
            "Choose another name.",
        ),
    ]
    for is_wrong, why, do in wrong:
        if is_wrong:
            raise InvalidInput(why, resource=backup.where, do=do)


def snapshot(raw: Mapping[str, Any], shared_with: Optional[List[str]] = None) -> Dict[str, Any]:
    """A snapshot, in the words of this collection."""
    tags = tag_words.from_api(raw.get("Tags"))
    return {
        "id": raw["SnapshotId"],
        "name": tags.get(tag_words.NAME),
        "state": raw.get("State"),
        "progress": raw.get("Progress"),
        "message": raw.get("StateMessage") or None,
        "volume_id": raw.get("VolumeId"),
        "size": raw.get("VolumeSize"),
        "description": raw.get("Description") or "",
        "encrypted": bool(raw.get("Encrypted")),
        "kms_key_id": raw.get("KmsKeyId") or None,
        "created": moment(raw.get("StartTime")),
        "owner_id": raw.get("OwnerId"),
        "shared_with": shared_with,
        "tags": tags,
        "series": tags.get(SERIES),
    }


def image(raw: Mapping[str, Any], shared_with: Optional[List[str]] = None) -> Dict[str, Any]:
    """An image, in the words of this collection."""
    tags = tag_words.from_api(raw.get("Tags"))
    disks = [(one["DeviceName"], one["Ebs"]) for one in raw.get("BlockDeviceMappings") or () if one.get("Ebs")]
    return {
        "id": raw["ImageId"],
        "name": raw.get("Name"),
        "state": raw.get("State"),
        "message": (raw.get("StateReason") or {}).get("Message") or None,
        "description": raw.get("Description") or "",
        "architecture": raw.get("Architecture"),
        "boot_mode": raw.get("BootMode") or None,
        "root_device": raw.get("RootDeviceName"),
        "source_instance_id": raw.get("SourceInstanceId") or None,
        "volumes": [
            {"device": name, "snapshot_id": ebs.get("SnapshotId"), "size": ebs.get("VolumeSize"), "encrypted": bool(ebs.get("Encrypted"))}
            for name, ebs in sorted(disks, key=lambda disk: str(disk[0]))
        ],
        "encrypted": bool(disks) and all(bool(ebs.get("Encrypted")) for _name, ebs in disks),
        "created": moment(raw.get("CreationDate")),
        "owner_id": raw.get("OwnerId"),
        "public": bool(raw.get("Public")),
        "shared_with": shared_with,
        "tags": tags,
        "series": tags.get(SERIES),
    }


def snapshot_ids(fact: Facts) -> List[str]:
    """The snapshots that an image consists of."""
    return [str(disk["snapshot_id"]) for disk in fact.get("volumes") or () if disk["snapshot_id"]]


def moment(value: Any) -> Optional[str]:
    """A time of the API as ISO 8601 in UTC, as exact as the API says it, so that texts sort like times; None where there is none."""
    if value is None:
        return None
    if not isinstance(value, datetime):
        value = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    value = value if value.tzinfo else value.replace(tzinfo=timezone.utc)
    return str(value.astimezone(timezone.utc).isoformat())


def age(fact: Facts, now: float) -> float:
    """Seconds since it was made; 0 where the API does not say."""
    created = fact["created"]
    return now - datetime.fromisoformat(created).timestamp() if created else 0.0
