# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Drift checks for tests: real runs of `scripts/drift` on hosts that are this machine, and records made by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
TOOLS = Path(sys.executable).parent
DRIFT = CHECKOUT / "scripts" / "drift"


@dataclass(frozen=True)
class Outcome:
    """What one use of the command came to."""

    code: int
    text: str
    report: dict[str, Any]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The findings of a kind that are not suppressed."""
        return [one for one in self.report["findings"] if one["kind"] == kind and not one["suppressed"]]

    @property
    def codes(self) -> set[str]:
        """Why it could not tell."""
        return {problem["code"] for problem in self.report["problems"]}


class Checks:
    """A folder with an inventory, a playbook, and the state of its checks."""

    def __init__(self, folder: Path, hosts: Sequence[str] = ("h1", "h2")) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.place = folder / "place"
        self.place.mkdir()
        (folder / "ansible.cfg").touch()
        self.inventory(hosts)

    def inventory(self, hosts: Sequence[str], more: str = "") -> None:
        """These hosts are this machine; `more` is further text of the inventory."""
        lines = [*hosts, "[all:vars]", "ansible_connection=local", f"ansible_python_interpreter={sys.executable}", more]
        (self.folder / "hosts.ini").write_text("\n".join(lines) + "\n")

    def playbook(self, *plays: Mapping[str, Any], name: str = "site.yml") -> None:
        """Plays as data; `hosts: all` and no facts unless they say otherwise."""
        content = [{"hosts": "all", "gather_facts": False, **play} for play in plays]
        (self.folder / name).write_text(yaml.safe_dump(content, sort_keys=False))

    def policy(self, **content: Any) -> None:
        """The policy of all further checks."""
        (self.folder / "policy.json").write_text(json.dumps(content))

    def use(self, command: str, *arguments: str, ansible: Sequence[str] = (), **environment: str) -> Outcome:
        """`scripts/drift COMMAND`; the inventory and the playbook are given to ansible-playbook where it is run."""
        policy = ["--policy", str(self.folder / "policy.json")] if (self.folder / "policy.json").exists() else []
        rest = ["--", "-i", "hosts.ini", *ansible] if command in ("run", "record", "apply", "correct") else []
        if rest and not any(one.endswith(".yml") or one.startswith("steadfast.ec2.") for one in ansible):
            rest.append("site.yml")
        done = self.call(DRIFT, command, "--directory", str(self.state), *policy, *arguments, *rest, **environment)
        return Outcome(done.returncode, done.stdout + done.stderr, self.report())

    def run(self, *ansible: str, **environment: str) -> Outcome:
        """A check of the playbook."""
        return self.use("run", ansible=ansible, **environment)

    def play(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """ansible-playbook alone."""
        return self.call(TOOLS / "ansible-playbook", "-i", "hosts.ini", *arguments, **environment)

    def call(self, *command: Any, **environment: str) -> subprocess.CompletedProcess[str]:
        """Any command, in the folder."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "STEADFAST_", "ANSIBLE_"))}
        settings = {
            "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".dev" / "collections"),
            "ANSIBLE_CONFIG": str(self.folder / "ansible.cfg"),
            "ANSIBLE_ASYNC_DIR": str(self.folder / "jobs"),
            "ANSIBLE_HOME": str(self.folder / "ansible"),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "HOME": str(self.folder),
            "PATH": f"{TOOLS}:{kept['PATH']}",
        }
        return subprocess.run(
            [str(part) for part in command],
            cwd=self.folder,
            env={**kept, **settings, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def report(self) -> dict[str, Any]:
        """The last report, empty where there is none."""
        path = self.state / "report" / "report.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def output(self, name: str) -> str:
        """One of the other outputs."""
        return (self.state / "report" / name).read_text()

    def records(self) -> list[Path]:
        """The record files, the oldest first."""
        return sorted((self.state / "records").glob("*.jsonl"), key=lambda path: path.stat().st_mtime_ns)


def directory_task(path: Any, mode: str = "0750", **more: Any) -> dict[str, Any]:
    """A task that declares a directory, whose mode is an attribute that a stock module tells."""
    return {"name": "Directory", "ansible.builtin.file": {"path": str(path), "state": "directory", "mode": mode}, **more}
