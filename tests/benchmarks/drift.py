# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""`./dev bench drift`: what recording adds to a run, what 10,000 findings take to evaluate, and what a large fleet costs on the API.

Seconds are processor time (user and system) of all processes of a run: it hardly depends on what else the machine does.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.drift import DRIFT, TOOLS, Checks
from tests.support.sandbox import api_only_sandbox

#: What any callback costs that looks at the results of tasks: ansible-core copies them for each.
EMPTY = """
from ansible.plugins.callback import CallbackBase

class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "empty"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_start(self, playbook): pass
    def v2_playbook_on_play_start(self, play): pass
    def v2_playbook_on_no_hosts_matched(self): pass
    def v2_runner_on_ok(self, result): pass
    def v2_runner_item_on_ok(self, result): pass
    def v2_runner_on_skipped(self, result): pass
    def v2_runner_item_on_skipped(self, result): pass
    def v2_runner_on_failed(self, result, ignore_errors=False): pass
    def v2_runner_item_on_failed(self, result): pass
    def v2_runner_on_unreachable(self, result): pass
    def v2_playbook_on_stats(self, stats): pass
"""

#: ansible-playbook, with the time that it spends in the recorder in a file.
TIMED = """
import functools, sys, time
from pathlib import Path
from ansible.cli.playbook import main
from ansible.executor.task_queue_manager import TaskQueueManager

load, spent, file = TaskQueueManager.load_callbacks, [], Path(sys.argv.pop(1))

def timed(method):
    @functools.wraps(method)
    def call(*arguments, **options):
        began = time.thread_time()
        method(*arguments, **options)
        spent.append(time.thread_time() - began)
    return call

def load_callbacks(self):
    load(self)
    for plugin in self._callback_plugins:
        if plugin._load_name.endswith(".drift") and not hasattr(plugin, "timed"):
            plugin.timed = True
            for name in plugin._implemented_callback_methods:
                setattr(plugin, name, timed(getattr(plugin, name)))

TaskQueueManager.load_callbacks = load_callbacks
sys.argv[0] = "ansible-playbook"
try:
    main()
finally:
    file.write_text(str(sum(spent)))
"""

#: A task that would change something on every host, with a diff, in the time that Ansible itself needs.
ACTION = """
from ansible.plugins.action import ActionBase

class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        diff = {"before": {"mode": "0644", "owner": "root"}, "after": {"mode": "0600", "owner": "root"}}
        return {"changed": True, "diff": [diff], "path": self._task.args["path"]}
"""


@dataclass(frozen=True)
class Cost:
    """What a process and those that it started used."""

    seconds: float
    mib: float


