# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A module of the machine says the same whether our own program runs it there or Ansible's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.cores import NEWEST, OLDEST, Core, core

ROOT = Path(__file__).resolve().parents[2]
MISSING = {"steadfast.ec2.disk": {"device": "/dev/nowhere", "path": "/srv/data", "timeout": 0}}
#: What differs from run to run, or tells of the job in the background.
PASSING = {"exception", "ansible_job_id", "results_file", "started", "finished", "_ansible_parsed", "failed_when_result"}
HERE = Core(Path(sys.executable), "")
#: Notes each program of ours that it is given.
PYTHON = """#!/bin/sh
case "$1" in *AnsiballZ_*) grep -l '<on_machine>' "$1" >>"{log}" ;; esac
exec /usr/bin/python3 "$@"
"""


def tasks(directory: Path) -> list[dict[str, Any]]:
    """Results and errors, in check mode, in the background, and with an environment."""
    config = {"files": [{"path": f"{directory}/etc/site.conf", "content": "return 301 https://$host;\n"}]}
    (directory / "etc").mkdir(exist_ok=True)
    return [
        {"steadfast.ec2.disk_info": {}},
        MISSING,
        {**MISSING, "check_mode": True},
        {**MISSING, "async": 30, "poll": 1},
        {**MISSING, "environment": {"LC_ALL": "C.UTF-8"}},
        {"steadfast.ec2.disk": {"path": "/srv/data"}},
        {"steadfast.ec2.config_files": config, "check_mode": True, "diff": True},
        {"steadfast.ec2.site_release": {"path": str(directory / "site"), "checksum": "0" * 64}},
        {"steadfast.ec2.disk_freeze": {"paths": ["/nowhere"], "state": "frozen"}},
    ]


def results(version: Core, directory: Path, **settings: str) -> list[dict[str, Any]]:
    """What each task comes to on this machine, with these settings of Ansible."""
    out, book = directory / "results.json", directory / "book.yml"
    steps = [{**task, "register": f"r{number}", "ignore_errors": True} for number, task in enumerate(tasks(directory))]
    names = ", ".join(f"r{number}" for number in range(len(steps)))
    keep = {"ansible.builtin.copy": {"dest": str(out), "content": f"{{{{ [{names}] | to_json }}}}"}}
    book.write_text(yaml.safe_dump([{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [*steps, keep]}]))
    (directory / "collections" / "ansible_collections" / "steadfast").mkdir(parents=True, exist_ok=True)
    link = directory / "collections" / "ansible_collections" / "steadfast" / "ec2"
    if not link.exists():
        link.symlink_to(ROOT)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
        "HOME": str(directory),
        "ANSIBLE_REMOTE_TMP": str(directory / "sent"),
        "ANSIBLE_ASYNC_DIR": str(directory / "jobs"),
        "PYTHONPATH": version.path,
        "ANSIBLE_COLLECTIONS_PATH": str(directory / "collections"),
        **settings,
    }
    python = directory / "python"
    python.write_text(PYTHON.format(log=directory / "ours"))
    python.chmod(0o755)
    program = "import sys; from ansible.cli.playbook import main; sys.exit(main(sys.argv))"
    command = [version.python, "-c", program, "-i", "localhost,", "-e", f"ansible_python_interpreter={python}", book]
    done = subprocess.run(command, env=environment, cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return [{key: value for key, value in one.items() if key not in PASSING} for one in json.loads(out.read_text())]


@pytest.mark.parametrize("requirement", ["", pytest.param(OLDEST, marks=pytest.mark.long), pytest.param(NEWEST, marks=pytest.mark.long)])
def test_both_ways_come_to_the_same(requirement: str, tmp_path: Path) -> None:
    """Results, errors, diffs and invocations; files are kept only on Ansible's own way, which that setting asks for."""
    version = core(requirement) if requirement else HERE
    ours = results(version, tmp_path)
    log = tmp_path / "ours"
    ran = {Path(line).stem.removeprefix("AnsiballZ_") for line in log.read_text().splitlines()}
    assert ran == {"disk", "disk_info", "disk_freeze", "config_files", "site_release"}
    log.unlink()
    theirs = results(version, tmp_path, ANSIBLE_KEEP_REMOTE_FILES="1")
    assert log.read_text() == ""
    assert [one.get("error", {}).get("code") for one in ours[1:5]] == ["NotFound"] * 4
    # of a disk in use, only what it is called stays while somebody looks
    names = [(sorted(found[0]), [one["device"] for one in found[0]["disks"]]) for found in (ours, theirs)]
    assert names[0] == names[1]
    assert ours[1:] == theirs[1:]
