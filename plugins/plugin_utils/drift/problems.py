# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Why a check cannot tell: the reasons for exit code 1, as data."""

from __future__ import annotations

from dataclasses import dataclass

#: What each reason means, for people; the key is stable and stands in every output.
MEANINGS = {
    "no_record": "there is no record of a run",
    "wrong_run": "the record is of another run",
    "stale": "the record is too old",
    "incomplete": "the run did not end: it crashed, was ended, or is still running",
    "damaged": "the record is damaged",
    "not_recorded": "what a task returned cannot be recorded",
    "missing_shard": "the record of a shard is missing",
    "not_a_check": "the run was no check: it changed things",
    "zero_hosts": "no host was looked at",
    "empty_play": "a play matched no host",
    "unreachable": "a host was not reached",
    "failed": "a task failed",
    "unknown": "a task cannot tell in check mode",
    "policy": "the policy cannot be used",
    "no_state": "the state cannot be used",
    "busy": "another run is at work",
    "command": "ansible-playbook could not run",
}


class CannotTell(Exception):
    """The evaluation stops here; exit code 1."""

    def __init__(self, code: str, text: str) -> None:
        self.problem = Problem(code, text)
        super().__init__(text)


@dataclass(frozen=True, order=True)
class Problem:
    """One reason why the verdict is "could not tell"."""

    code: str
    text: str
    host: str = ""

    def to_dict(self) -> dict[str, str]:
        """The problem as JSON-ready data."""
        return {"code": self.code, "meaning": MEANINGS[self.code], "text": self.text, "host": self.host}
