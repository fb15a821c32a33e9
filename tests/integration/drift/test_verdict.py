# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Exit codes that can be believed, on real runs."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from tests.support.drift import DRIFT, Checks, directory_task

FAILING: dict[str, Any] = {"name": "Fails", "ansible.builtin.fail": {"msg": "no"}}


def verdicts(checks: Checks) -> dict[str, str]:
    """What each output says: in_sync, drift or unknown, each read as its readers do."""
    report = checks.report()
    titles = {"In sync": "in_sync", "Drift": "drift", "Could not tell": "unknown"}
    junit = ElementTree.fromstring(checks.output("drift.junit.xml"))  # noqa: S314 - our own
    counts = {name: int(junit.get(name, "0")) for name in ("failures", "errors")}
    sarif = json.loads(checks.output("drift.sarif"))["runs"][0]
    code = re.search(r"(?m)^steadfast_drift_exit_code (\d)$", checks.output("drift.prom"))
    page = re.search(r"<h1>(.*?)</h1>", checks.output("drift.html"))
    words = re.search(r"(?m)^## Drift check: (.*)$", checks.output("drift.md"))
    assert code and page and words
    drifted = any(one["ruleId"].startswith("drift/") and not one.get("suppressions") for one in sarif["results"])
    return {
        "report.json": report["verdict"],
        "junit": "unknown" if counts["errors"] else "drift" if counts["failures"] else "in_sync",
        "sarif": "unknown" if not sarif["invocations"][0]["executionSuccessful"] else "drift" if drifted else "in_sync",
        "prometheus": {"0": "in_sync", "1": "unknown", "2": "drift"}[code[1]],
        "html": titles[page[1]],
        "markdown": titles[words[1]],
    }


def test_codes_of_drift_and_of_trouble_never_coincide_and_all_outputs_agree(checks: Checks) -> None:
    """In sync 0, drift 2, and 1 as soon as something could not be told, drift or not; one verdict in every output."""
    fine = directory_task(checks.place, mode="0755")
    drifted = directory_task(checks.place / "missing")
    cases = [([fine], 0, "in_sync"), ([fine, drifted], 2, "drift"), ([drifted, FAILING], 1, "unknown"), ([fine, FAILING], 1, "unknown")]
    checks.place.chmod(0o755)
    for tasks, code, verdict in cases:
        checks.playbook({"tasks": tasks})
        outcome = checks.run()
        assert outcome.code == code, outcome.text
        assert set(verdicts(checks).values()) == {verdict}, verdicts(checks)
        assert outcome.text.rstrip().endswith(outcome.report["summary"])


@pytest.mark.parametrize("wrong", ["syntax", "playbook", "option", "policy", "arguments"])
def test_what_cannot_run_is_not_drift(checks: Checks, wrong: str) -> None:
    """ansible-playbook's own codes 2 and 4, and bad usage, are exit code 1; the report of an earlier run does not stay."""
    checks.playbook({"tasks": [directory_task(checks.place, mode="0755")]})
    checks.place.chmod(0o755)
    assert checks.run().code == 0
    arguments: list[str] = []
    if wrong == "syntax":
        (checks.folder / "site.yml").write_text("- hosts: [\n")
    elif wrong == "playbook":
        arguments = ["nowhere.yml"]
    elif wrong == "option":
        arguments = ["--no-such-option"]
    elif wrong == "policy":
        checks.policy(supressions=[])
    outcome = checks.run(*arguments) if wrong != "arguments" else checks.use("run", "--no-such-option")
    assert outcome.code == 1, outcome.text
    if wrong != "arguments":
        assert outcome.report["verdict"] == "unknown"
        assert set(verdicts(checks).values()) == {"unknown"}


