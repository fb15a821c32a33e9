# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads what runs recorded: one run from the files of all its shards."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .problems import CannotTell, Problem


@dataclass
class Run:
    """What was recorded of one run, merged from its shards. Times are seconds since 1970, UTC."""

    run: str
    shards: list[str] = field(default_factory=list)
    #: how many shards there are, as far as a record tells
    of: int = 0
    playbooks: list[str] = field(default_factory=list)
    started: float = 0.0
    ended: float = 0.0
    check: bool = True
    commits: list[str] = field(default_factory=list)
    dirty: bool = False
    limit: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    skip_tags: list[str] = field(default_factory=list)
    start_at: str = ""
    ansible: str = ""
    expected: set[str] = field(default_factory=set)
    #: {host: {ok, changed, failures, …}} of the hosts that were looked at
    hosts: dict[str, dict[str, int]] = field(default_factory=dict)
    findings: list[dict[str, Any]] = field(default_factory=list)
    #: {task on host: {playbook, tokens}} of what an apply declared
    settled: dict[str, dict[str, Any]] = field(default_factory=dict)
    empty_plays: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def sliced(self) -> bool:
        """Whether some tasks were left out, so that what is not found may still be there."""
        return bool(self.tags or self.skip_tags or self.start_at)

    @property
    def partial(self) -> bool:
        """Whether only a part of the hosts or of the tasks was looked at."""
        return self.sliced or bool(self.limit)

    def whole_hosts(self) -> set[str]:
        """The hosts on which everything was looked at."""
        return {host for host, counts in self.hosts.items() if not counts.get("failures") and not counts.get("unreachable")}

    def to_dict(self) -> dict[str, Any]:
        """About the run, for the report."""
        names = ("run", "shards", "playbooks", "started", "ended", "check", "commits", "dirty", "limit", "tags", "skip_tags", "start_at")
        return {name: getattr(self, name) for name in names} | {"ansible": self.ansible, "partial": self.partial}


def newest(directory: Path, run: str = "") -> list[Path]:
    """The records of the run `run`, or of the newest one; raises CannotTell where there is none."""
    files = sorted((directory / "records").glob(f"{run or '*'}.*.jsonl"), key=lambda path: path.stat().st_mtime)
    if not files:
        raise CannotTell(
            "no_record", f"{directory}: no record{f' of run {run}' if run else ''}. Was the callback steadfast.ec2.drift enabled?"
        )
    newest_run = run or files[-1].name.split(".", 1)[0]
    return [path for path in files if path.name.startswith(f"{newest_run}.")]


def read_run(paths: Iterable[Path], shards: int = 0) -> Run:
    """One run from its record files. What is wrong with them is among its problems; raises CannotTell for different runs."""
    run: Run | None = None
    for path in sorted(paths, key=lambda one: one.name):
        lines = list(_lines(path))
        problems = [line for line in lines if isinstance(line, Problem)]
        records = [line for line in lines if not isinstance(line, Problem)]
        about = [line for line in records if line["type"] == "playbook"]
        if not about:
            problems.append(Problem("incomplete", f"{path.name}: the record is empty"))
        for start in about:
            run = run or Run(str(start["run"]), started=float(start["started"]))
            if run.run != start["run"]:
                raise CannotTell(
                    "wrong_run", f"{path.name} is of run {start['run']}, the others are of {run.run}: one verdict is about one run."
                )
        run = run or Run("", started=time.time())
        run.problems += [*problems, *_add(run, records, path.name)]
    if run is None:
        raise CannotTell("no_record", "no record was given")
    wanted = shards or run.of
    if wanted and len(run.shards) != wanted:
        run.problems.append(Problem("missing_shard", f"{len(run.shards)} of {wanted} shards are there: {', '.join(run.shards)}"))
    run.findings = _numbered(sorted(run.findings, key=lambda one: (one["host"], one["resource"], one["file"], one["task"], one["item"])))
    return run


def _lines(path: Path) -> Iterator[dict[str, Any] | Problem]:
    try:
        with path.open(encoding="utf-8") as stream:
            for number, line in enumerate(stream, 1):
                try:
                    record = json.loads(line)
                except ValueError:
                    last = not line.endswith("\n")
                    yield Problem("incomplete" if last else "damaged", f"{path.name}: line {number} is {'cut off' if last else 'no JSON'}")
                    continue
                if isinstance(record, dict) and isinstance(record.get("type"), str):
                    yield record
                else:
                    yield Problem("damaged", f"{path.name}: line {number} is no record")
    except (OSError, UnicodeDecodeError) as error:
        yield Problem("damaged", f"{path.name}: {error}")


def _add(run: Run, records: list[dict[str, Any]], name: str) -> Iterator[Problem]:
    """Merge the records of one file into the run."""
    playbook, ended, wanted = "", 0, 0
    for record in records:
        kind = record["type"]
        if kind == "playbook":
            playbook, wanted = str(record["playbook"]), int(record.get("playbooks") or 1)
            _about(run, record)
        elif kind == "play":
            run.expected.update(record["hosts"])
            run.check = run.check and bool(record["check"])
        elif kind == "empty_play":
            run.empty_plays.append(str(record["name"]))
        elif kind == "settled":
            run.settled[str(record["at"])] = {"playbook": playbook, "tokens": record["tokens"]}
        elif kind == "finding":
            run.findings.append({**record, "playbook": playbook})
        elif kind == "lost":
            yield Problem("not_recorded", f"{record['task']}: {record['error']} while its result was recorded", str(record["host"]))
        elif kind == "end":
            ended += 1
            run.ended = max(run.ended, float(record["ended"]))
            _count(run.hosts, record["hosts"])
    if records and ended < max(wanted, 1):
        yield Problem("incomplete", f"{name}: {ended} of {max(wanted, 1)} playbooks came to their end")


def _about(run: Run, record: Mapping[str, Any]) -> None:
    run.started = min(run.started, float(record["started"]))
    run.ansible = str(record["ansible"])
    run.dirty = run.dirty or bool(record["dirty"])
    run.start_at = run.start_at or str(record["start_at"])
    run.of = max(run.of, int(record.get("of") or 0))
    single = (("shards", "shard"), ("playbooks", "playbook"), ("commits", "commit"), ("limit", "limit"))
    for many, one in single:
        values = getattr(run, many)
        if record[one] and str(record[one]) not in values:
            values.append(str(record[one]))
    for many in ("tags", "skip_tags"):
        values = getattr(run, many)
        values += [tag for tag in record[many] if tag not in values]


def _count(hosts: dict[str, dict[str, int]], more: Mapping[str, Mapping[str, int]]) -> None:
    for host, counts in more.items():
        mine = hosts.setdefault(host, {})
        for name, count in counts.items():
            mine[name] = mine.get(name, 0) + count


def _numbered(findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A task that is run twice on a host (a role with other parameters) gives two findings that differ by a number."""
    seen: dict[str, int] = {}
    numbered = []
    for finding in findings:
        mark = finding["fingerprint"]
        seen[mark] = seen.get(mark, 0) + 1
        numbered.append(finding if seen[mark] == 1 else {**finding, "fingerprint": f"{mark}-{seen[mark]}"})
    return numbered
