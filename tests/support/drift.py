# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Drift checks for tests: real runs of ansible-playbook on hosts that are this machine, evaluated in this process or in one of its own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest import mock

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
TOOLS = Path(sys.executable).parent
DRIFT = CHECKOUT / "scripts" / "drift"

#: A setting is a file. The action says and does what a module would, but starts no Python for each host and task, as modules do.
SETTING = """
import time
from pathlib import Path
from ansible.plugins.action import ActionBase

class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        options = dict(self._task.args)
        while "after" in options and not Path(options["after"]).exists():
            time.sleep(0.05)
        path, value = Path(options["path"]), options["value"]
        actual = path.read_text() if path.exists() else None
        if actual != value and not self._task.check_mode:
            path.write_text(value)
        diff = {"before": {"value": actual}, "after": {"value": value}}
        return {"changed": actual != value, "path": str(path), "diff": [diff], "invocation": {"module_args": options}}
"""


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
        if not self.place.exists():
            self.place.mkdir()
            (folder / "ansible.cfg").touch()
            (folder / "actions").mkdir()
            (folder / "actions" / "setting.py").write_text(SETTING)
            self.inventory(hosts)

    def copy(self, folder: Path) -> Checks:
        """The same with all that happened until now, for a story of its own; tasks still mean files in the first folder."""
        shutil.copytree(self.folder, folder)
        return Checks(folder)

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

    def use(self, command: str, *arguments: str, ansible: Sequence[str] = (), process: bool = False, **environment: str) -> Outcome:
        """`drift COMMAND`, by its `main()` or as a `process`; ansible-playbook, where it is run, gets the inventory and the playbook."""
        policy = ["--policy", str(self.folder / "policy.json")] if (self.folder / "policy.json").exists() else []
        rest = ["--", "-i", "hosts.ini", *ansible] if command in ("run", "record", "apply", "correct") else []
        if rest and not any(one.endswith(".yml") or one.startswith("steadfast.ec2.") for one in ansible):
            rest.append("site.yml")
        words = [command, "--directory", str(self.state), *policy, *arguments, *rest]
        if process:
            done = self.call(DRIFT, *words, **environment)
            return Outcome(done.returncode, done.stdout + done.stderr, self.report())
        return self._here(words, environment)

    def _here(self, words: Sequence[str], environment: Mapping[str, str]) -> Outcome:
        from ansible_collections.steadfast.ec2.plugins.plugin_utils.drift.command import main

        said = io.StringIO()
        with self.inside(**environment), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = main(words)
        return Outcome(code, said.getvalue(), self.report())

    def run(self, *ansible: str, process: bool = False, **environment: str) -> Outcome:
        """A check of the playbook."""
        return self.use("run", ansible=ansible, process=process, **environment)

    def play(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """ansible-playbook alone."""
        return self.call(TOOLS / "ansible-playbook", "-i", "hosts.ini", *arguments, **environment)

    def call(self, *command: Any, **environment: str) -> subprocess.CompletedProcess[str]:
        """Any command, in the folder."""
        with self.inside(**environment):
            return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)

    @contextlib.contextmanager
    def inside(self, **environment: str) -> Iterator[None]:
        """In the block this process is in the folder, with the environment of a check and nothing else of AWS or Ansible."""
        with contextlib.chdir(self.folder), mock.patch.dict(os.environ, self.environment(**environment), clear=True):
            yield

    def environment(self, **more: str) -> dict[str, str]:
        """The variables of everything that is run here."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "STEADFAST_", "ANSIBLE_"))}
        settings = {
            "ANSIBLE_ACTION_PLUGINS": str(self.folder / "actions"),
            "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".dev" / "collections"),
            "ANSIBLE_CONFIG": str(self.folder / "ansible.cfg"),
            "ANSIBLE_ASYNC_DIR": str(self.folder / "jobs"),
            "ANSIBLE_HOME": str(self.folder / "ansible"),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "HOME": str(self.folder),
            "PATH": f"{TOOLS}:{kept['PATH']}",
        }
        return {**kept, **settings, **more}

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

    def history(self) -> dict[str, Any]:
        """What is remembered from run to run."""
        return json.loads((self.state / "history.json").read_text())


def directory_task(path: Any, mode: str = "0750", **more: Any) -> dict[str, Any]:
    """A task that declares a directory, whose mode is an attribute that a stock module tells."""
    return {"name": "Directory", "ansible.builtin.file": {"path": str(path), "state": "directory", "mode": mode}, **more}


def setting_task(path: Any, value: str = "declared", after: Any = None, **more: Any) -> dict[str, Any]:
    """A task that declares the content of a file as one value; it waits until the file `after` is there."""
    waits = {"after": str(after)} if after else {}
    return {"name": "Setting", "setting": {"path": str(path), "value": value, **waits}, **more}


@contextlib.contextmanager
def webhook() -> Iterator[tuple[list[dict[str, Any]], int]]:
    """What is posted to a port of this host: (messages, port). A machine of the sandbox reaches it at its router's address."""
    sent: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield sent, server.server_port
        server.shutdown()
