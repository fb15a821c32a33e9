# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs inside the test machine: the power goes at every change that a run makes, and the machine is not started again for each.

Read with O_DIRECT, a whole disk shows what has reached it and nothing of what is only in memory, as its partitions are cached by
themselves. Two disks are copied so before each system call of a run that changes something, which Python's audit events tell: the volume,
and one that plays the machine's own, with the directory that is moved and /etc/fstab. Afterwards each copy is put back, mounted as a boot
would mount it, and the run is done again.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import re
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.steadfast.ec2.plugins.module_utils.disk.machine import Machine
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.state import Desired
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.reconcile import reconcile

#: linux/fs.h
BLKRRPART, BLKZEROOUT = 0x125F, 0x127F
PIECE, READ = 1 << 16, 1 << 20
HOME, SITE, FSTAB = "/mnt/home", "/mnt/home/site", "/mnt/home/fstab"
#: Owners, modes and times come right with whatever follows them.
CHANGES = ("os.rename", "os.mkdir", "os.rmdir", "os.remove", "shutil.rmtree", "subprocess.Popen")
#: Programs that only read: nothing has changed before them that had not before what follows.
READING = ("blkid", "findmnt", "debugfs", "udevadm", "restorecon")
Image = dict[int, bytes]


@dataclass
class Disk:
    """A disk that is copied and put back, held open, so that udev does not look at it each time."""

    path: str
    handle: int = -1
    size: int = 0
    last: Image = field(default_factory=dict)
    #: sectors written and discarded when it was last looked at
    seen: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.handle = os.open(self.path, os.O_RDWR)
        self.size = os.lseek(self.handle, 0, os.SEEK_END)

    def image(self) -> Image:
        """What has reached the disk, by offset; pieces that did not change are shared with the image before."""
        # Documentation/block/stat.rst: the seventh is sectors written, the fourteenth sectors discarded
        now = tuple(Path(f"/sys/block/{os.path.basename(self.path)}/stat").read_text().split()[6:14:7])
        if self.seen == now:
            return self.last
        self.seen = now
        with mmap.mmap(-1, READ) as buffer:
            handle = os.open(self.path, os.O_RDONLY | os.O_DIRECT)
            image = {}
            for place in range(0, self.size, READ):
                os.preadv(handle, [buffer], place)
                if buffer[:] == _ZEROS:
                    continue
                for inside in range(0, READ, PIECE):
                    piece = buffer[inside : inside + PIECE]
                    if piece != _ZEROS[:PIECE]:
                        last = self.last.get(place + inside, b"")
                        image[place + inside] = last if last == piece else piece
            os.close(handle)
        self.last = image
        return image

    def put(self, image: Image) -> None:
        """The disk holds the image again, and the kernel shows the partitions that are in it."""
        fcntl.ioctl(self.handle, BLKZEROOUT, struct.pack("QQ", 0, self.size))
        for place, piece in image.items():
            os.pwrite(self.handle, piece, place)
        os.fsync(self.handle)
        for _ in range(100):
            try:
                fcntl.ioctl(self.handle, BLKRRPART)
                return
            except OSError:
                time.sleep(0.05)  # udev looks at a partition
        raise AssertionError(f"{self.path}: its partitions stay in use")

    @property
    def partition(self) -> str:
        """Its only one."""
        return f"{self.path}1"


_ZEROS = bytes(READ)


@dataclass
class Recorder:
    """Copies both disks before each change; `early` is what reaches its disk at once, where it might."""

    home: Disk
    volume: Disk
    early: tuple[str, ...]
    on: bool = False
    #: (what comes next, the machine's disk, the volume), each once
    cuts: list[tuple[str, Image, Image]] = field(default_factory=list)

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """An audit hook."""
        written_to = event == "open" and isinstance(arguments[0], str) and re.search("[wax+]", str(arguments[1] or ""))
        if not self.on or not (event in CHANGES or written_to):
            return
        program = arguments[1][0] if event == "subprocess.Popen" else ""
        if program not in READING:
            self.look(f"{event} {' '.join(arguments[1]) if program else arguments[0]}")

    def look(self, next_change: str) -> None:
        """One more cut, if anything has reached a disk since the last one."""
        self.on = False
        if "home" in self.early:
            written(HOME)
        if "volume" in self.early:
            for mounted in _mounted(self.volume):
                written(mounted)
            for node in (self.volume.path, self.volume.partition):
                if os.path.exists(node):
                    handle = os.open(node, os.O_RDONLY)
                    os.fsync(handle)
                    os.close(handle)
        home, volume = self.home.image(), self.volume.image()
        if not self.cuts or (home, volume) != self.cuts[-1][1:]:
            self.cuts.append((next_change, home, volume))
        self.on = True


def written(path: str) -> None:
    """All of the filesystem has reached its disk."""
    handle = os.open(path, os.O_RDONLY)
    ctypes.CDLL(None).syncfs(handle)
    os.close(handle)


def _mounted(disk: Disk) -> list[str]:
    lines = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    return [fields[1] for fields in lines if fields[0] in (disk.path, disk.partition)]


def off(*disks: Disk) -> None:
    """Nothing of them is mounted."""
    for disk in disks:
        for path in reversed(_mounted(disk)):
            done = os.system(f"umount {path}")  # noqa: S605
            assert done == 0, path


@contextmanager
def own_disk(home: Disk, make: Callable[[str], None], shell: Callable[[str], None]) -> Iterator[bytes]:
    """The machine has the directory and /etc/fstab on the disk `home`; the bytes of fstab. Afterwards it is as before."""
    shell(f"umount {home.partition} 2>/dev/null || true; echo start=2048 | sfdisk -q -X gpt {home.path}; udevadm settle")
    shell(f"mkfs.ext4 -q {home.partition}; mkdir -p {HOME}; mount {home.partition} {HOME}")
    make(SITE)
    shell(f"cp -p /etc/fstab {FSTAB}; mv /etc/fstab /etc/fstab.kept; ln -s {FSTAB} /etc/fstab; sync")
    try:
        yield Path("/etc/fstab").read_bytes()
    finally:
        shell(f"mv -f /etc/fstab.kept /etc/fstab; umount {HOME} || true")


def recorded(desired: Desired, kind: Any, recorder: Recorder) -> None:
    """One whole run, with its cuts."""
    sys.addaudithook(recorder)
    recorder.look("nothing yet")
    reconcile(kind(desired, Machine()), False)
    recorder.look("the end")
    recorder.on = False


def booted(recorder: Recorder, home: Image, volume: Image) -> None:
    """The power is back: both disks as they were, mounted as fstab says."""
    off(recorder.volume, recorder.home)
    recorder.home.put(home)
    recorder.volume.put(volume)
    assert os.system(f"mount {recorder.home.partition} {HOME}") == 0  # noqa: S605
    if f" {SITE} " in Path("/etc/fstab").read_text():
        os.system(f"mount {SITE} 2>/dev/null")  # noqa: S605
