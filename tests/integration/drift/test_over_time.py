# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From run to run, really: alerts, suppressions, baseline, pending changes, correction, and the role that schedules it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.drift import CHECKOUT, Checks, setting_task, webhook


@pytest.fixture
def hook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The address of a webhook, and what it was sent."""
    with webhook() as (sent, port):
        yield f"http://127.0.0.1:{port}/", sent


def test_the_life_of_a_finding(checks: Checks, hook: tuple[str, list[dict[str, Any]]]) -> None:
    """Applied; drifted: one alert; still: none; adopted: known; drifted otherwise: an alert; a state file that is damaged: exit code 1.

    Where nothing has changed since, the record is evaluated once more instead of made once more.
    """
    address, sent = hook
    place = checks.place / "d"
    checks.policy(notify=[{"webhook_env": "HOOK"}])
    checks.playbook({"hosts": "h1", "tasks": [setting_task(place)]})
    assert checks.use("apply").code == 0
    assert place.read_text() == "declared"
    place.write_text("by hand")
    assert checks.use("run", HOOK=address).code == 2
    assert checks.use("evaluate", HOOK=address).code == 2
    assert [len(message["new"]) for message in sent] == [1]
    adopted = checks.use("adopt", "--reason", "known", "--owner", "me", "--expires", "2999-01-01")
    assert "1 findings adopted" in adopted.text
    known = checks.use("evaluate", HOOK=address)
    assert (known.code, known.report["counts"]["suppressed"]) == (0, 1)
    place.write_text("by another hand")
    assert checks.use("run", HOOK=address).code == 2
    assert [(len(message["new"]), len(message["recovered"])) for message in sent] == [(1, 0), (0, 1), (1, 0)]
    (checks.state / "history.json").write_text("{")
    broken = checks.use("evaluate", HOOK=address)
    assert (broken.code, broken.codes) == (1, {"no_state"})


def test_correction_brings_it_back_and_proves_it(checks: Checks) -> None:
    """Only on hosts where all that was found is allowed; a second check is the verdict, and who did what is kept."""
    other = setting_task(checks.place / "other", name="Other", when="inventory_hostname == 'h2'")
    checks.playbook({"tasks": [setting_task(checks.place / "{{ inventory_hostname }}"), other]})
    checks.policy(correct={"allow": [{"resource": f"{checks.place}/h*"}], "severities": ["medium"]})
    outcome = checks.use("correct")
    assert [one["host"] for one in outcome.of("drift")] == ["h2", "h2"], outcome.text
    assert outcome.code == 2
    assert f"h2: {checks.place}/other: nothing in correct.allow means it" in outcome.text
    assert {path.name for path in checks.place.iterdir()} == {"h1"}
    (entry,) = checks.history()["corrections"]
    assert (entry["hosts"], [one["verified"] for one in entry["findings"]]) == (["h1"], [True])
    assert "@" in entry["by"]


@pytest.fixture(scope="module")
def schedule(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The files that the role would write in check mode on a host that has nothing yet, by their names."""
    checks = Checks(tmp_path_factory.mktemp("schedule"))
    variables = {
        "drift_check_project": str(checks.folder / "a project"),
        "drift_check_arguments": ["-i", "hosts.ini", "steadfast.ec2.drift", "-e", "name='two words'"],
        "drift_check_environment": {"DRIFT_WEBHOOK": "https://example.com/a b"},
        "drift_check_policy": {"max_age_hours": 2},
        "drift_check_prometheus": "/var/lib/node_exporter/drift.prom",
        "drift_check_name": "never-installed",
        "drift_check_mode": "pull",
        "drift_check_repository": "https://git.example.com/x.git",
    }
    shown = setting_task(f"{checks.folder}/files.json", "{{ drift_check__files | to_json }}", check_mode=False)
    # the task stands outside the role, and looks for templates beside the playbook
    (checks.folder / "templates").symlink_to(CHECKOUT / "roles" / "drift_check" / "templates")
    checks.playbook({"hosts": "h1", "vars": variables, "roles": [{"role": "steadfast.ec2.drift_check"}], "tasks": [shown]})
    done = checks.play("site.yml", "--check")
    assert done.returncode == 0, done.stdout + done.stderr
    return {os.path.basename(one["path"]): one for one in json.loads((checks.folder / "files.json").read_text())}


@pytest.mark.long
def test_the_role_writes_a_schedule_that_sh_accepts(schedule: dict[str, dict[str, Any]]) -> None:
    """Arguments stay in one piece, the policy is as declared, and secrets are readable by root only."""
    assert schedule["environment"]["mode"] == "0600"
    subprocess.run(["sh", "-n"], input=schedule["check"]["content"], text=True, check=True)
    assert shlex.split(schedule["check"]["content"].splitlines()[-1])[-1] == "name='two words'"
    assert json.loads(schedule["policy.json"]["content"]) == {"max_age_hours": 2}


@pytest.mark.long
@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed: nobody here can judge the units")
def test_the_role_writes_units_that_systemd_accepts(schedule: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    """The service and its timer, with the program where they look for it."""
    program = tmp_path / "check"
    program.write_text(schedule["check"]["content"])
    program.chmod(0o755)
    units = [tmp_path / f"steadfast-drift-never-installed.{kind}" for kind in ("service", "timer")]
    for unit in units:
        unit.write_text(schedule[unit.name]["content"].replace("/etc/steadfast-drift/never-installed/check", str(program)))
    verified = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False)
    assert [line for line in verified.stderr.splitlines() if "never-installed" in line] == []


def test_the_command_runs_through_a_link_and_with_the_python_of_ansible(checks: Checks) -> None:
    """A link in PATH is enough, and bad usage is exit code 1, since 2 means drift."""
    link = checks.folder / "drift"
    link.symlink_to(CHECKOUT / "scripts" / "drift")
    helped = checks.call(link, "--help")
    assert (helped.returncode, "could not tell" in helped.stdout) == (0, True)
    assert checks.call(link, "nonsense").returncode == 1
    assert checks.call(link, "run", STEADFAST_PYTHON="/nowhere/python").returncode == 1
