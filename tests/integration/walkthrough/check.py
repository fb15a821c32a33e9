# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The drift check as an administrator runs it on a running site."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import Any

from .story import ROOT, Story


@dataclass(frozen=True)
class Check:
    """What a drift check came to, and what it did meanwhile."""

    code: int
    report: dict[str, Any]
    output: str
    writes: list[str]

    def drift(self) -> dict[tuple[str, str], tuple[Any, Any]]:
        """{(resource, attribute): (expected, actual)} of all that is counted as drift; each must be there once."""
        found = [
            ((finding["resource"], part["path"]), (part["expected"], part["actual"]))
            for finding in self.report["findings"]
            if finding["kind"] == "drift"
            for part in finding["attributes"] or [{"path": "", "expected": None, "actual": None}]
        ]
        assert len(found) == len(dict(found)), f"reported twice: {found}"
        return dict(found)

    @property
    def others(self) -> set[tuple[str, str]]:
        """(kind, task) of what else is reported."""
        return {(finding["kind"], finding["task"]) for finding in self.report["findings"] if finding["kind"] != "drift"}


def drift_check(story: Story) -> Check:
    """`drift run` on the playbook of this collection, as a timer would start it."""
    state, first = story.directory / "drift", story.calls_so_far()
    command = [ROOT / "scripts" / "drift", "run", "--directory", state, "--", "-i", "inventories/sandbox", "steadfast.ec2.drift"]
    done = subprocess.run(command, cwd=ROOT, env=story.environment, capture_output=True, text=True, check=False, timeout=900)
    report = json.loads((state / "report" / "report.json").read_text())
    writes = [call["action"] for call in story.calls_since(first) if call["write"]]
    return Check(done.returncode, report, done.stdout + done.stderr, writes)