def main(arguments: list[str]) -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="./dev bench drift", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hosts", type=int, default=1000, help="simulated hosts (%(default)s)")
    parser.add_argument("--tasks", type=int, default=2, help="tasks that differ on each host in the recorded run (%(default)s)")
    parser.add_argument("--findings", type=int, default=10_000, help="findings to evaluate (%(default)s)")
    parser.add_argument("--rounds", type=int, default=2, help="runs with and without recording, in turn (%(default)s)")
    parser.add_argument("--members", type=int, default=1000, help="instances of the fleet that is checked; 0 for none (%(default)s)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        checks = estate(Path(folder), options.hosts, options.tasks)
        recording(checks, options.rounds, options.hosts * options.tasks)
        evaluating(checks, options.findings, options.hosts)
    if options.members:
        with tempfile.TemporaryDirectory() as folder:
            account(Path(folder), options.members)


def cost(checks: Checks, codes: Sequence[int], *command: Any, **environment: str) -> Cost:
    """Run a command, and ask the kernel what it used; any other exit code than `codes` ends the benchmark."""
    log = checks.folder / "log"
    with log.open("w") as stream:
        argv = [str(part) for part in command]
        process = subprocess.Popen(argv, cwd=checks.folder, env=checks.environment(**environment), stdout=stream, stderr=stream)
        _pid, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in codes:
        sys.exit(log.read_text()[-4000:])
    return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def estate(folder: Path, hosts: int, tasks: int) -> Checks:
    """A playbook whose tasks differ on each of so many hosts."""
    checks = Checks(folder, [f"h{n}" for n in range(hosts)])
    (folder / "action_plugins").mkdir()
    (folder / "action_plugins" / "differs.py").write_text(ACTION)
    (folder / "library").mkdir()
    (folder / "callback_plugins").mkdir()
    (folder / "callback_plugins" / "empty.py").write_text(EMPTY)
    (folder / "library" / "differs.py").write_text("#!/usr/bin/python\n")
    checks.playbook({"tasks": [{"name": f"Task {n}", "differs": {"path": f"/etc/{n}"}} for n in range(tasks)]})
    return checks


def recording(checks: Checks, rounds: int, results: int) -> None:
    """The same check without a callback, with an empty one, and with the recorder, in turn; the cheapest of each counts."""
    recorder = {"ANSIBLE_CALLBACKS_ENABLED": "steadfast.ec2.drift", "STEADFAST_DRIFT_DIR": str(checks.state)}
    ways: dict[str, dict[str, str]] = {"without": {}, "empty": {"ANSIBLE_CALLBACKS_ENABLED": "empty"}, "recorded": recorder}
    runs: dict[str, list[Cost]] = {way: [] for way in ways}
    command = (TOOLS / "ansible-playbook", "-i", "hosts.ini", "--check", "--diff", "-f", "10", "site.yml")
    for _round in range(rounds):
        for way, more in ways.items():
            runs[way].append(cost(checks, (0,), *command, ANSIBLE_STDOUT_CALLBACK="steadfast.ec2.without_diff", **more))
    print(f"run of {results} results, {rounds} rounds, the cheapest of each:")
    least = {way: min(one.seconds for one in costs) for way, costs in runs.items()}
    for way, costs in runs.items():
        rise = [f"{(one.seconds / floor.seconds - 1) * 100:+.1f}" for one, floor in zip(costs, runs["without"], strict=True)]
        share, mib = (least[way] / least["without"] - 1) * 100, max(one.mib for one in costs)
        print(f"  {way:10} {least[way]:7.2f} s {share:+5.1f} %   by rounds {', '.join(rise)} %   {mib:.0f} MiB")
    own = inside(checks, command, recorder)
    each = f"{own / results * 1e6:.0f} µs for each result"
    print(f"of that in the recorder itself: {own:.2f} s, {own / least['without'] * 100:.1f} % of the run, {each}")


def inside(checks: Checks, command: Sequence[Any], enabled: Mapping[str, str]) -> float:
    """Seconds of the thread that forks and reads results, within the recorder, in one more run: other work of the machine hardly shows."""
    spent = checks.folder / "spent"
    program = (sys.executable, "-c", TIMED, spent, *command[1:])
    cost(checks, (0,), *program, ANSIBLE_STDOUT_CALLBACK="steadfast.ec2.without_diff", **enabled)
    return float(spent.read_text())


def evaluating(checks: Checks, findings: int, hosts: int) -> None:
    """A record of so many findings, evaluated twice: as new, and with the history of the first time."""
    record = checks.records()[-1]
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    pattern = next(line for line in lines if line["type"] == "finding")
    many = [{**pattern, "host": f"h{n % hosts}", "resource": f"/etc/{n // hosts}", "fingerprint": f"{n:020x}"} for n in range(findings)]
    kept = [line for line in lines if line["type"] != "finding"]
    record.write_text("".join(json.dumps(line) + "\n" for line in [*kept[:-1], *many, kept[-1]]))
    for time_of in ("first", "second"):
        used = cost(checks, (2,), DRIFT, "evaluate", "--directory", checks.state, record)
        print(f"{findings} findings on {hosts} hosts, all six outputs, {time_of} time: {used.seconds:.1f} s, {used.mib:.0f} MiB")


def account(folder: Path, members: int) -> None:
    """A fleet with so many instances, applied and then checked; the calls of the check are counted by the server."""
    checks = Checks(folder, ["localhost"])
    fleet = {
        "site_fleet": "bench",
        "site_connection": {"region": "us-east-1"},
        "site_tags": {"Project": "bench"},
        "site_instances": [
            {
                "name": "web",
                "count": members,
                "image": {"name": "debian-12-amd64-*", "owner": "136693071363"},
                "instance_type": "t3.micro",
            }
        ],
    }
    (folder / "site.yaml").write_text(yaml.safe_dump(fleet))
    drift = ("--directory", checks.state, "--", "-i", "hosts.ini", "-e", "@site.yaml", "--limit", "localhost")
    with api_only_sandbox(folder / "sandbox") as sandbox:
        cost(checks, (0,), DRIFT, "apply", *drift, "steadfast.ec2.provision", **sandbox.environment)
        instance = sandbox.client().describe_instances(MaxResults=5)["Reservations"][0]["Instances"][0]["InstanceId"]
        sandbox.client().create_tags(Resources=[instance], Tags=[{"Key": "Project", "Value": "by hand"}])
        since = sandbox.call_count
        used = cost(checks, (2,), DRIFT, "run", *drift, "steadfast.ec2.drift", **sandbox.environment)
        calls, writes = len(sandbox.calls(since)), len(sandbox.writes(since))
    found = len(checks.report()["findings"])
    said = f"{calls} calls, {writes} of them writes, {found} finding, {used.seconds:.1f} s, {used.mib:.0f} MiB"
    print(f"fleet of {members} instances, one changed by hand: {said}")
