# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Exit codes that can be believed, on real runs of ansible-playbook. Several tests judge one run, and go on from a copy of its folder."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.drift import DRIFT, Checks, Outcome, setting_task

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


@dataclass(frozen=True)
class Judged:
    """A run, and what each output made of it."""

    outcome: Outcome
    verdicts: dict[str, str]


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Checks:
    """A folder in which one run was made, as a process, which found all as declared."""
    checks = Checks(tmp_path_factory.mktemp("clean"), ["h1"])
    (checks.place / "fine").write_text("declared")
    checks.playbook({"tasks": [setting_task(checks.place / "fine")]})
    assert checks.run(process=True).code == 0
    return checks


@pytest.fixture
def checks(clean: Checks, tmp_path: Path) -> Checks:
    """A copy of that folder."""
    return clean.copy(tmp_path / "copy")


@pytest.fixture(scope="module")
def judged(clean: Checks, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Judged]:
    """Four runs one after the other: all fine; something missing; a failure before it; and a failure after it."""
    checks = clean.copy(tmp_path_factory.mktemp("judged") / "copy")
    fine, missing = setting_task(checks.place / "fine"), setting_task(checks.place / "missing", name="Missing")
    found = {"fine": Judged(Outcome(0, "", checks.report()), verdicts(checks))}
    for name, tasks in (("drifted", [fine, missing]), ("left out", [FAILING, missing]), ("both", [missing, FAILING])):
        checks.playbook({"tasks": tasks})
        outcome = checks.run(process=name == "drifted")
        found[name] = Judged(outcome, verdicts(checks))
    return found


@pytest.mark.parametrize(
    ("run", "code", "verdict"), [("fine", 0, "in_sync"), ("drifted", 2, "drift"), ("left out", 1, "unknown"), ("both", 1, "unknown")]
)
def test_codes_of_drift_and_of_trouble_never_coincide_and_all_outputs_agree(
    judged: dict[str, Judged], run: str, code: int, verdict: str
) -> None:
    """In sync 0, drift 2, and 1 as soon as something could not be told, drift or not; one verdict in every output."""
    outcome = judged[run].outcome
    assert outcome.code == code, outcome.text
    assert set(judged[run].verdicts.values()) == {verdict}, judged[run].verdicts
    assert not outcome.text or outcome.text.rstrip().endswith(outcome.report["summary"])


def test_what_was_left_out_by_a_failure_is_not_resolved(judged: dict[str, Judged]) -> None:
    """A task that fails stops the host; what stands after it was not looked at, and is still there when it is again."""
    assert judged["left out"].outcome.report["resolved"] == []
    assert [one["state"] for one in judged["both"].outcome.of("drift")] == ["ongoing"]


@pytest.mark.parametrize("wrong", ["syntax", "playbook", "option", "policy", "arguments"])
def test_what_cannot_run_is_not_drift(checks: Checks, wrong: str) -> None:
    """ansible-playbook's own codes 2 and 4, and bad usage, are exit code 1; the report of an earlier run does not stay."""
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
    checks.playbook(
        {"hosts": "h1", "tasks": [setting_task(checks.place / "fine")]}, {"hosts": "far", "tasks": [{"ansible.builtin.ping": {}}]}
    )
    outcome = checks.run()
    assert (outcome.code, outcome.codes) == (1, {"unreachable"})
    assert outcome.report["hosts"]["states"] == {"gone": "unreachable", "h1": "in_sync"}
    assert 'steadfast_drift_hosts{state="unreachable"} 1' in checks.output("drift.prom")
    assert 'testsuite name="gone" tests="1" failures="0" errors="1"' in checks.output("drift.junit.xml")


def test_no_host_is_no_success(checks: Checks) -> None:
    """A pattern without hosts is exit code 1, alone as beside others; unless somebody said that it may be."""
    tasks = [setting_task(checks.place / "fine")]
    checks.playbook({"hosts": "nobody", "tasks": tasks})
    nobody = checks.run()
    assert (nobody.code, nobody.codes) == (1, {"zero_hosts", "empty_play"})
    checks.playbook({"tasks": tasks}, {"hosts": "nobody", "name": "Nobody", "tasks": tasks})
    beside = checks.run()
    assert (beside.code, beside.codes) == (1, {"empty_play"})
    checks.policy(allow_empty_plays=["Nobody"])
    assert checks.use("evaluate").code == 0


def test_no_task_is_no_success(checks: Checks) -> None:
    """A tag that no task has: no host was looked at."""
    outcome = checks.run("--tags", "nothing")
    assert (outcome.code, outcome.codes) == (1, {"zero_hosts"})


