# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Only one's own processes are ended."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from sandbox.processes import Identity, end, identity_of, is_running, machines_below


def sleeper() -> subprocess.Popen[bytes]:
    """A process that does nothing for a while."""
    return subprocess.Popen(["sleep", "60"])


def test_a_number_that_belongs_to_another_process_now_is_not_ours() -> None:
    """Start times are compared, since numbers come round again."""
    me = identity_of(os.getpid())
    assert is_running(me)
    assert not is_running(Identity(me.pid, me.started - 1))


def test_ending_a_stranger_does_nothing() -> None:
    """A stale record must not cost somebody his process."""
    with sleeper() as process:
        real = identity_of(process.pid)
        assert end(Identity(real.pid, real.started + 1))
        assert is_running(real)
        assert end(real)
        process.wait()


def test_a_process_that_ignores_the_request_is_made_to_end() -> None:
    """SIGKILL after the patience is over."""
    command = ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        assert end(identity_of(process.pid), patience=0.2)
        process.wait()


def test_machines_are_known_by_the_directory_they_work_in(tmp_path: Path) -> None:
    """Neither machines of other directories nor other programs that name this one."""
    # the shell reads by itself: a child of it would have its arguments until it is another program
    ours = ["-c", "read line", str(tmp_path / "volumes" / "x")]
    with (
        subprocess.Popen(["qemu-of-ours", *ours], executable="/bin/sh", stdin=subprocess.PIPE) as machine,
        subprocess.Popen(["qemu-of-others", "-c", "read line", "/nonexistent/x"], executable="/bin/sh", stdin=subprocess.PIPE) as other,
        subprocess.Popen(["editor", *ours], executable="/bin/sh", stdin=subprocess.PIPE) as editor,
    ):
        try:
            assert [found.pid for found in machines_below(tmp_path)] == [machine.pid]
        finally:
            for process in (machine, other, editor):
                process.kill()
