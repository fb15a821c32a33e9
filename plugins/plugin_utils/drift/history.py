# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is remembered from run to run: since when a finding is there, how often it came back, what was last applied. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .policy import Policy
from .problems import CannotTell
from .records import Run
from .storage import read_json, write_json

SCHEMA = 1
#: For how many days a resolved finding is remembered, so that it can be told that it came back.
REMEMBERED_DAYS = 90
DAY = 86400.0


def empty() -> dict[str, Any]:
    """The history before the first run."""
    return {"schema": SCHEMA, "findings": {}, "applied": {}, "applied_hosts": {}, "told": {}, "last_success": 0.0, "corrections": []}


def read(directory: Path) -> dict[str, Any]:
    """The history in a state directory."""
    found = read_json(directory / "history.json")
    if found is None:
        return empty()
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        raise CannotTell("no_state", f"{directory / 'history.json'}: it was written by another version, or is no history")
    return {**empty(), **found}


def write(directory: Path, history: Mapping[str, Any]) -> None:
    """Replace the history in one step."""
    write_json(directory / "history.json", history)


@dataclass(frozen=True)
class Scope:
    """What a run has looked at, so that what it did not find is known to be gone."""

    playbooks: frozenset[str]
    whole_hosts: frozenset[str]
    sliced: bool
    #: hosts that left the inventory, as far as a run without problems and without a limit can tell
    all_hosts: frozenset[str] | None
    #: (host, file, task) of which the run cannot tell
    dark: frozenset[tuple[str, str, str]]

    def covers(self, finding: Mapping[str, Any]) -> bool:
        """Whether the run would have found it, were it still there."""
        if self.sliced or finding["playbook"] not in self.playbooks or (finding["host"], finding["file"], finding["task"]) in self.dark:
            return False
        return finding["host"] in self.whole_hosts or (self.all_hosts is not None and finding["host"] not in self.all_hosts)


def scope_of(run: Run, findings: Iterable[Mapping[str, Any]], sound: bool) -> Scope:
    """The scope of a run; `sound`: whether it ended without a problem."""
    dark = {(one["host"], one["file"], one["task"]) for one in findings if one["kind"] in ("unknown", "error", "unreachable")}
    complete = not any(problem.code in ("incomplete", "damaged", "missing_shard") for problem in run.problems)
    return Scope(
        playbooks=frozenset(run.playbooks) if complete else frozenset(),
        whole_hosts=frozenset(run.whole_hosts()),
        sliced=run.sliced,
        all_hosts=frozenset(run.expected) if sound and not run.partial else None,
        dark=frozenset(dark),
    )


def follow(
    history: Mapping[str, Any], findings: list[dict[str, Any]], scope: Scope, policy: Policy, now: float
) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
    """(new history, findings with their state, findings that are resolved). Only findings of kind drift and pending are followed."""
    known: dict[str, Any] = {mark: dict(one) for mark, one in history["findings"].items()}
    followed = []
    for finding in findings:
        if finding["kind"] not in ("drift", "pending"):
            followed.append({**finding, "state": ""})
            continue
        known[finding["fingerprint"]] = memory = _seen(known.get(finding["fingerprint"]), finding, now)
        recent = [moment for moment in memory["reopened"] if moment > now - policy.flapping_days * DAY]
        since = {"first_seen": memory["first_seen"], "since": memory["since"], "occurrences": memory["occurrences"]}
        flapping = len(recent) >= policy.flapping_times
        followed.append(
            {
                **finding,
                "state": finding.get("state") or memory["state"],
                **since,
                "flapping": flapping,
                "corrected": len([moment for moment in memory["corrected"] if moment > now - policy.flapping_days * DAY]),
            }
        )
    present = {finding["fingerprint"] for finding in followed}
    resolved = [
        {**memory, "fingerprint": mark, "state": "resolved"}
        for mark, memory in known.items()
        if mark not in present and memory["state"] != "resolved" and scope.covers(memory)
    ]
    for one in resolved:
        known[one["fingerprint"]].update(state="resolved", resolved=now)
    kept = {mark: one for mark, one in known.items() if one["state"] != "resolved" or one["resolved"] > now - REMEMBERED_DAYS * DAY}
    return {**history, "findings": kept}, followed, sorted(resolved, key=lambda one: (one["host"], one["resource"]))


def _seen(memory: dict[str, Any] | None, finding: Mapping[str, Any], now: float) -> dict[str, Any]:
    about = {name: finding[name] for name in ("host", "resource", "kind", "severity", "file", "task", "role", "playbook", "owner")}
    values = sorted(f"{one['path']}={one['hash']}" for one in finding["attributes"])
    fresh = {**about, "values": values, "last_seen": now}
    if memory is None:
        return {**fresh, "first_seen": now, "since": now, "occurrences": 1, "state": "new", "reopened": [], "corrected": []}
    if memory["state"] == "resolved":
        moments = [*memory["reopened"], now][-50:]
        return {**memory, **fresh, "since": now, "occurrences": memory["occurrences"] + 1, "state": "reopened", "reopened": moments}
    state = "ongoing" if memory["values"] == values else "changed"
    return {**memory, **fresh, "occurrences": memory["occurrences"] + 1, "state": state}


def apply_recorded(history: Mapping[str, Any], run: Run) -> dict[str, Any]:
    """The history after a run that applied: what each task declared, and which hosts were brought to it whole."""
    applied = dict(history["applied"])
    hosts = dict(history["applied_hosts"])
    if not run.sliced:
        covered = {f"{playbook}\x1f{host}" for playbook in run.playbooks for host in run.whole_hosts()}
        applied = {key: one for key, one in applied.items() if f"{one['playbook']}\x1f{key.split(chr(31), 1)[0]}" not in covered}
        hosts.update(dict.fromkeys(covered, run.commits))
    return {**history, "applied": {**applied, **run.settled}, "applied_hosts": hosts}