def test_a_slice_resolves_nothing_outside_of_it(tmp_path: Path) -> None:
    """--limit and --tags are recorded as partial; what lies outside is still there afterwards, and what is inside is followed."""
    checks = Checks(tmp_path)
    tasks = [
        setting_task(checks.place / "a-{{ inventory_hostname }}", tags=["a"]),
        setting_task(checks.place / "b-{{ inventory_hostname }}", tags=["b"], name="Other"),
    ]
    checks.playbook({"tasks": tasks})
    assert len(checks.run().of("drift")) == 4
    (checks.place / "a-h1").write_text("declared")
    tagged = checks.run("--tags", "b")
    assert (tagged.report["run"]["partial"], tagged.report["resolved"]) == (True, [])
    inside = checks.run("--limit", "h1")
    assert inside.report["run"]["partial"]
    assert [one["resource"] for one in inside.report["resolved"]] == [str(checks.place / "a-h1")]
    states = {Path(one["resource"]).name: one["state"] for one in checks.history()["findings"].values()}
    assert states == {"a-h1": "resolved", "a-h2": "new", "b-h1": "ongoing", "b-h2": "ongoing"}


def test_a_timeout_is_not_in_sync(checks: Checks) -> None:
    """A run that does not end by itself is ended, with what it started, and exit code 1 says why."""
    checks.playbook({"hosts": "h1", "tasks": [setting_task(checks.place / "fine", after=checks.folder / "never")]})
    ended = checks.use("run", "--timeout", "2")
    assert (ended.code, "command" in ended.codes) == (1, True), ended.text
    assert "timeout" in str(ended.report["problems"])


def test_a_crash_and_a_lost_record_are_not_in_sync(checks: Checks) -> None:
    """Killed in the middle of a line or between two, of another run, or gone: exit code 1 with the reason."""
    record = checks.records()[-1]
    run, text = record.name.split(".")[0], record.read_text()
    assert checks.use("evaluate", "--run", run).code == 0
    for left in (text[:-40], text[: text.rstrip().rindex("\n") + 1], ""):
        record.write_text(left)
        cut = checks.use("evaluate", "--run", run)
        assert (cut.code, "incomplete" in cut.codes) == (1, True), left
    assert checks.use("evaluate", "--run", "another").codes == {"no_record"}
    shutil.rmtree(checks.state / "records")
    assert (checks.use("evaluate").code, checks.report()["verdict"]) == (1, "unknown")


def test_an_old_record_is_stale(checks: Checks) -> None:
    """A record that is older than allowed gives no verdict."""
    record = checks.records()[-1]
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    lines[0]["started"] -= 3 * 3600
    record.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert checks.use("evaluate").code == 0
    stale = checks.use("evaluate", "--max-age", "2")
    assert (stale.code, stale.codes) == (1, {"stale"})


def test_runs_at_the_same_time_leave_one_whole_state(tmp_path: Path) -> None:
    """While one run is at work another one does nothing and says so; the state is that of the first, and can be read."""
    checks = Checks(tmp_path, ["h1"])
    go = checks.folder / "go"
    checks.playbook({"tasks": [setting_task(checks.place / "d", after=go)]})
    command = [DRIFT, "run", "--directory", checks.state, "--", "-i", "hosts.ini", "site.yml"]
    first = subprocess.Popen(command, cwd=checks.folder, env=checks.environment(), stdout=subprocess.DEVNULL)
    try:
        while not list(checks.state.glob("records/*")):
            assert first.poll() is None
            time.sleep(0.05)
        second = checks.run()
        assert (second.code, second.report) == (1, {})
        assert "another run is at work" in second.text
        go.touch()
        assert first.wait() == 2
    finally:
        go.touch()
        first.wait()
    assert [one["state"] for one in checks.history()["findings"].values()] == ["new"]
    assert [one["state"] for one in checks.use("evaluate").of("drift")] == ["ongoing"]


@pytest.mark.long
def test_shards_together_say_what_one_run_says(tmp_path: Path) -> None:
    """Hosts are spread by a stable hash; the merged report is that of a single run, and a shard that is missing is noticed."""
    names = [f"h{n}" for n in range(5)]
    tasks = [
        setting_task("{{ place }}/{{ inventory_hostname }}"),
        setting_task("{{ place }}/x", run_once=True, name="Once", when="shared"),
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
            lacking = checks.use("evaluate", str(checks.records()[0]))
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
