# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Up and down work from every state, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from sandbox.processes import is_running
from sandbox.record import Record
from tests.support.sandbox import CHECKOUT, eventually, free_port


def command(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One sandbox command."""
    argv = [sys.executable, "-m", "sandbox", "--dir", str(directory), *arguments]
    return subprocess.run(argv, cwd=CHECKOUT, capture_output=True, text=True, check=False)


def test_a_second_up_finds_the_first_and_down_leaves_nothing(tmp_path: Path) -> None:
    """The directory is gone, the port is free, the process has ended."""
    directory, port = tmp_path / "state", free_port()
    first = command(directory, "up", "--api-only", "--port", str(port))
    assert f"export AWS_ENDPOINT_URL=http://127.0.0.1:{port}" in first.stdout
    record = Record.read(directory / "server.json")
    assert record is not None
    again = command(directory, "up", "--api-only", "--port", str(free_port()))
    assert (again.returncode, "already running" in again.stderr) == (0, True)
    with_machines = command(directory, "up")
    assert with_machines.returncode == 1
    assert "without machines" in with_machines.stderr
    assert command(directory, "down").returncode == 0
    assert not directory.exists()
    assert not is_running(record.process)
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
    assert command(directory, "down").returncode == 0


def test_after_a_killed_server_everything_works_again(tmp_path: Path) -> None:
    """status says that nothing runs, up starts anew, down cleans."""
    directory, port = tmp_path / "state", str(free_port())
    command(directory, "up", "--api-only", "--port", port)
    record = Record.read(directory / "server.json")
    assert record is not None
    os.kill(record.process.pid, signal.SIGKILL)
    eventually(lambda: not is_running(record.process))
    status = command(directory, "status")
    assert (status.returncode, "no sandbox runs" in status.stderr) == (1, True)
    assert command(directory, "up", "--api-only", "--port", port).returncode == 0
    assert "API only" in command(directory, "status").stdout
    assert command(directory, "down").returncode == 0
    assert not directory.exists()


def test_a_taken_port_is_said_before_anything_is_started(tmp_path: Path) -> None:
    """With what to do."""
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = command(tmp_path / "state", "up", "--api-only", "--port", str(port))
    assert done.returncode == 1
    assert f"port {port} is taken" in done.stderr
    assert "--port N" in done.stderr


def test_commands_without_a_sandbox_say_so(tmp_path: Path) -> None:
    """No traceback."""
    for arguments in (["status"], ["ssh", "web"], ["console", "web"], ["faults"]):
        done = command(tmp_path / "state", *arguments)
        assert done.returncode == 1
        assert done.stderr.startswith("sandbox: no sandbox runs in")
    assert command(tmp_path / "state", "logs").stderr.startswith("sandbox: no log at")
