# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Makes a release live: plan it from what is there, unpack, link, probe, keep the newest."""

from __future__ import annotations

import io
import json
import os
import posixpath
import time
from dataclasses import replace
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

from ..engine.errors import Refused, SteadfastError
from ..engine.plan import Change, Plan, Step
from ..engine.reconcile import Target
from .archive import Entry, safe_members
from .files import (
    PART,
    make_folders,
    remove_file,
    remove_folder,
    write_link,
    write_stream,
)
from .layout import Layout, Meta, State, Wanted, is_below

#: How many names of files a diff shows of each kind; the counts are always exact.
NAMES_SHOWN = 20

#: Steps that write files of the archive, if they name any.
WRITES = ("repair", "put_shared")


def plan_release(wanted: Wanted, state: State) -> Plan:
    """What has to change so that the wanted release is live. Pure."""
    changes = [
        _plan_content(wanted, state),
        *_plan_shared(wanted, state),
        _plan_link(wanted, state),
        *_plan_removals(wanted, state),
    ]
    return Plan(tuple(change for change in changes if change is not None))


def _plan_content(wanted: Wanted, state: State) -> Optional[Change]:
    own = wanted.own_files()
    whole = {"files": len(own), "bytes": sum(entry.size for entry in own.values())}
    if wanted.id not in state.releases:
        if whole["bytes"] > state.free:
            raise Refused(
                "there is not enough space for the release",
                wanted=f"{whole['bytes']} bytes",
                found=f"{state.free} bytes free",
                do="Keep fewer releases, or give the filesystem more space; nothing was changed.",
            )
        return Change("release", wanted.id, "create", None, whole, ("new content",), (Step("unpack", {}),))
    if state.damaged:
        before = {**whole, "otherwise": names(state.damaged)}
        step = Step("repair", {"paths": state.damaged})
        return Change("release", wanted.id, "update", before, whole, ("files are missing or changed",), (step,))
    if state.misowned:
        before = {**whole, "owner or mode": names(state.misowned)}
        step = Step("set_access", {"paths": state.misowned})
        return Change("release", wanted.id, "update", before, whole, ("owner or mode differs",), (step,))
    return None


def _plan_shared(wanted: Wanted, state: State) -> List[Change]:
    changes = []
    for folder in wanted.shared:
        files = {path: entry for path, entry in wanted.shared_files().items() if is_below(path, (folder,))}
        added = [path for path in sorted(files) if not state.shared[path]]
        updated = [path for path in sorted(files) if is_outdated(state, path, files[path])]
        missing = folder in state.missing_folders
        if added or updated or missing:
            before: Optional[Dict[str, Any]] = None if missing else {"added": [], "updated": []}
            after = {"added": names(added), "updated": names(updated)}
            step = Step("put_shared", {"folder": folder, "paths": added + updated})
            changes.append(Change("shared", folder, "create" if missing else "update", before, after, (), (step,)))
    return changes


def is_outdated(state: State, path: str, entry: Entry) -> bool:
    """Whether a shared file is what an earlier release put there. What anybody else put there is not touched."""
    found = state.shared[path]
    return found not in ("", digest_of(entry)) and found in state.put.get(path, [])


def kept_files(wanted: Wanted, state: State) -> List[str]:
    """Shared files that differ from the archive and are left, because no release has put them there."""
    return [
        path
        for path, entry in sorted(wanted.shared_files().items())
        if state.shared[path] not in ("", digest_of(entry)) and not is_outdated(state, path, entry)
    ]


def digest_of(entry: Entry) -> str:
    """An entry as the state names what it found."""
    return f">{entry.link}" if entry.link else entry.sha256


