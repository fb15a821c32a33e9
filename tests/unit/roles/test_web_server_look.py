# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The first look of role web_server, on processes of this machine: is nginx there, and does it run with what is in its files."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.sandbox import eventually

SCRIPT = Path(__file__).resolve().parents[3] / "roles" / "web_server" / "files" / "look.sh"
HEALTHY = {"ActiveState": "active", "UnitFileState": "enabled", "NeedDaemonReload": "no"}


@dataclass
class Machine:
    """A folder in the place of the root, with a process that has a child in the place of nginx."""

    root: Path
    master: int

    def write(self, path: str, age: float) -> None:
        """A file that was written so many seconds ago."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            file.touch(0o755)
        os.utime(file, (time.time() - age,) * 2)

    def look(self, **properties: str) -> tuple[bool, bool]:
        """Whether all is there, and whether nginx is older than its configuration; `properties` as systemd tells them."""
        told = {**HEALTHY, "MainPID": str(self.master), **properties}
        (self.root / "systemctl").write_text("#!/bin/sh\n" + "".join(f"echo {name}={value}\n" for name, value in told.items()))
        (self.root / "systemctl").chmod(0o755)
        script = SCRIPT.read_text().replace("/usr/sbin/", f"{self.root}/usr/sbin/").replace("/etc/nginx/", f"{self.root}/etc/nginx/")
        environment = {**os.environ, "PATH": f"{self.root}:{os.environ['PATH']}"}
        done = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, check=False)
        assert done.stderr == ""
        return done.returncode == 0, "stale" in done.stdout.splitlines()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """nginx is installed, and its worker has just begun."""
    with subprocess.Popen(["sh", "-c", "sleep 60 & echo; wait"], stdout=subprocess.PIPE, start_new_session=True) as master:
        children = Path(f"/proc/{master.pid}/task/{master.pid}/children")
        eventually(children.read_text)
        one = Machine(tmp_path, master.pid)
        one.write("/usr/sbin/nginx", 100)
        (tmp_path / "etc/nginx/sites-enabled").mkdir(parents=True)
        one.write("/etc/nginx/sites-enabled", 100)
        yield one
        os.killpg(master.pid, 9)


def test_what_was_written_before_the_worker_began_is_in_force(machine: Machine) -> None:
    """Nothing to do."""
    machine.write("/etc/nginx/conf.d/steadfast.conf", 100)
    assert machine.look() == (True, False)


@pytest.mark.parametrize("path", ["/etc/nginx/conf.d/steadfast.conf", "/etc/nginx/sites-enabled"])
def test_what_was_written_after_the_worker_began_is_not_in_force(machine: Machine, path: str) -> None:
    """The sites, or that one of others was taken away."""
    machine.write("/etc/nginx/conf.d/steadfast.conf", 100)
    machine.write(path, -100)
    assert machine.look() == (True, True)


@pytest.mark.parametrize("name", HEALTHY)
def test_a_service_that_is_not_as_it_should_be_is_told(machine: Machine, name: str) -> None:
    """Stopped, not enabled, or with a drop-in that systemd has not read."""
    assert machine.look(**{name: "other"}) == (False, False)


def test_a_machine_without_nginx_is_told(machine: Machine) -> None:
    """Before the first run, and without a word on standard error."""
    (machine.root / "usr/sbin/nginx").unlink()
    assert machine.look() == (False, False)


def test_nothing_is_said_where_the_workers_cannot_be_seen(machine: Machine) -> None:
    """What cannot be known must not be a change in every run."""
    machine.master = 0
    machine.write("/etc/nginx/conf.d/steadfast.conf", -100)
    assert machine.look() == (True, False)
