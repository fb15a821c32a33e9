# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Writes what happens in a run as JSON lines, one for each finding. Work is little, memory is bounded by the number of hosts."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from .declared import all_tokens
from .fleet import Redaction, expected_hosts
from .observe import NOT_A_STATE, Observer, Source, in_collection, relative_file

SCHEMA = 1


@dataclass(frozen=True)
class Settings:
    """What the callback was told: where records go, whose run it is, and what must not be shown."""

    directory: Path
    run: str
    shard: str
    mode: str  # auto, check or apply
    shards: int = 0  # how many there are of the run, 0 where nobody said


@dataclass
class Recorder:
    """One recorded process of ansible-playbook."""

    settings: Settings
    observer: Observer
    redaction: Redaction
    check: bool = False
    root: Path = field(default_factory=Path)
    _stream: TextIO | None = None
    _sources: dict[str, Source] = field(default_factory=dict)
    _changed: set[str] = field(default_factory=set)

    # --- the run ------------------------------------------------------------------------------------------------------

    def open(self, about: Mapping[str, Any]) -> None:
        """Begin the record of a playbook. `about`: what was asked for on the command line."""
        # what is declared for a playbook of a collection is where it is run, not where the collection is installed
        self.root, commit = repository(Path.cwd() if in_collection(str(about["basedir"])) else Path(about["basedir"]))
        self.check = self.settings.mode == "check" or (self.settings.mode == "auto" and bool(about["check"]))
        if self._stream is None:
            self._stream = self._new_file()
        rest = {key: value for key, value in about.items() if key not in ("basedir", "playbook", "check")}
        playbook = relative_file(str(Path(about["playbook"]).absolute()), self.root)
        self._write(
            {"type": "playbook", "schema": SCHEMA, "run": self.settings.run, "started": time.time()}
            | {"shard": self.settings.shard, "of": self.settings.shards, "playbook": playbook, "check": self.check, **commit, **rest}
        )

    def play(self, play: Any) -> None:
        """A play begins: these hosts are expected. A play that is in check mode by itself makes the run a check."""
        if play.check_mode and self.settings.mode == "auto":
            self.check = True
        self.redaction.look(play, self.observer.shower.redactor)
        hosts = expected_hosts(play)
        self._write({"type": "play", "name": play.get_name(), "check": self.check, "hosts": hosts})

    def empty(self, play: Any) -> None:
        """A play matched no host."""
        self._write({"type": "empty_play", "name": play.get_name() if play else ""})

    def flush(self) -> None:
        """What was written up to now is in the file."""
        if self._stream is not None:
            self._stream.flush()

    def close(self, stats: Any) -> None:
        """The playbook ended; what each host came to is part of the record."""
        hosts = {host: {key: count for key, count in stats.summarize(host).items() if count} for host in sorted(stats.processed)}
        self._write({"type": "end", "ended": time.time(), "check": self.check, "hosts": hosts})
        if self._stream is not None:
            self._stream.flush()
            os.fsync(self._stream.fileno())
        self._sources.clear()

    # --- its tasks ----------------------------------------------------------------------------------------------------

    def ok(self, result: Any, item: bool = False) -> None:
        """A task, or an item of its loop, ended well."""
        for host, source, fields, data in self._told(result, item):
            if source.action in NOT_A_STATE:
                return
            if data.get("changed"):
                self._changed.add(host)
                self._findings(self.observer.changed(host, source, fields, data))
            elif self.check:
                self._findings(self.observer.hidden(host, source, fields, data))
            if self.check:
                self._findings(self.observer.undeclared(host, source, fields, data))
            elif not fields.get("check_mode"):
                self._settled(host, source, data, self._tokens(data, source))

    def skipped(self, result: Any, item: bool = False) -> None:
        """A task was skipped; it counts where that means that nothing is known about it."""
        for host, source, fields, data in self._told(result, item):
            if self.observer.cannot_tell(source, data):
                self._finding(self.observer.other("unknown", host, source, fields, data))
            elif not self.check:
                self._settled(host, source, data, {})

    def failed(self, result: Any, ignored: bool | None, item: bool = False) -> None:
        """A task failed, or an item of its loop. Whether it was rescued is told by the host's counts at the end."""
        for host, source, fields, data in self._told(result, item):
            finding = self.observer.other("error", host, source, fields, data)
            # what earlier tasks would have made is not there in check mode
            after = {"after_change": True} if self.check and host in self._changed else {}
            self._finding({**finding, **after, **({"ignored": True} if ignored or fields.get("ignore_errors") is True else {})})
            if data.get("changed"):
                self._findings(self.observer.changed(host, source, fields, data))

    def unreachable(self, result: Any) -> None:
        """A host was not reached."""
        for host, source, fields, data in self._told(result, item=True):
            self._finding(self.observer.other("unreachable", host, source, fields, data))

    def lost(self, result: Any, error: Exception) -> None:
        """A result could not be recorded. Of the error there is only what kind it is: its text may hold what must not be shown."""
        task = self.observer.text(str(result._task.get_name()))
        self._write({"type": "lost", "host": result._host.get_name(), "task": task, "error": type(error).__name__})

    # --- below --------------------------------------------------------------------------------------------------------

    def _told(self, result: Any, item: bool) -> Iterator[tuple[str, Source, Mapping[str, Any], Mapping[str, Any]]]:
        """Host, source, task fields and result, with ansible-core 2.18 as with newer ones; nothing for the sum of a loop."""
        data = _data(result)
        if not isinstance(data, Mapping) or (not item and is_aggregate(result)):
            return
        task = result._task
        fields = getattr(result, "task_fields", None)
        fields = result._task_fields if fields is None else fields
        self.redaction.look_at_files(self.observer.shower.redactor)
        name = str(fields.get("name") or task.get_name()).rsplit(" : ", 1)[-1]
        key = f"{task._uuid} {name}"
        if key not in self._sources:
            if len(self._sources) > 2000:
                self._sources.clear()
            self._sources[key] = Source.of(task, self.root, name)
        yield result._host.get_name(), self._sources[key], fields, data

    def _findings(self, findings: Iterator[dict[str, Any]]) -> None:
        for finding in findings:
            self._finding(finding)

    def _finding(self, finding: dict[str, Any]) -> None:
        if not self.check and finding["kind"] == "executed":
            finding = {**finding, "kind": "applied"}
        self._write(finding)

    def _tokens(self, data: Mapping[str, Any], source: Source) -> dict[str, str]:
        return all_tokens(data, source.action, self.observer.shower.redactor)

    def _settled(self, host: str, source: Source, data: Mapping[str, Any], tokens: Mapping[str, str]) -> None:
        item = self.observer.item(data)
        self._write(
            {
                "type": "settled",
                "at": settled_key(host, source.role, source.file, self.observer.text(source.task), item),
                "host": host,
                "tokens": tokens,
            }
        )

    def _new_file(self) -> TextIO:
        folder = self.settings.directory / "records"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / f"{self.settings.run}.{self.settings.shard}.jsonl"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        return os.fdopen(descriptor, "w", encoding="utf-8")

    def _write(self, line: Mapping[str, Any]) -> None:
        if self._stream is not None:
            self._stream.write(json.dumps(line, default=str, separators=(",", ":")) + "\n")