def _plan_link(wanted: Wanted, state: State) -> Optional[Change]:
    recorded = state.releases.get(wanted.id)
    if state.current == wanted.id and recorded and recorded.activated:
        return None
    live = state.releases.get(state.current or "")
    before = {"release": state.current} if state.current else None
    after = {"release": wanted.id, **compare(live.files if live else {}, wanted.files)}
    reasons = ("not probed yet",) if state.current == wanted.id else ("another release is wanted",)
    action = "update" if state.current else "create"
    step = Step("activate", {"before": state.current, "previous": previous_of(wanted, state)})
    return Change("link", "current", action, before, after, reasons, (step,))


def compare(before: Mapping[str, Entry], after: Mapping[str, Entry]) -> Dict[str, Any]:
    """Which files two releases have otherwise: exact counts, and the first names."""
    added = sorted(set(after) - set(before))
    removed = sorted(set(before) - set(after))
    changed = sorted(path for path in set(before) & set(after) if digest_of(before[path]) != digest_of(after[path]))
    kinds = (("added", added), ("removed", removed), ("changed", changed))
    return {kind: {"count": len(paths), "names": names(paths)} for kind, paths in kinds if paths}


def names(paths: Sequence[str]) -> List[str]:
    """The first paths, and how many more there are."""
    shown = list(paths[:NAMES_SHOWN])
    return [*shown, f"… and {len(paths) - NAMES_SHOWN} more"] if len(paths) > NAMES_SHOWN else shown


def previous_of(wanted: Wanted, state: State) -> Optional[str]:
    """The release that a way back from the wanted one leads to."""
    recorded = state.releases.get(wanted.id)
    if state.current == wanted.id or not wanted.deploy:
        return recorded.previous if recorded else None
    return state.current if state.current in state.releases else None


def _plan_removals(wanted: Wanted, state: State) -> List[Change]:
    """The oldest releases beyond `keep`; never the one that goes live, nor the one that was live before it."""
    needed = {wanted.id, previous_of(wanted, state)}
    newest = sorted(state.releases, key=lambda name: (_age(state.releases[name]), name), reverse=True)
    room = wanted.keep - len(needed - {None})
    surplus = [name for name in newest if name not in needed][max(room, 0) :]
    return [
        Change(
            kind="release",
            name=name,
            action="delete",
            before={"files": len(state.releases[name].files)},
            reasons=(f"older than the {wanted.keep} that are kept",),
            steps=(Step("remove", {"release": name}),),
        )
        for name in sorted(surplus)
    ]


def _age(meta: Meta) -> float:
    return max(meta.activated, meta.created)


