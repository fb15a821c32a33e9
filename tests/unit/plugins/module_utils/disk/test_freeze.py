# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A freeze ends, whoever dies; and a snapshot that may not be whole is never taken for one that is. Only the kernel's part is played."""

from __future__ import annotations

import errno
import os
import signal
import socket
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.freeze import FIFREEZE, Keeper
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.freeze_definition import declared
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.freeze_target import FreezeTarget
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.machine import Machine
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import (
    Busy,
    CommandFailed,
    InvalidInput,
    NotFound,
    Refused,
    TimedOut,
)
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.reconcile import reconcile

# The keeper is forked, and goes on with nothing but the standard library; the threads of a test runner do not matter to it.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
ONE, TWO = "254:17", "254:33"


@dataclass
class Kernel:
    """A machine with two mounted volumes, whose freezes stand in a file."""

    root: Path
    synced: list[str] = field(default_factory=list)
    #: path of a volume → the error of its freeze
    refuses: dict[str, int] = field(default_factory=dict)
    #: whether whoever freezes is told to end while it does
    interrupts: bool = False

    @property
    def machine(self) -> Machine:
        return Machine(self.command, str(self.root))

    def command(self, argv: object, _text: str = "") -> tuple[int, str, str]:
        self.synced.append(" ".join(argv))  # type: ignore[call-overload]
        return 0, "", ""

    def ioctl(self, handle: int, request: int, _argument: int) -> None:
        name = os.path.basename(os.readlink(f"/proc/self/fd/{handle}"))
        if request == FIFREEZE and name in self.refuses:
            raise OSError(self.refuses[name], "")
        with (self.root / "freezes").open("a") as file:
            file.write(f"{'freeze' if request == FIFREEZE else 'thaw'} {name}\n")
        if request == FIFREEZE and self.interrupts:
            os.kill(os.getpid(), signal.SIGTERM)

    @property
    def freezes(self) -> list[str]:
        return (self.root / "freezes").read_text().splitlines()

    def keeper(self, number: str = ONE) -> Keeper:
        return Keeper(self.machine, number, self.ioctl)

    def target(self, state: str, *paths: str, seconds: int = 60) -> FreezeTarget:
        kernel = self

        class Played(FreezeTarget):
            def keeper(self, number: str) -> Keeper:
                return kernel.keeper(number)

        return Played([*paths] or ["/srv/one"], state, seconds, self.machine)


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    """In a directory with a short name: that of a socket has at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="freeze-") as name:
        kernel = Kernel(Path(name).resolve())
        for path in ("srv/one", "srv/two", "proc/self"):
            (kernel.root / path).mkdir(parents=True)
        lines = [f"60 26 {number} / /srv/{name} rw - ext4 /dev/vdb1 rw\n" for name, number in (("one", ONE), ("two", TWO))]
        (kernel.root / "proc/self/mountinfo").write_text("".join(lines))
        yield kernel
        for number in (ONE, TWO):
            kernel.keeper(number).thaw()


def comes_true(condition: Callable[[], bool]) -> bool:
    """Whether it holds soon."""
    for _ in range(500):
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_what_is_frozen_stands_still_until_it_is_thawed(kernel: Kernel) -> None:
    """Written out first; each state once; check mode does nothing."""
    assert reconcile(kernel.target("frozen"), True).plan.changed
    assert not kernel.synced
    assert reconcile(kernel.target("frozen"), False).plan.changed
    assert kernel.synced == ["sync -f /srv/one"]
    assert kernel.freezes == ["freeze one"]
    assert not reconcile(kernel.target("frozen"), False).plan.changed
    assert 0 < (kernel.keeper().left() or 0) <= 60
    assert reconcile(kernel.target("thawed"), False).plan.changed
    assert not reconcile(kernel.target("thawed"), False).plan.changed
    assert kernel.freezes == ["freeze one", "thaw one"]


def test_it_thaws_by_itself_and_the_run_that_comes_too_late_fails(kernel: Kernel) -> None:
    """Once: the next one begins anew."""
    kernel.keeper().freeze("/srv/one", 0.05)
    assert comes_true(lambda: kernel.keeper().left() is None)
    assert kernel.freezes == ["freeze one", "thaw one"]
    with pytest.raises(TimedOut, match="Take the snapshot again"):
        reconcile(kernel.target("thawed"), False)
    assert not reconcile(kernel.target("thawed"), False).plan.changed


def test_it_outlives_the_run_that_asked_for_it(kernel: Kernel) -> None:
    """The run is killed; the freeze holds, and is thawed by the next one."""
    child = os.fork()
    if child == 0:
        reconcile(kernel.target("frozen"), False)
        os.kill(os.getpid(), signal.SIGKILL)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert kernel.freezes == ["freeze one"]
    assert reconcile(kernel.target("thawed"), False).plan.changed
    assert kernel.freezes == ["freeze one", "thaw one"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_thaws(kernel: Kernel, number: signal.Signals) -> None:
    """As when the machine is shut down, which would wait for a frozen filesystem; nobody takes it for a whole freeze."""
    kernel.keeper().freeze("/srv/one", 60)
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(kernel.keeper().address)
        pid = struct.unpack("3i", line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
        line.sendall(b"left")
        line.recv(100)
    os.kill(pid, number)
    assert comes_true(lambda: kernel.keeper().left() is None)
    assert kernel.freezes == ["freeze one", "thaw one"]
    assert kernel.keeper().expired()


def test_a_signal_in_the_moment_of_the_freeze_thaws(kernel: Kernel) -> None:
    """The filesystem does not stay frozen, and nobody is told that it is."""
    kernel.interrupts = True
    with pytest.raises(CommandFailed, match="keeper ended"):
        kernel.keeper().freeze("/srv/one", 60)
    assert comes_true(lambda: kernel.freezes == ["freeze one", "thaw one"])


def test_a_freeze_that_takes_long_is_no_riddle(kernel: Kernel) -> None:
    """While the kernel still writes, the keeper does not answer."""
    keeper = replace(kernel.keeper(), patience=0.05)
    Path(keeper.address).parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(keeper.address)
        silent.listen(1)
        with pytest.raises(Busy, match="being frozen at this moment"):
            keeper.left()


def test_half_of_the_time_is_renewed(kernel: Kernel) -> None:
    """A run that goes on where another one was killed has its whole time."""
    kernel.keeper().freeze("/srv/one", 20)
    assert reconcile(kernel.target("frozen", seconds=60), False).plan.changed
    assert (kernel.keeper().left() or 0) > 30
    assert kernel.freezes == ["freeze one"]


def test_all_are_frozen_or_none(kernel: Kernel) -> None:
    """Where the second one cannot be, the first one goes on."""
    kernel.refuses["two"] = errno.EOPNOTSUPP
    with pytest.raises(CommandFailed, match=r"/srv/two: cannot be frozen: Operation not supported"):
        reconcile(kernel.target("frozen", "/srv/one", "/srv/two"), False)
    assert kernel.freezes == ["freeze one", "thaw one"]


def test_the_freeze_of_somebody_else_is_left_to_them(kernel: Kernel) -> None:
    """It is an error, and is not ended."""
    kernel.refuses["one"] = errno.EBUSY
    with pytest.raises(Busy, match="by somebody else"):
        reconcile(kernel.target("frozen"), False)
    assert not (kernel.root / "freezes").exists()


def test_what_must_not_stand_still_is_refused(kernel: Kernel) -> None:
    """A directory that is no mount point, and the filesystem that a login needs."""
    with pytest.raises(NotFound, match="nothing is mounted there"):
        reconcile(kernel.target("frozen", "/srv"), False)
    found = os.stat(kernel.root).st_dev
    line = f"26 1 {os.major(found)}:{os.minor(found)} / /srv/root rw - ext4 /dev/vda1 rw\n"
    (kernel.root / "proc/self/mountinfo").write_text(line)
    with pytest.raises(Refused, match="the machine itself lives on it"):
        reconcile(kernel.target("frozen", "/srv/root"), False)


@pytest.mark.parametrize("wrong", [{"seconds": 0}, {"seconds": 4000}, {"paths": ["srv"]}])
def test_a_declaration_that_cannot_be_meant_is_refused(wrong: dict[str, object]) -> None:
    """Before anything is looked at."""
    with pytest.raises(InvalidInput):
        declared({"paths": ["/srv/one"], "state": "frozen", "seconds": 60, **wrong})
