# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run something against a server and say what it took: seconds, calls, memory, and the seconds of each Ansible task."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.peers import amazon_aws
from tests.support.sandbox import CHECKOUT, Sandbox

TOOLS = Path(sys.executable).parent
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Run:
    """What one run took. Memory is the largest process of it, in MiB; tasks are (name, seconds) in their order.

    `cpu` are the seconds that its processes used of a processor: what others do on the machine hardly shows in them.
    """

    seconds: float
    cpu: float
    calls: int
    memory: float
    tasks: list[tuple[str, float]] = field(default_factory=list)
    output: str = ""

    @property
    def in_tasks(self) -> float:
        """Seconds of all tasks together; of a program that is no playbook, all of it."""
        return sum(seconds for _name, seconds in self.tasks) if self.tasks else self.seconds


@dataclass(frozen=True)
class Bench:
    """Runs against one server, in a directory for what is left over."""

    sandbox: Sandbox
    directory: Path

    def play(self, tasks: list[dict[str, Any]], **environment: str) -> Run:
        """A playbook on localhost; it has to succeed."""
        book = self.directory / "play.yml"
        book.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
        durations = self.directory / "durations.json"
        durations.unlink(missing_ok=True)
        command = [
            TOOLS / "ansible-playbook",
            "-i",
            "localhost,",
            "-c",
            "local",
            "-e",
            f"ansible_python_interpreter={sys.executable}",
            book,
        ]
        run = self.program(
            [str(word) for word in command],
            ANSIBLE_CALLBACK_PLUGINS=str(HERE / "callback"),
            ANSIBLE_CALLBACKS_ENABLED="durations",
            BENCH_DURATIONS=str(durations),
            **environment,
        )
        tasks_took = [(task["name"], task["seconds"]) for task in json.loads(durations.read_text())]
        return Run(run.seconds, run.cpu, run.calls, run.memory, tasks_took, run.output)

    def program(self, command: list[str], **environment: str) -> Run:
        """Any program; it has to succeed."""
        since = self.sandbox.call_count
        log = self.directory / "output.txt"
        began = time.monotonic()
        with log.open("w") as output:
            process = subprocess.Popen(
                command, env=self._environment(environment), cwd=self.directory, stdout=output, stderr=subprocess.STDOUT, text=True
            )
            _pid, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
        if status:
            raise SystemExit(f"{' '.join(command)} failed:\n{log.read_text()[-4000:]}")
        calls = self.sandbox.call_count - since
        return Run(seconds, usage.ru_utime + usage.ru_stime, calls, usage.ru_maxrss / 1024, output=log.read_text())

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        (self.directory / "ansible.cfg").write_text("[defaults]\n")
        paths = [str(CHECKOUT / ".dev" / "collections"), str(amazon_aws())]
        return {
            **self.sandbox.environment,
            "ANSIBLE_CONFIG": str(self.directory / "ansible.cfg"),
            "ANSIBLE_HOME": str(self.directory / "home"),
            "ANSIBLE_REMOTE_TMP": str(self.directory / "remote"),
            "ANSIBLE_COLLECTIONS_PATH": ":".join(paths),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "PYTHONPATH": str(CHECKOUT),
            "PATH": f"{TOOLS}:{os.environ['PATH']}",
            **more,
        }