def settled_key(host: str, role: str, file: str, task: str, item: str) -> str:
    """Which task on which host declared something."""
    return "\x1f".join((host, role, file, task, item))


def is_aggregate(result: Any) -> bool:
    """Whether this is the sum of a loop, whose items were reported one by one."""
    task, data = result._task, _data(result)
    return bool(
        (task.loop is not None or task.loop_with)
        and isinstance(data, Mapping)
        and isinstance(data.get("results"), list)
        and data["results"]
    )


def _data(result: Any) -> Any:
    data = getattr(result, "result", None)
    return result._result if data is None else data


def repository(folder: Path) -> tuple[Path, dict[str, Any]]:
    """The root of the git repository around `folder`, and its commit; `folder` itself where there is none."""
    lines = list(_git(folder, "rev-parse", "--show-toplevel", "HEAD"))
    if len(lines) != 2:
        return folder.resolve(), {"commit": "", "dirty": False}
    return Path(lines[0]), {"commit": lines[1], "dirty": any(_git(folder, "status", "--porcelain", "--untracked-files=no"))}


def _git(folder: Path, *arguments: str) -> Iterator[str]:
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        command = ["git", "-C", str(folder), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False, env=environment)
    except (OSError, subprocess.SubprocessError):
        return
    if done.returncode == 0:
        yield from done.stdout.splitlines()