def test_unreachable_hosts_are_counted(checks: Checks) -> None:
    """A host that was not reached is in every count, and makes the verdict one that could not tell."""
    checks.inventory(["h1"], "[far]\ngone ansible_connection=ssh ansible_host=127.0.0.1 ansible_port=1")
    checks.playbook({"tasks": [directory_task(checks.place, mode="0755")]})
    checks.place.chmod(0o755)
    outcome = checks.run()
    assert (outcome.code, outcome.codes) == (1, {"unreachable"})
    assert outcome.report["hosts"]["states"] == {"gone": "unreachable", "h1": "in_sync"}
    assert 'steadfast_drift_hosts{state="unreachable"} 1' in checks.output("drift.prom")
    assert 'testsuite name="gone" tests="1" failures="0" errors="1"' in checks.output("drift.junit.xml")


def test_no_host_is_no_success(checks: Checks) -> None:
    """A pattern without hosts, a tag that no task has, an empty inventory: exit code 1."""
    tasks = [directory_task(checks.place, mode="0755")]
    checks.place.chmod(0o755)
    checks.playbook({"hosts": "nobody", "tasks": tasks})
    assert (checks.run().code, checks.run().codes) == (1, {"zero_hosts", "empty_play"})
    checks.playbook({"tasks": tasks})
    assert (checks.run("--tags", "nothing").code, checks.run("--tags", "nothing").codes) == (1, {"zero_hosts"})
    checks.playbook({"tasks": tasks}, {"hosts": "nobody", "name": "Nobody", "tasks": tasks})
    assert (checks.run().code, checks.run().codes) == (1, {"empty_play"})
    checks.policy(allow_empty_plays=["Nobody"])
    assert checks.run().code == 0


def test_a_slice_resolves_nothing_outside_of_it(checks: Checks) -> None:
    """--limit and --tags are recorded as partial; what lies outside is still there afterwards, and what is inside is followed."""
    tasks = [
        directory_task(checks.place / "a-{{ inventory_hostname }}", tags=["a"]),
        directory_task(checks.place / "b-{{ inventory_hostname }}", tags=["b"], name="Other"),
    ]
    checks.playbook({"tasks": tasks})
    assert len(checks.run().of("drift")) == 4
    (checks.place / "a-h1").mkdir()
    (checks.place / "a-h1").chmod(0o750)
    tagged = checks.run("--tags", "b")
    assert (tagged.report["run"]["partial"], tagged.report["resolved"]) == (True, [])
    limited = checks.run("--limit", "h2")
    assert (limited.report["run"]["partial"], limited.report["resolved"]) == (True, [])
    inside = checks.run("--limit", "h1")
    assert [one["resource"] for one in inside.report["resolved"]] == [str(checks.place / "a-h1")]
    assert {one["state"] for one in checks.run().of("drift")} == {"ongoing"}


def test_what_was_left_out_by_a_failure_is_not_resolved(checks: Checks) -> None:
    """A task that fails stops the host; what stands after it was not looked at."""
    checks.playbook({"hosts": "h1", "tasks": [directory_task(checks.place / "d")]})
    assert checks.run().code == 2
    checks.playbook({"hosts": "h1", "tasks": [FAILING, directory_task(checks.place / "d")]})
    outcome = checks.run()
    assert (outcome.code, outcome.report["resolved"]) == (1, [])


def test_a_crash_a_timeout_and_a_lost_record_are_not_in_sync(checks: Checks) -> None:
    """Killed in the middle, ended by the timeout, cut off, or of another run: exit code 1 with the reason."""
    slow = {"name": "Slow", "ansible.builtin.command": "sleep 60", "check_mode": False, "changed_when": False}
    checks.playbook({"hosts": "h1", "tasks": [directory_task(checks.place, mode="0755"), slow]})
    checks.place.chmod(0o755)
    ended = checks.use("run", "--timeout", "4")
    assert (ended.code, ended.codes & {"command", "incomplete"}) == (1, {"command", "incomplete"}), ended.text
    checks.playbook({"hosts": "h1", "tasks": [directory_task(checks.place, mode="0755")]})
    assert checks.run().code == 0
    record = checks.records()[-1]
    run = record.name.split(".")[0]
    assert checks.use("evaluate", "--run", run).code == 0
    record.write_text(record.read_text()[:-40])
    assert "incomplete" in checks.use("evaluate", "--run", run).codes
    assert checks.use("evaluate", "--run", "another").codes == {"no_record"}
    shutil.rmtree(checks.state / "records")
    assert (checks.use("evaluate").code, checks.report()["verdict"]) == (1, "unknown")