class Release(Target):
    """The release that is to be live under one document root."""

    def __init__(self, layout: Layout, wanted: Wanted, probe: Optional[Callable[[], None]] = None) -> None:
        self.layout = layout
        self.wanted = wanted
        self.probe = probe

    def read(self) -> State:
        """What is there now."""
        return self.layout.read_state(self.wanted)

    def plan(self, actual: State) -> Plan:
        """What has to change."""
        return plan_release(self.wanted, actual)

    def needs_archive(self) -> bool:
        """Whether the plan writes files that only the archive has."""
        steps = [step for change in self.plan(self.read()).effective for step in change.steps]
        return any(step.verb == "unpack" or (step.verb in WRITES and step.params["paths"]) for step in steps)

    def apply(self, plan: Plan, actual: State) -> None:
        """Carry out the plan; when the probe fails, the link leads back to what was live, and the error is raised."""
        verbs: Dict[str, Callable[..., None]] = {
            "unpack": self._unpack,
            "repair": self._repair,
            "set_access": self._set_access,
            "put_shared": self._put_shared,
            "activate": self._activate,
            "remove": self._remove,
        }
        make_folders(self.layout.records, self.wanted.access)
        for change in plan.effective:
            for step in change.steps:
                verbs[step.verb](**step.params)

    def _unpack(self) -> None:
        """Unpack beside the releases and rename: a folder with the name of a release is a complete one."""
        part = f"{self.layout.releases}/.unpack{PART}"
        remove_folder(part)
        make_folders(part, self.wanted.access)
        own = self.wanted.own_files()
        self._write(part, [path for path, entry in own.items() if path not in self.wanted.shared])
        for path in self.wanted.shared:
            self._link(part, path, own[path].link)
        self._record(Meta(self.wanted.files, self.wanted.shared, self.wanted.strip, created=time.time()))
        os.sync()
        os.rename(part, self.layout.release(self.wanted.id))

    def _repair(self, paths: Sequence[str]) -> None:
        folder, own = self.layout.release(self.wanted.id), self.wanted.own_files()
        for path in paths:
            if os.path.isdir(f"{folder}/{path}") and not os.path.islink(f"{folder}/{path}"):
                raise Refused(
                    "a folder stands where the release has a file or a link",
                    resource=f"{folder}/{path}",
                    do="Move it out of the release, then run again; it is not deleted for you.",
                )
        self._write(folder, [path for path in paths if path not in self.wanted.shared])
        for path in set(paths) & set(self.wanted.shared):
            self._link(folder, path, own[path].link)

    def _set_access(self, paths: Sequence[str]) -> None:
        access = self.wanted.access
        for path in paths:
            full = f"{self.layout.release(self.wanted.id)}/{path}"
            os.chown(full, access.uid, access.gid)
            os.chmod(full, access.file_mode)

    def _put_shared(self, folder: str, paths: Sequence[str]) -> None:
        make_folders(f"{self.layout.root}/{folder}", self.wanted.access)
        put = {path: list(digests) for path, digests in self.layout.read_put().items()}
        for path in paths:
            put[path] = sorted({*put.get(path, []), digest_of(self.wanted.files[path])})
        self._store(self.layout.shared_record, json.dumps(put, sort_keys=True))  # first: killed in between, it is still ours
        self._write(self.layout.root, paths)

    def _write(self, base: str, paths: Sequence[str]) -> None:
        """Write these files and links of the archive below `base`."""
        left = set(paths)
        if not left:
            return
        for path, member in safe_members(str(self.wanted.archive), self.wanted.strip):
            if path not in left:
                continue
            left.discard(path)
            if member.link:
                self._link(base, path, member.link)
            else:
                make_folders(posixpath.dirname(f"{base}/{path}"), self.wanted.access)
                write_stream(f"{base}/{path}", member.open(), self.wanted.access, self.wanted.files[path].mtime)

    def _link(self, base: str, path: str, target: str) -> None:
        make_folders(posixpath.dirname(f"{base}/{path}"), self.wanted.access)
        write_link(f"{base}/{path}", target)

    def _activate(self, before: Optional[str], previous: Optional[str]) -> None:
        """Switch the link, probe, and record it as live; or switch back."""
        meta = self.layout.read_releases()[self.wanted.id]
        meta = replace(meta, previous=previous)
        self._record(meta)
        write_link(self.layout.current, f"releases/{self.wanted.id}")
        try:
            if self.probe is not None:
                self.probe()
        except SteadfastError:
            self._switch_back(before if before != self.wanted.id else previous)
            raise
        self._record(replace(meta, activated=time.time()))

    def _switch_back(self, release: Optional[str]) -> None:
        if release is None:
            remove_file(self.layout.current)
        else:
            write_link(self.layout.current, f"releases/{release}" if "/" not in release else release)

    def _record(self, meta: Meta) -> None:
        """Store what is known of the wanted release."""
        archives = tuple(sorted({*meta.archives, self.wanted.checksum} - {""}))
        self._store(self.layout.record(self.wanted.id), replace(meta, archives=archives).to_json())

    def _store(self, path: str, text: str) -> None:
        access = replace(self.wanted.access, file_mode=0o600)
        write_stream(path, io.BytesIO(text.encode()), access)

    def _remove(self, release: str) -> None:
        remove_folder(self.layout.release(release))
        remove_file(self.layout.record(release))
