# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Disk files: sparse raw files for volumes, qcow2 overlays for root disks, and copies of both.

Whoever copies a disk that a machine is using pauses the machine first (`Machine.paused`).
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, List

from sandbox.trouble import DiskError

#: The ioctl that shares the blocks of a file with a copy of it (btrfs, xfs).
FICLONE = 0x40049409
QCOW2_MAGIC = b"QFI\xfb"


def create(path: Path, size: int) -> None:
    """A blank volume: a sparse file that takes no space until something is written."""
    with _new(path) as temporary, temporary.open("wb") as file:
        file.truncate(size)


def overlay(base: Path, path: Path, size: int) -> None:
    """A root disk that starts as `base`, which it must not outlive, and keeps only what is written to it."""
    if size < (least := virtual_size(base)):
        raise DiskError(f"a root disk of {size} bytes is smaller than its image, which has {least}. Ask for at least that.")
    with _new(path) as temporary:
        options = ["-f", "qcow2", "-b", str(base.absolute()), "-F", disk_format(base)]
        _qemu_img("create", "-q", *options, str(temporary), str(size))


def copy(source: Path, path: Path) -> None:
    """A raw volume with the content of `source` (raw or overlay): shared blocks where possible, holes kept."""
    with _new(path) as temporary:
        if disk_format(source) == "raw":
            _copy_raw(source, temporary)
        else:
            # -U: the machine that has it open is paused; -S: holes also where the source has written zeroes
            _qemu_img("convert", "-U", "-O", "raw", "-S", "64k", str(source), str(temporary))


def grow(path: Path, size: int) -> None:
    """Make a disk larger that no machine is using. There is no way back, and smaller is refused."""
    refuse_shrinking(path, size)
    with _clear_errors(path):
        if disk_format(path) == "raw":
            os.truncate(path, size)
        else:
            _qemu_img("resize", "-q", str(path), str(size))


def refuse_shrinking(path: Path, size: int) -> None:
    """Raise unless `size` is at least what the disk has now: its end may hold data."""
    if size < (now := virtual_size(path)):
        raise DiskError(f"{path.name} has {now} bytes and cannot become smaller ({size}): its end may hold data.")


def virtual_size(path: Path) -> int:
    """The size that a machine sees."""
    if disk_format(path) == "raw":
        return path.stat().st_size
    return int(json.loads(_qemu_img("info", "-U", "--output=json", str(path)))["virtual-size"])


def disk_format(path: Path) -> str:
    """`qcow2` or `raw`, by what the file starts with. Volumes are raw: name the format where a guest may have written it."""
    try:
        with path.open("rb") as file:
            return "qcow2" if path.suffix == ".qcow2" and file.read(4) == QCOW2_MAGIC else "raw"
    except OSError as error:
        raise DiskError(f"the disk {path} cannot be read: {error.strerror}") from error


def _copy_raw(source: Path, target: Path) -> None:
    with source.open("rb") as reader, target.open("wb") as writer:
        try:
            fcntl.ioctl(writer.fileno(), FICLONE, reader.fileno())
            return
        except OSError:
            pass  # the filesystem cannot share blocks, or not across the two paths
        size = os.fstat(reader.fileno()).st_size
        os.truncate(writer.fileno(), size)
        for start, end in _data(reader.fileno(), size):
            while start < end:
                start += os.copy_file_range(reader.fileno(), writer.fileno(), end - start, start, start)


def _data(fd: int, size: int) -> Iterator[tuple[int, int]]:
    """The ranges of a sparse file that hold data."""
    end = 0
    while end < size:
        try:
            start = os.lseek(fd, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # only a hole is left
                return
            raise
        end = os.lseek(fd, start, os.SEEK_HOLE)
        yield start, end


@contextmanager
def _new(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` that becomes `path` when the block ends well, and is removed when not."""
    temporary = path.with_name(f".{path.stem}.new{path.suffix}")
    with _clear_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            temporary.rename(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def _clear_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskError(f"the disk is full: no room for {path}. Free some space and do it again.") from error
        raise DiskError(f"{path}: {error.strerror}") from error


def _qemu_img(*arguments: str) -> str:
    argv: List[str] = ["qemu-img", *arguments]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise DiskError("qemu-img is not installed. Run: apt-get install qemu-utils") from None
    if done.returncode == 0:
        return done.stdout
    if "No space left on device" in done.stderr:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    raise DiskError(f"{' '.join(argv)}: {done.stderr.strip()}")
