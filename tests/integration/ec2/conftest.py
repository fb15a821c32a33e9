# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A sandbox without machines, and tasks of the collection run against it by ansible-playbook."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.sandbox import CHECKOUT, Sandbox, api_only_sandbox

TOOLS = Path(sys.executable).parent

#: A module and its options.
Step = tuple[str, dict[str, Any]]


#: In a story, a step that only looks.
LOOK = "security_group_info"


@dataclass(frozen=True)
class Answer:
    """What a task returned, and the calls that it made."""

    result: dict[str, Any]
    calls: list[dict[str, Any]]

    @property
    def writes(self) -> list[str]:
        return [call["action"] for call in self.calls if call["write"]]


@dataclass(frozen=True)
class Playbook:
    """Runs tasks in one ansible-playbook; what each returned comes back in order."""

    sandbox: Sandbox
    directory: Path

    def run(self, tasks: list[dict[str, Any]], **environment: str) -> list[Answer]:
        """Each task is a mapping as in YAML; failures are returned, not raised."""
        numbered = [{**task, "register": f"answer_{number}", "ignore_errors": True} for number, task in enumerate(tasks)]
        names = ", ".join(f"answer_{number}" for number in range(len(tasks)))
        written = self.directory / "answers.json"
        save = {"ansible.builtin.copy": {"content": "{{ [" + names + "] | to_json }}", "dest": str(written), "mode": "0600"}}
        play = [{"hosts": "localhost", "gather_facts": False, "tasks": [*numbered, save]}]
        book = self.directory / "play.yml"
        book.write_text(json.dumps(play))
        since = self.sandbox.call_count
        done = subprocess.run(
            [TOOLS / "ansible-playbook", "-i", "localhost,", "-c", "local", "-e", f"ansible_python_interpreter={sys.executable}", book],
            env={
                **self.sandbox.environment,
                "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".dev" / "collections"),
                "ANSIBLE_LOCALHOST_WARNING": "false",
                "HOME": str(self.directory),
                "ANSIBLE_REMOTE_TMP": str(self.directory / "remote"),
                "ANSIBLE_ASYNC_DIR": str(self.directory / "jobs"),
                **environment,
            },
            cwd=self.directory,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "WARNING" not in done.stdout + done.stderr, done.stdout + done.stderr
        return self._answers(json.loads(written.read_text()), self.sandbox.calls(since))

    def four_ways(self, label: str, steps: list[Step]) -> None:
        """Each step as check → apply → apply → check: changed = yes, yes, no, no, and what check mode predicts is what is done."""
        tasks = [
            {f"steadfast.ec2.{module}": options, "check_mode": check, "diff": True}
            for module, options in steps
            for check in (True, False, False, True)
        ]
        answers = self.run(tasks)
        for number, (module, options) in enumerate(steps):
            hold_four_ways(f"{label} step {number}: {module} {options}", answers[4 * number : 4 * number + 4])

    @staticmethod
    def _answers(results: list[dict[str, Any]], calls: list[dict[str, Any]]) -> list[Answer]:
        answers = []
        for result in results:
            count = result.get("api", {}).get("calls", 0)
            answers.append(Answer(result, calls[:count]))
            calls = calls[count:]
        return answers


def hold_four_ways(label: str, four: list[Answer]) -> None:
    """The diffs of check and apply are equal, checks and the second apply write nothing, nothing is warned of."""
    for answer in four:
        assert not answer.result.get("failed"), f"{label}: {answer.result.get('msg')}"
        assert "warnings" not in answer.result, label
    assert [answer.result["changed"] for answer in four] == [True, True, False, False], (
        label,
        [a.result["summary"] for a in four],
        four[2].result["plan"],
    )
    check, apply, again, check_again = four
    assert check.result["diff"] == apply.result["diff"], label
    assert check.result["plan"] == apply.result["plan"], label
    assert again.result["diff"] == check_again.result["diff"] == [], label
    assert [answer.writes for answer in (check, again, check_again)] == [[], [], []], label
    assert apply.writes, label


@pytest.fixture(scope="session")
def ec2_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox without machines."""
    with api_only_sandbox(tmp_path_factory.mktemp("sandbox") / "state") as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(ec2_sandbox: Sandbox) -> Sandbox:
    """An empty account."""
    ec2_sandbox.reset()
    return ec2_sandbox


@pytest.fixture
def playbook(sandbox: Sandbox, tmp_path: Path) -> Playbook:
    """Tasks on an empty account."""
    return Playbook(sandbox, tmp_path)
