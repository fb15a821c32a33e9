# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Telling one's own processes from strangers that got the same number, and ending them."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import List


@dataclass(frozen=True)
class Identity:
    """A process for good: its number and when it started, in clock ticks since boot."""

    pid: int
    started: int


def identity_of(pid: int) -> Identity:
    """The identity of a running process."""
    return Identity(pid, _stat(pid)[1])


def is_running(process: Identity) -> bool:
    """Whether this very process still runs; a zombie does not."""
    try:
        state, started = _stat(process.pid)
    except OSError:
        return False
    return started == process.started and state not in "ZX"


def end(process: Identity, patience: float = 10.0) -> bool:
    """Ask the process to end, then make it; whether it is gone."""
    for sign, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, 5.0)):
        if not is_running(process):
            return True
        try:
            os.kill(process.pid, sign)
        except ProcessLookupError:
            return True
        deadline = time.monotonic() + seconds
        while is_running(process) and time.monotonic() < deadline:
            time.sleep(0.05)
    return not is_running(process)


def machines_below(directory: Path) -> List[Identity]:
    """QEMU processes that work on files below `directory`: they belong to the sandbox that lives there."""
    found = []
    inside = f"{directory.resolve()}{os.sep}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().split(b"\0")
            if b"qemu" in command[0] and any(inside in word for word in command[1:]):
                found.append(identity_of(int(entry.name)))
        except OSError:
            continue
    return found


def _stat(pid: int) -> "tuple[str, int]":
    """State letter and start time; fields 3 and 22 of /proc/pid/stat, counted after the name in brackets."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rsplit(")", 1)[1].split()
    return fields[0], int(fields[19])
