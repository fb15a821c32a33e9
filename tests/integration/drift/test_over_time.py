# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From run to run, really: alerts, suppressions, baseline, pending changes, correction, and the role that schedules it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from tests.support.drift import CHECKOUT, Checks, directory_task


@pytest.fixture
def hook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The address of a webhook, and what it was sent."""
    sent: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", sent
        server.shutdown()


def test_the_life_of_a_finding(checks: Checks, hook: tuple[str, list[dict[str, Any]]]) -> None:
    """Applied; drifted: one alert; still: none; adopted: known; drifted otherwise: an alert; a state file that is damaged: exit code 1."""
    address, sent = hook
    place = checks.place / "d"
    checks.policy(notify=[{"webhook_env": "HOOK"}])
    checks.playbook({"hosts": "h1", "tasks": [directory_task(place)]})
    assert checks.use("apply").code == 0
    place.chmod(0o755)
    assert checks.use("run", HOOK=address).code == 2
    assert checks.use("run", HOOK=address).code == 2
    assert [len(message["new"]) for message in sent] == [1]
    adopted = checks.use("adopt", "--reason", "known", "--owner", "me", "--expires", "2999-01-01")
    assert "1 findings adopted" in adopted.text
    known = checks.use("run", HOOK=address)
    assert (known.code, known.report["counts"]["suppressed"]) == (0, 1)
    place.chmod(0o700)
    assert checks.use("run", HOOK=address).code == 2
    assert [(len(message["new"]), len(message["recovered"])) for message in sent] == [(1, 0), (0, 1), (1, 0)]
    (checks.state / "history.json").write_text("{")
    broken = checks.use("run", HOOK=address)
    assert (broken.code, broken.codes) == (1, {"no_state"})


def test_correction_brings_it_back_and_proves_it(checks: Checks) -> None:
    """Only on hosts where all that was found is allowed; a second check is the verdict, and who did what is kept."""
    for host in ("h1", "h2"):
        (checks.place / host).mkdir(mode=0o755)
    (checks.place / "other").mkdir(mode=0o755)
    other = directory_task(checks.place / "other", name="Other", when="inventory_hostname == 'h2'")
    checks.playbook({"tasks": [directory_task(checks.place / "{{ inventory_hostname }}"), other]})
    checks.policy(correct={"allow": [{"resource": f"{checks.place}/h*"}], "severities": ["medium"]})
    outcome = checks.use("correct")
    assert [one["host"] for one in outcome.of("drift")] == ["h2", "h2"], outcome.text
    assert outcome.code == 2
    assert f"h2: {checks.place}/other: nothing in correct.allow means it" in outcome.text
    modes = {name: (checks.place / name).stat().st_mode & 0o777 for name in ("h1", "h2", "other")}
    assert modes == {"h1": 0o750, "h2": 0o755, "other": 0o755}
    (entry,) = json.loads((checks.state / "history.json").read_text())["corrections"]
    assert (entry["hosts"], [one["verified"] for one in entry["findings"]]) == (["h1"], [True])
    assert "@" in entry["by"]


def test_the_role_writes_a_schedule_that_systemd_and_sh_accept(checks: Checks) -> None:
    """In check mode on a host that has nothing yet; the files are those that would be written, with secrets readable by root only."""
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
    shown = {
        "ansible.builtin.copy": {"content": "{{ drift_check__files | to_json }}", "dest": f"{checks.folder}/files.json"},
        "check_mode": False,
    }
    # the task stands outside the role, and looks for templates beside the playbook
    (checks.folder / "templates").symlink_to(CHECKOUT / "roles" / "drift_check" / "templates")
    checks.playbook({"hosts": "h1", "vars": variables, "roles": [{"role": "steadfast.ec2.drift_check"}], "tasks": [shown]})
    done = checks.play("site.yml", "--check")
    assert done.returncode == 0, done.stdout + done.stderr
    files = {os.path.basename(one["path"]): one for one in json.loads((checks.folder / "files.json").read_text())}
    assert files["environment"]["mode"] == "0600"
    subprocess.run(["sh", "-n"], input=files["check"]["content"], text=True, check=True)
    assert shlex.split(files["check"]["content"].splitlines()[-1])[-1] == "name='two words'"
    assert json.loads(files["policy.json"]["content"]) == {"max_age_hours": 2}
    for name in ("service", "timer"):
        unit = checks.folder / f"steadfast-drift-never-installed.{name}"
        unit.write_text(files[unit.name]["content"])
    program = checks.folder / "check"
    program.write_text(files["check"]["content"])
    program.chmod(0o755)
    service = checks.folder / "steadfast-drift-never-installed.service"
    service.write_text(service.read_text().replace("ExecStart=/etc/steadfast-drift/never-installed/check", f"ExecStart={program}"))
    if shutil.which("systemd-analyze"):
        verified = checks.call("systemd-analyze", "verify", "--man=no", service, service.with_suffix(".timer"))
        assert [line for line in verified.stderr.splitlines() if "never-installed" in line] == []


def test_the_command_runs_through_a_link_and_with_the_python_of_ansible(checks: Checks) -> None:
    """A link in PATH is enough, and bad usage is exit code 1, since 2 means drift."""
    link = checks.folder / "drift"
    link.symlink_to(CHECKOUT / "scripts" / "drift")
    helped = checks.call(link, "--help")
    assert (helped.returncode, "could not tell" in helped.stdout) == (0, True)
    assert checks.call(link, "nonsense").returncode == 1
    assert checks.call(link, "run", STEADFAST_PYTHON="/nowhere/python").returncode == 1