def test_an_old_record_is_stale(checks: Checks) -> None:
    """A record that is older than allowed gives no verdict."""
    checks.playbook({"hosts": "h1", "tasks": [directory_task(checks.place, mode="0755")]})
    checks.place.chmod(0o755)
    assert checks.run().code == 0
    record = checks.records()[-1]
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    lines[0]["started"] -= 3 * 3600
    record.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert checks.use("evaluate").code == 0
    stale = checks.use("evaluate", "--max-age", "2")
    assert (stale.code, stale.codes) == (1, {"stale"})


def test_runs_at_the_same_time_leave_one_whole_state(checks: Checks) -> None:
    """While one run is at work another one does nothing and says so; the state is that of the first, and can be read."""
    wait = checks.folder / "go"
    waits = {"name": "Wait", "ansible.builtin.wait_for": {"path": str(wait), "sleep": 1, "timeout": 60}, "check_mode": False}
    checks.playbook({"hosts": "h1", "tasks": [waits, directory_task(checks.place / "d")]})
    command = [DRIFT, "run", "--directory", checks.state, "--", "-i", "hosts.ini", "site.yml"]
    environment = checks.call("env").stdout.splitlines()
    first = subprocess.Popen(
        command, cwd=checks.folder, env=dict(line.split("=", 1) for line in environment if "=" in line), stdout=subprocess.DEVNULL
    )
    try:
        while not list(checks.state.glob("records/*")):
            time.sleep(0.1)
        second = checks.run()
        assert (second.code, second.report) == (1, {})
        assert "another run is at work" in second.text
        wait.touch()
        assert first.wait() == 2
    finally:
        if first.poll() is None:
            first.send_signal(signal.SIGTERM)
            first.wait()
    assert json.loads((checks.state / "history.json").read_text())["findings"]
    assert checks.run().of("drift")[0]["state"] == "ongoing"


def test_shards_together_say_what_one_run_says(tmp_path: Path) -> None:
    """Hosts are spread by a stable hash; the merged report is that of a single run, and a shard that is missing is noticed."""
    names = [f"h{n}" for n in range(5)]
    tasks = [
        directory_task("{{ place }}/{{ inventory_hostname }}"),
        directory_task("{{ place }}/x", run_once=True, name="Once", when="shared"),
    ]
    reports = []
    for way in ("single", "shards"):
        folder = tmp_path / way
        folder.mkdir()
        checks = Checks(folder, names)
        checks.playbook({"vars": {"place": str(tmp_path / "nowhere"), "shared": False}, "tasks": tasks})
        if way == "single":
            outcome = checks.run()
        else:
            for shard in ("1", "2"):
                assert checks.use("record", "--run", "r1", "--shard", shard, "--of", "2").code == 0
            outcome = checks.use("evaluate", "--run", "r1", "--shards", "2")
            lacking = checks.use("evaluate", str(checks.records()[0]), "--shards", "2")
            assert (lacking.code, "missing_shard" in lacking.codes) == (1, True)
        reports.append(outcome.report)
        assert outcome.code == 2, outcome.text
    single, shards = reports
    keep = ("host", "resource", "kind", "severity", "fingerprint", "state")
    assert [{name: one[name] for name in keep} for one in single["findings"]] == [
        {name: one[name] for name in keep} for one in shards["findings"]
    ]
    assert single["hosts"] == shards["hosts"]
    assert (single["verdict"], single["counts"]) == (shards["verdict"], shards["counts"])
