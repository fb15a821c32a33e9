# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Bringing a sandbox up and down, whatever state the last one left behind."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import closing
from typing import Callable, List

from sandbox.client import ask
from sandbox.processes import Identity, end, identity_of, machines_below
from sandbox.record import Record
from sandbox.settings import CHECKOUT, Settings
from sandbox.trouble import SandboxError

Tell = Callable[[str], None]
#: Seconds for the server to answer; importing moto on a slow machine takes most of it.
START_TIMEOUT = 90.0


def up(settings: Settings, tell: Tell) -> Record:
    """A running sandbox for these settings: the one that is there, or a new one."""
    record = Record.read(settings.record)
    if record and record.alive:
        if record.api_only != settings.api_only:
            kind = "without machines (--api-only)" if record.api_only else "with machines"
            raise SandboxError(f"a sandbox {kind} already runs in {settings.directory}; end it with `down` first")
        tell(f"already running at {record.endpoint}")
        return record
    leftovers = clean(settings)
    for line in leftovers:
        tell(f"left over from a sandbox that did not end properly: {line}")
    if not _port_is_free(settings.port):
        raise SandboxError(f"port {settings.port} is taken by another program; choose one with --port N, or end that program")
    if not settings.api_only:
        from sandbox.real import prepare

        prepare(settings, tell)
    settings.directory.mkdir(parents=True, exist_ok=True)
    return _start(settings)


def down(settings: Settings, tell: Tell) -> None:
    """End the sandbox and remove what it made. Fine if there is none."""
    record = Record.read(settings.record)
    if record and record.alive:
        tell(f"stopping {record.endpoint}")
        if not end(record.process, patience=30.0):
            raise SandboxError(f"process {record.process.pid} does not end; look at {settings.log}")
    for machine in end_machines(settings):
        tell(machine)
    if settings.directory.exists():
        shutil.rmtree(settings.directory)


def end_machines(settings: Settings) -> List[str]:
    """End machines that have no server any more; says which."""
    machines = machines_below(settings.directory)
    for machine in machines:
        end(machine, patience=1.0)
    return [f"ended machine process {machine.pid}" for machine in machines]


def clean(settings: Settings) -> List[str]:
    """End machines without a server and remove their files; says what was done. The log stays."""
    done = end_machines(settings)
    for path in (settings.machines, settings.volumes, settings.snapshots):
        if path.exists():
            shutil.rmtree(path)
            done.append(f"removed {path}")
    settings.record.unlink(missing_ok=True)
    return done


def _start(settings: Settings) -> Record:
    command = [sys.executable, "-m", "sandbox", "--dir", str(settings.directory), "serve"]
    command += ["--port", str(settings.port), "--pace", str(settings.pace)]
    command += ["--api-only"] if settings.api_only else []
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    with settings.log.open("ab") as log:
        server = subprocess.Popen(
            command,
            cwd=CHECKOUT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    me: Identity = identity_of(server.pid)
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise SandboxError(f"the sandbox ended while starting:\n{_tail(settings)}")
        record = Record.read(settings.record)
        if record and record.process == me:
            ask(record.endpoint, "status")
            return record
        time.sleep(0.05)
    end(me)
    raise SandboxError(f"the sandbox did not answer within {START_TIMEOUT:.0f} s:\n{_tail(settings)}")


def _tail(settings: Settings, lines: int = 15) -> str:
    try:
        return "\n".join(settings.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


def _port_is_free(port: int) -> bool:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
