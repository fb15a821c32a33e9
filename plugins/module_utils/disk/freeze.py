# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A filesystem that stands still for a bounded time, whoever dies meanwhile.

The kernel keeps a freeze when the process that asked for it is gone. So a process of its own, the keeper, asks for it: it
thaws when it is told, when it is signalled, and when the time is over. Runs speak with it over a socket; where nobody listens,
nothing of ours is frozen.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import socket
import time
from dataclasses import dataclass
from typing import Any, Callable, Optional

from ..engine.errors import Busy, CommandFailed
from .machine import Machine

#: _IOWR('X', 119, int) and _IOWR('X', 120, int) of linux/fs.h; the same on x86 and ARM
FIFREEZE, FITHAW = 0xC0045877, 0xC0045878
#: Sockets of keepers, and marks of those whose time was over; in memory, and only for root.
PLACE = "/run/steadfast-disk/frozen"
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

Ioctl = Callable[[int, int, int], Any]


@dataclass(frozen=True)
class Keeper:
    """The keeper of the filesystem with device `number` (`254:17`), whether it is there or not."""

    machine: Machine
    number: str
    ioctl: Ioctl = fcntl.ioctl
    #: seconds to wait for its answer
    patience: float = 10

    @property
    def address(self) -> str:
        """Its socket."""
        return self.machine.at(f"{PLACE}/{self.number.replace(':', '-')}")

    @property
    def mark(self) -> str:
        """What it leaves behind when it has thawed without being told to."""
        return f"{self.address}.over"

    def left(self) -> Optional[float]:
        """The seconds that it will still hold the freeze; None where it is not there."""
        answer = self._ask("left")
        return float(answer) if answer else None

    def renew(self, seconds: float) -> None:
        """It holds the freeze for so many seconds from now."""
        if not self._ask(f"hold {seconds}"):
            raise Busy("was thawed in this moment", resource=self.number, do="Run again.")

    def thaw(self) -> None:
        """The filesystem is thawed and the keeper gone; fine where it is not there."""
        self._ask("thaw")

    def expired(self) -> bool:
        """Whether the last freeze ended without being told to."""
        return os.path.exists(self.mark)

    def forget(self) -> None:
        """The last freeze is no longer spoken of."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.mark)

    def freeze(self, path: str, seconds: float) -> None:
        """The filesystem at `path` is frozen, for `seconds` at most, whatever happens to this process.

        Raises Busy where somebody else has frozen it, CommandFailed where it cannot be frozen.
        """
        os.makedirs(os.path.dirname(self.address), mode=0o700, exist_ok=True)
        self.forget()
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            # The keeper is nobody's child: whoever started the run waits for its children.
            with _ending():
                os.setsid()
                if os.fork() == 0:
                    _Loop(self, path, time.monotonic() + seconds).run(writer)
        os.close(writer)
        os.waitpid(child, 0)
        with open(reader, encoding="utf-8") as pipe:
            said = pipe.read()
        if said == "frozen":
            return
        if said == os.strerror(errno.EBUSY):
            raise Busy("is frozen already, by somebody else", resource=path, do=f"Thaw it (fsfreeze -u {path}), or wait.")
        raise CommandFailed(f"cannot be frozen: {said or 'its keeper ended'}", resource=path, operation="FIFREEZE")

    def _ask(self, words: str) -> str:
        """The keeper's answer; "" where nobody listens."""
        with socket.socket(socket.AF_UNIX) as line:
            # It answers at once, unless it is just freezing.
            line.settimeout(self.patience)
            try:
                line.connect(self.address)
                line.sendall(words.encode())
                return line.recv(100).decode()
            except (FileNotFoundError, ConnectionError):
                return ""
            except socket.timeout as error:  # noqa: UP041 -- an alias of TimeoutError only since Python 3.10
                do = "What is in memory may take long to be written. Run again."
                raise Busy("is being frozen at this moment", resource=self.number, do=do) from error


@contextlib.contextmanager
def _ending() -> Any:
    """A forked process that never comes back to what its parent was doing."""
    try:
        yield
    finally:
        os._exit(0)


class _Over(Exception):
    """A signal came."""


class _Loop:
    """What the keeper does."""

    def __init__(self, keeper: Keeper, path: str, end: float) -> None:
        self.keeper = keeper
        self.path = path
        self.end = end

    def run(self, writer: int) -> None:
        """Freeze, say so on `writer`, and thaw in any case."""
        _alone(writer)
        for number in _SIGNALS:
            signal.signal(number, _over)
        try:
            handle = os.open(self.keeper.machine.at(self.path), os.O_RDONLY | os.O_DIRECTORY)
            with socket.socket(socket.AF_UNIX) as listening:
                self._listen(listening)
                # A signal that comes between the freeze and the wait for its end is heard when it is waited for.
                signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
                self.keeper.ioctl(handle, FIFREEZE, 0)
                self._leave(self._held(listening, handle, writer))
        except OSError as error:
            with contextlib.suppress(OSError):
                os.write(writer, os.strerror(error.errno or 0).encode())

    def _held(self, listening: socket.socket, handle: int, writer: int) -> Optional[socket.socket]:
        """Say that it is frozen, wait until told, and thaw in any case."""
        told = None
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            os.write(writer, b"frozen")
            os.close(writer)
            told = self._until_told(listening)
        except _Over:
            pass
        finally:
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_IGN)
            if told is None:
                # Before it thaws: whoever waited for that finds the mark.
                with contextlib.suppress(OSError), open(self.keeper.mark, "w", encoding="utf-8"):
                    pass
            self.keeper.ioctl(handle, FITHAW, 0)
        return told

    def _listen(self, listening: socket.socket) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.keeper.address)
        listening.bind(self.keeper.address)
        listening.listen(4)

    def _until_told(self, listening: socket.socket) -> Optional[socket.socket]:
        """Answer until told to thaw, and return who told; None when the time is over."""
        while time.monotonic() < self.end:
            listening.settimeout(max(self.end - time.monotonic(), 0.001))
            with contextlib.suppress(OSError):
                line, _address = listening.accept()
                line.settimeout(1)
                words = line.recv(100).decode().split()
                if words == ["thaw"]:
                    return line
                if words[:1] == ["hold"]:
                    self.end = time.monotonic() + float(words[1])
                line.sendall(f"{max(self.end - time.monotonic(), 0):.1f}".encode())
                line.close()
        return None

    def _leave(self, told: Optional[socket.socket]) -> None:
        os.unlink(self.keeper.address)
        # The answer comes last: whoever asked finds nothing left.
        if told is not None:
            told.sendall(b"thawed")


def _over(_number: int, _frame: Any) -> None:
    raise _Over


def _alone(writer: int) -> None:
    """Nothing of the run is kept open, so nobody waits for us; and the kernel looks elsewhere when memory runs out."""
    os.chdir("/")
    null = os.open("/dev/null", os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    os.closerange(3, writer)
    os.closerange(writer + 1, 1 << 16)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("-1000")
