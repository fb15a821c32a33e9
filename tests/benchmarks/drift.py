# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""`./dev bench drift`: what recording adds to a run, and what 10,000 findings take to evaluate."""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.support.drift import DRIFT, Checks

#: A task that would change something on every host, with a diff, in the time that Ansible itself needs.
ACTION = """
from ansible.plugins.action import ActionBase

class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        diff = {"before": {"mode": "0644", "owner": "root"}, "after": {"mode": "0600", "owner": "root"}}
        return {"changed": True, "diff": [diff], "path": self._task.args["path"]}
"""


def main(arguments: list[str]) -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="./dev bench drift", description=__doc__)
    parser.add_argument("--hosts", type=int, default=1000, help="simulated hosts (%(default)s)")
    parser.add_argument("--tasks", type=int, default=2, help="tasks that differ on each host in the recorded run (%(default)s)")
    parser.add_argument("--findings", type=int, default=10_000, help="findings to evaluate (%(default)s)")
    parser.add_argument("--rounds", type=int, default=2, help="runs with and without recording, in turn (%(default)s)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        checks = estate(Path(folder), options.hosts, options.tasks)
        recording(checks, options.rounds, options.hosts * options.tasks)
        evaluating(checks, options.findings, options.hosts)


def estate(folder: Path, hosts: int, tasks: int) -> Checks:
    """A playbook whose tasks differ on each of so many hosts."""
    checks = Checks(folder, [f"h{n}" for n in range(hosts)])
    (folder / "action_plugins").mkdir()
    (folder / "action_plugins" / "differs.py").write_text(ACTION)
    (folder / "library").mkdir()
    (folder / "library" / "differs.py").write_text("#!/usr/bin/python\n")
    checks.playbook({"tasks": [{"name": f"Task {n}", "differs": {"path": f"/etc/{n}"}} for n in range(tasks)]})
    return checks


def recording(checks: Checks, rounds: int, results: int) -> None:
    """The same check without and with the callback, in turn; the fastest of each counts."""
    seconds: dict[str, list[float]] = {"without": [], "with": []}
    for _round in range(rounds):
        for way, taken in seconds.items():
            enabled = (
                {"ANSIBLE_CALLBACKS_ENABLED": "steadfast.ec2.drift", "STEADFAST_DRIFT_DIR": str(checks.state)} if way == "with" else {}
            )
            started = time.monotonic()
            done = checks.play("--check", "--diff", "-f", "10", "site.yml", ANSIBLE_STDOUT_CALLBACK="steadfast.ec2.without_diff", **enabled)
            taken.append(time.monotonic() - started)
            if done.returncode:
                sys.exit(done.stdout[-2000:] + done.stderr[-2000:])
    without, recorded = min(seconds["without"]), min(seconds["with"])
    cost = inside(checks, results)
    print(f"run of {results} results: {without:.1f} s without recording, {recorded:.1f} s with it: {(recorded / without - 1) * 100:+.1f} %")
    each = f"{cost / results * 1e6:.0f} µs for each result"
    print(f"of that in the recorder itself: {cost:.2f} s, {cost / without * 100:.1f} % of the run, {each}")


def inside(checks: Checks, results: int) -> float:
    """Seconds that the recorder needs for as many results, outside of Ansible: what is left when the machine's noise is taken away."""
    program = (
        "import sys, time, types, json; sys.path.insert(0, sys.argv[1]); import tests.conftest\n"
        "from pathlib import Path\n"
        "from ansible_collections.steadfast.ec2.plugins.plugin_utils.drift import attributes, fleet, observe, recorder, redact\n"
        "observer = observe.Observer(attributes.Shower(redact.Redactor(b'k' * 32)))\n"
        "one = recorder.Recorder(recorder.Settings(Path(sys.argv[2]), 'bench', '1', 'check'), observer, fleet.Redaction())\n"
        "about = dict(basedir='.', playbook='x.yml', check=True, limit='', tags=[], skip_tags=[], start_at='', ansible='', playbooks=1)\n"
        "one.open(about)\n"
        "task = types.SimpleNamespace(_uuid='u', get_path=lambda: '/x.yml:1', action='differs', loop=None, loop_with=None)\n"
        "diff = {'before': {'mode': '0644', 'owner': 'root'}, 'after': {'mode': '0600', 'owner': 'root'}}\n"
        "data = {'changed': True, 'diff': [diff], 'path': '/etc/0'}\n"
        "names = [types.SimpleNamespace(get_name=lambda n=n: f'h{n}') for n in range(1000)]\n"
        "fields = {'name': 'Task', 'check_mode': True}\n"
        "started = time.monotonic()\n"
        "for n in range(int(sys.argv[3])):\n"
        "    one.ok(types.SimpleNamespace(_task=task, _host=names[n % 1000], result=data, task_fields=fields))\n"
        "print(time.monotonic() - started)\n"
    )
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", program, root, checks.folder / "inside", str(results)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def evaluating(checks: Checks, findings: int, hosts: int) -> None:
    """A record of so many findings, evaluated twice: as new, and with the history of the first time."""
    record = checks.records()[-1]
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    pattern = next(line for line in lines if line["type"] == "finding")
    many = [{**pattern, "host": f"h{n % hosts}", "resource": f"/etc/{n // hosts}", "fingerprint": f"{n:020x}"} for n in range(findings)]
    kept = [line for line in lines if line["type"] != "finding"]
    record.write_text("".join(json.dumps(line) + "\n" for line in [*kept[:-1], *many, kept[-1]]))
    for time_of in ("first", "second"):
        started = time.monotonic()
        done = checks.call(DRIFT, "evaluate", "--directory", checks.state, record)
        if done.returncode != 2:
            sys.exit(done.stdout[-2000:] + done.stderr[-2000:])
        print(f"{findings} findings on {hosts} hosts, all six outputs, {time_of} time: {time.monotonic() - started:.1f} s")
    print(f"largest process: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.0f} MiB (ansible-playbook counts too)")
