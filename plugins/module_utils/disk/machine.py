# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one door to the machine: programs, files under a root, and the clock. Tests give their own."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from typing import Any, Callable, Sequence, Tuple

from ..engine.errors import CommandFailed, NotFound

#: (argv, standard input) -> (exit code, output, error output)
Command = Callable[[Sequence[str], str], Tuple[int, str, str]]

#: The package that brings a program, as Debian / RedHat call it, where its name does not tell.
PACKAGES = {
    "sfdisk": "fdisk / util-linux",
    "mkfs.ext4": "e2fsprogs",
    "resize2fs": "e2fsprogs",
    "debugfs": "e2fsprogs",
    "e2fsck": "e2fsprogs",
    "tune2fs": "e2fsprogs",
    "e2label": "e2fsprogs",
    "mkfs.xfs": "xfsprogs",
    "xfs_growfs": "xfsprogs",
    "xfs_info": "xfsprogs",
    "xfs_admin": "xfsprogs",
    "xfs_io": "xfsprogs",
    "restorecon": "policycoreutils",
    "udevadm": "udev / systemd-udev",
}


def command(argv: Sequence[str], text: str = "") -> Tuple[int, str, str]:
    """Run a program in the C locale; its exit code and what it said."""
    places = os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin:/bin"
    environment = {**os.environ, "LC_ALL": "C", "PATH": places}
    done = subprocess.run(list(argv), input=text.encode(), env=environment, capture_output=True, check=False)
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def _identify(path: str) -> bytes:
    from . import nvme

    return nvme.identify(path)


def missing(program: str) -> NotFound:
    """The error for a program that is not installed."""
    package = PACKAGES.get(program, "util-linux")
    return NotFound("the program is not installed", resource=program, do=f"Install the package {package}.")


@dataclass(frozen=True)
class Machine:
    """What the disk code may use of the machine it runs on."""

    command: Command = command
    root: str = "/"
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    #: what an NVMe controller says of itself, by the path of its disk
    identify: Callable[[str], bytes] = _identify

    def at(self, path: str) -> str:
        """The absolute `path` under the root."""
        return os.path.join(self.root, path.lstrip("/")) if self.root != "/" else path

    def real(self, path: str) -> str:
        """The path inside the root behind all symbolic links of `path`."""
        real = os.path.realpath(self.at(path))
        return real if self.root == "/" else "/" + os.path.relpath(real, os.path.realpath(self.root))

    def run(self, *argv: str, text: str = "", ok: Sequence[int] = (0,)) -> Tuple[int, str]:
        """Run a program; its exit code and output. Any exit code but those in `ok` is a CommandFailed."""
        try:
            code, output, errors = self.command(argv, text)
        except FileNotFoundError as error:
            raise missing(argv[0]) from error
        if code not in ok:
            raise CommandFailed(
                f"ended with exit code {code}: {(errors or output).strip()}",
                resource=" ".join(argv),
                operation=argv[0],
            )
        return code, output

    def text(self, path: str) -> str:
        """What stands in a small file, stripped; "" where it is not there."""
        try:
            with open(self.at(path), encoding="utf-8", errors="replace") as file:
                return file.read().strip()
        except OSError:
            return ""

    def bytes_at(self, path: str, offset: int, length: int) -> bytes:
        """What stands on a device; a device that cannot be read is a CommandFailed, and never empty."""
        try:
            with open(self.at(path), "rb") as device:
                device.seek(offset)
                return device.read(length)
        except OSError as error:
            do = "See the kernel's messages (dmesg): is the volume still attached, and healthy?"
            raise CommandFailed(f"cannot be read: {error.strerror}", resource=path, operation="read", do=do) from error

    def names(self, path: str) -> Tuple[str, ...]:
        """The entries of a directory, sorted; none where it is not there."""
        try:
            return tuple(sorted(os.listdir(self.at(path))))
        except OSError:
            return ()

    def wait(self, ready: Callable[[], Any], seconds: float) -> Any:
        """The first true answer of `ready` within `seconds`, or its last one; asked often at first, as udev mostly needs no longer."""
        end, pause = self.clock() + seconds, 0.02
        while True:
            answer = ready()
            if answer or self.clock() >= end:
                return answer
            self.sleep(pause)
            pause = min(1.5 * pause, 0.25)
