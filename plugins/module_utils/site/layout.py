# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where the releases of a site are, and what is known of each of them. Reads only; nothing here changes the disk.

ROOT/current -> releases/ID          what the web server serves
ROOT/releases/ID/                    one release; a shared path in it is a link to ROOT/PATH
ROOT/releases/.steadfast/ID.json     what the release is made of, when it went live, what was live before
ROOT/releases/.steadfast/shared.json digests of what releases have put under the shared paths
ROOT/PATH/                           a shared path; it outlives releases, and may be a mount
"""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import stat
from dataclasses import asdict, dataclass, field
from typing import Dict, List, Mapping, Optional, Tuple

from ..engine.errors import Refused
from .archive import Entry, Files, files_from_dict, sha256_of
from .files import Access, folder_entries

ID_LENGTH = 16

#: The code of the error that asks for the archive itself: its checksum is not known here, or files must be written.
ARCHIVE_NEEDED = "ArchiveNeeded"


@dataclass(frozen=True)
class Meta:
    """What is recorded of one release. `activated` stays 0 until it has passed its probe."""

    files: Files
    shared: Tuple[str, ...] = ()
    strip: int = 0
    archives: Tuple[str, ...] = ()
    created: float = 0
    activated: float = 0
    previous: Optional[str] = None

    def to_json(self) -> str:
        """The record as it is stored."""
        data = asdict(self)
        data["files"] = {path: entry.to_dict() for path, entry in self.files.items()}
        return json.dumps(data, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Meta":
        """The inverse of `to_json`."""
        data = json.loads(text)
        data.update(files=files_from_dict(data["files"]), shared=tuple(data["shared"]), archives=tuple(data["archives"]))
        return cls(**data)


@dataclass(frozen=True)
class Wanted:
    """The release that is to be live. `archive` is None where only its list of files is known (check mode)."""

    files: Files
    shared: Tuple[str, ...]
    access: Access
    keep: int
    strip: int = 0
    archive: Optional[str] = None
    checksum: str = ""
    #: False for a way back: the record of what was live before it stays as it is
    deploy: bool = True

    @property
    def id(self) -> str:
        """The name of the release: equal for equal paths, contents, links and shared paths; times, owners and the packing do not matter."""
        digest = hashlib.sha256()
        for path in sorted(self.files):
            entry = self.files[path]
            digest.update(f"{path}\0{'>' + entry.link if entry.link else entry.sha256}\n".encode())
        for path in self.shared:
            digest.update(f"{path}\0shared\n".encode())
        return digest.hexdigest()[:ID_LENGTH]

    def shared_files(self) -> Dict[str, Entry]:
        """What the archive has under the shared paths; it goes there and not into the release."""
        return {path: entry for path, entry in self.files.items() if is_below(path, self.shared)}

    def own_files(self) -> Dict[str, Entry]:
        """What the release holds itself, with the links to the shared paths."""
        own = {path: entry for path, entry in self.files.items() if not is_below(path, self.shared)}
        own.update({path: Entry(link=shared_link(path)) for path in self.shared})
        return own


@dataclass(frozen=True)
class State:
    """Everything that a plan is made from."""

    current: Optional[str]
    releases: Mapping[str, Meta]
    #: files of the wanted release that are missing or otherwise / that only have another owner or mode / that are not its
    damaged: Tuple[str, ...] = ()
    misowned: Tuple[str, ...] = ()
    extra: Tuple[str, ...] = ()
    #: path under a shared path → digest found there ("" where nothing is)
    shared: Mapping[str, str] = field(default_factory=dict)
    #: path under a shared path → digests that releases have put there
    put: Mapping[str, List[str]] = field(default_factory=dict)
    missing_folders: Tuple[str, ...] = ()
    free: int = 0


class Layout:
    """The paths under one document root, and how to read what is there."""

    def __init__(self, root: str) -> None:
        self.root = root.rstrip("/")
        self.releases = f"{self.root}/releases"
        self.records = f"{self.releases}/.steadfast"
        self.current = f"{self.root}/current"

    def release(self, release: str) -> str:
        """The folder of a release."""
        return f"{self.releases}/{release}"

    def record(self, release: str) -> str:
        """The file that says what a release is made of."""
        return f"{self.records}/{release}.json"

    @property
    def shared_record(self) -> str:
        """The file that says what releases have put under shared paths."""
        return f"{self.records}/shared.json"

    def read_current(self) -> Optional[str]:
        """The release that is live, None where none is; raises Refused where `current` is not our link."""
        if not os.path.lexists(self.current):
            return None
        if not os.path.islink(self.current):
            raise Refused(
                "it is there, and is not a link to a release",
                resource=self.current,
                do="Move it aside (its content stays yours), or give another path; nothing was changed.",
            )
        target = os.path.normpath(os.path.join(self.root, os.readlink(self.current)))
        return os.path.basename(target) if os.path.dirname(target) == self.releases else target

    def read_releases(self) -> Dict[str, Meta]:
        """The complete releases with a record of ours, by id. Folders that are not ours are not named."""
        if not os.path.isdir(self.records):
            return {}
        found = {}
        for name in sorted(os.listdir(self.records)):
            release = name[: -len(".json")]
            if name.endswith(".json") and name != "shared.json" and os.path.isdir(self.release(release)):
                with open(self.record(release), encoding="utf-8") as record:
                    found[release] = Meta.from_json(record.read())
        return found

    def read_put(self) -> Dict[str, List[str]]:
        """Digests of what releases have put under shared paths, by path."""
        if not os.path.exists(self.shared_record):
            return {}
        with open(self.shared_record, encoding="utf-8") as record:
            known: Dict[str, List[str]] = json.load(record)
        return known

    def read_state(self, wanted: Wanted) -> State:
        """Everything that concerns the wanted release."""
        releases = self.read_releases()
        self.refuse_links_below_shared(wanted)
        damaged, misowned, extra = self._examine(wanted) if wanted.id in releases else ([], [], [])
        folders = [path for path in wanted.shared if not os.path.isdir(f"{self.root}/{path}")]
        return State(
            current=self.read_current(),
            releases=releases,
            damaged=tuple(damaged),
            misowned=tuple(misowned),
            extra=tuple(extra),
            shared={path: self._digest(path, entry) for path, entry in wanted.shared_files().items()},
            put=self.read_put(),
            missing_folders=tuple(folders),
            free=_free_bytes(self.root),
        )

    def _examine(self, wanted: Wanted) -> Tuple[List[str], List[str], List[str]]:
        """Compare a release on disk with what it should be, by type, size, time and owner; cheap enough for each run."""
        folder, own = self.release(wanted.id), wanted.own_files()
        found = {path: entry.stat(follow_symlinks=False) for path, entry in folder_entries(folder)}
        damaged = [path for path in sorted(own) if not _same(os.path.join(folder, path), found.get(path), own[path])]
        misowned = [
            path
            for path in sorted(own)
            if path not in damaged and not own[path].link and _access(found[path]) != _wanted_access(wanted.access)
        ]
        return damaged, misowned, sorted(set(found) - set(own))

    def _digest(self, path: str, entry: Entry) -> str:
        """What is at a path under a shared path: digest or ">target", "" for nothing, "other" for neither file nor link."""
        full = f"{self.root}/{path}"
        if not os.path.lexists(full):
            return ""
        if os.path.islink(full):
            return f">{os.readlink(full)}"
        return sha256_of(full) if os.path.isfile(full) else "other"

    def refuse_links_below_shared(self, wanted: Wanted) -> None:
        """A link among the folders below a shared path would lead a write elsewhere; raises Refused."""
        for path in wanted.shared_files():
            folder = posixpath.dirname(path)
            while folder not in wanted.shared:
                if os.path.islink(f"{self.root}/{folder}"):
                    raise Refused("it is a link, so nothing is written through it", resource=f"{self.root}/{folder}")
                folder = posixpath.dirname(folder)


def is_below(path: str, folders: Tuple[str, ...]) -> bool:
    """Whether `path` lies below (or is) one of the folders."""
    return any(path == folder or path.startswith(folder + "/") for folder in folders)


def shared_link(path: str) -> str:
    """The target of the link to a shared path in a release: relative, so that the root may be moved."""
    return "../" * (path.count("/") + 2) + path


def _same(full: str, found: Optional[os.stat_result], wanted: Entry) -> bool:
    if found is None:
        return False
    if wanted.link:
        return stat.S_ISLNK(found.st_mode) and os.readlink(full) == wanted.link
    return stat.S_ISREG(found.st_mode) and (found.st_size, int(found.st_mtime)) == (wanted.size, wanted.mtime)


def _access(found: os.stat_result) -> Tuple[int, int, int]:
    return (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode))


def _wanted_access(access: Access) -> Tuple[int, int, int]:
    return (access.uid, access.gid, access.file_mode)


def _free_bytes(path: str) -> int:
    while not os.path.exists(path):
        path = os.path.dirname(path)
    figures = os.statvfs(path)
    return figures.f_bavail * figures.f_frsize
