# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Changing files so that a reader, or a power cut, sees the old or the new and nothing between."""

from __future__ import annotations

import fcntl
import grp
import os
import pwd
import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Iterator, List, Optional, Tuple

from ..engine.errors import Busy, InvalidInput, Refused

#: Ends the names of files that are not complete yet; they are renamed over the real one.
PART = ".steadfast-part"

#: All bits that chmod(2) knows; and the number that stands for "no user" in chown(2), one above the last one.
MOST_MODE = 0o7777
NO_ID = 2**32 - 1


@dataclass(frozen=True)
class Access:
    """Owner and permissions of what is written, as numbers."""

    uid: int
    gid: int
    file_mode: int = 0o644
    folder_mode: int = 0o755


def user_id(name: str) -> int:
    """The number of a user given by name or number."""
    try:
        return _number(name, "owner") if name.isdecimal() else pwd.getpwnam(name).pw_uid
    except KeyError:
        raise InvalidInput("there is no such user on this machine", resource="owner", found=name) from None


def group_id(name: str) -> int:
    """The number of a group given by name or number."""
    try:
        return _number(name, "group") if name.isdecimal() else grp.getgrnam(name).gr_gid
    except KeyError:
        raise InvalidInput("there is no such group on this machine", resource="group", found=name) from None


def _number(text: str, option: str) -> int:
    if int(text) >= NO_ID:
        raise InvalidInput("is no number of a user or group", resource=option, found=text, do=f"They are below {NO_ID}.")
    return int(text)


def octal(text: str, option: str) -> int:
    """Permissions written as octal digits (`0644`), from 0 to 7777."""
    with suppress(ValueError):
        mode = int(text, 8)
        if 0 <= mode <= MOST_MODE:
            return mode
    raise InvalidInput("is not an octal mode such as '0644'", resource=option, found=repr(text))


@contextmanager
def explained() -> Iterator[None]:
    """Raise what the file system refuses (no room, no permission, a name too long) as an error that names the path."""
    try:
        yield
    except OSError as error:
        raise Refused(
            f"the file system does not allow it: {error.strerror or error}",
            resource=str(error.filename or ""),
            do="Correct the path, the user of the task (become: true), or the room on its filesystem, and run again.",
        ) from error


def make_folders(path: str, access: Access) -> None:
    """Create `path` and what is missing above it, with the given access; what exists is left as it is."""
    if os.path.isdir(path):
        return
    make_folders(os.path.dirname(path), access)
    os.mkdir(path)
    os.chmod(path, access.folder_mode)
    os.chown(path, access.uid, access.gid)


def write_stream(path: str, stream: IO[bytes], access: Access, mtime: Optional[int] = None) -> None:
    """Put the bytes of `stream` at `path` in one step."""
    part = f"{os.path.dirname(path)}/.{os.path.basename(path)}{PART}"
    remove_file(part)
    try:
        with stream, open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
            shutil.copyfileobj(stream, target)
            target.flush()
            os.fsync(target.fileno())
        os.chown(part, access.uid, access.gid)
        os.chmod(part, access.file_mode)
        if mtime is not None:
            os.utime(part, (mtime, mtime))
        os.replace(part, path)
    except BaseException:
        remove_file(part)
        raise


def write_link(path: str, target: str) -> None:
    """Point the link `path` at `target` in one step; a reader sees the old or the new target."""
    part = f"{os.path.dirname(path)}/.{os.path.basename(path)}{PART}"
    remove_file(part)
    os.symlink(target, part)
    os.replace(part, path)


def remove_file(path: str) -> None:
    """Remove a file or link that may be gone already."""
    with suppress(FileNotFoundError):
        os.unlink(path)


def remove_folder(path: str) -> None:
    """Remove a folder with all it has; raises Refused when anything is mounted in it."""
    mounted = mounts_below(path)
    if mounted:
        raise Refused("something is mounted below it, so it is not deleted", resource=path, found=", ".join(mounted))
    if os.path.lexists(path):
        shutil.rmtree(path)


def mounts_below(path: str) -> List[str]:
    """The mount points at or below `path`."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
        points = [line.split(" ")[4].replace("\\040", " ") for line in lines]
    real = os.path.realpath(path)
    return sorted(point for point in points if point == real or point.startswith(real + "/"))


def folder_entries(path: str) -> Iterator[Tuple[str, os.DirEntry[str]]]:
    """(relative path, entry) of everything below `path` that is not a real folder."""
    pending = [""]
    while pending:
        folder = pending.pop()
        with os.scandir(os.path.join(path, folder)) as entries:
            for entry in entries:
                relative = f"{folder}/{entry.name}" if folder else entry.name
                if entry.is_dir(follow_symlinks=False):
                    pending.append(relative)
                else:
                    yield relative, entry


@contextmanager
def locked(folder: str) -> Iterator[None]:
    """Hold `folder` against a second run of ours; raises Busy when there is one. A missing folder needs no lock."""
    if not os.path.isdir(folder):
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        _lock(handle, folder)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, folder: str) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Busy("another run is changing it", resource=folder, do="Wait for it to end, then run again.") from None
