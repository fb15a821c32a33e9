# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Records made by hand, for what needs no run of Ansible."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.plugin_utils.drift import history
from ansible_collections.steadfast.ec2.plugins.plugin_utils.drift.evaluate import Asked, evaluate
from ansible_collections.steadfast.ec2.plugins.plugin_utils.drift.observe import Source, fingerprint
from ansible_collections.steadfast.ec2.plugins.plugin_utils.drift.policy import Policy, read_policy
from ansible_collections.steadfast.ec2.plugins.plugin_utils.drift.records import read_run

#: 2027-01-15 08:00 UTC, a Friday
NOW = 1800000000.0


def finding(resource: str = "/etc/motd", host: str = "h1", actual: Any = "0600", **more: Any) -> dict[str, Any]:
    """A finding of drift as the recorder writes it: the mode of a file."""
    source = Source(task="Files", action="file", file="site.yml", line=3, role="", handler=False)
    attribute = {"path": "mode", "expected": "0644", "actual": actual, "hash": f"hash of {actual}"}
    return {
        "type": "finding",
        "host": host,
        "task": "Files",
        "action": "file",
        "file": "site.yml",
        "line": 3,
        "role": "",
        "tags": [],
        "item": "",
        "resource": resource,
        "kind": "drift",
        "resource_kind": "file",
        "change": "update",
        "attributes": [attribute],
        "fingerprint": fingerprint(host, source, resource, ""),
        "tokens": {"options": "declared 1"},
        **more,
    }


def record(findings: Sequence[dict[str, Any]], hosts: Sequence[str] = ("h1",), run: str = "r1", **about: Any) -> list[dict[str, Any]]:
    """The lines of a record."""
    start = {
        "type": "playbook",
        "schema": 1,
        "run": run,
        "shard": "1",
        "started": NOW,
        "playbook": "site.yml",
        "check": True,
        "commit": "abc",
    }
    rest = {"dirty": False, "playbooks": 1, "diff": True, "limit": "", "tags": [], "skip_tags": [], "start_at": "", "ansible": "2.19.0"}
    bad = {one["host"]: {"error": "failures", "unreachable": "unreachable"}.get(one["kind"]) for one in findings if not one.get("ignored")}
    counts = {host: {"ok": 1, **({bad[host]: 1} if bad.get(host) else {})} for host in hosts}
    play = {"type": "play", "name": "all", "check": about.get("check", True), "hosts": list(hosts)}
    return [{**start, **rest, **about}, play, *findings, {"type": "end", "ended": NOW + 60, "check": True, "hosts": counts}]


class Story:
    """Runs one after the other, with the history that they leave."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.history = history.empty()
        self.policy = Policy()
        self.now = NOW
        self.baseline: dict[str, Any] = {}

    def decide(self, **content: Any) -> None:
        """Set the policy, as a file."""
        path = self.folder / "policy.json"
        path.write_text(json.dumps(content))
        self.policy = read_policy(path)

    def run(self, *findings: dict[str, Any], lines: list[dict[str, Any]] | None = None, days: float = 1.0, **about: Any) -> dict[str, Any]:
        """The report of a further run, so many days after the one before."""
        self.now += days * 86400
        lines = record(findings, **about) if lines is None else lines
        for line in lines:
            if line["type"] == "playbook" and "started" not in about:
                line["started"] = self.now
        path = self.folder / "r1.1.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        report, self.history = evaluate(read_run([path]), self.policy, self.history, Asked(self.now, baseline=self.baseline))
        return report


@pytest.fixture
def story(tmp_path: Path) -> Story:
    """An empty history."""
    return Story(tmp_path)


@pytest.fixture
def make_finding() -> Callable[..., dict[str, Any]]:
    """Makes findings."""
    return finding


@pytest.fixture
def make_record() -> Callable[..., list[dict[str, Any]]]:
    """Makes records."""
    return record
