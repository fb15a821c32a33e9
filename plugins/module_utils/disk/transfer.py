# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The effects of a content move: copy, verify, switch, promote. The order that makes it safe is told in content.py."""

from __future__ import annotations

import os
import shutil
import stat
from typing import Dict, Iterator, Tuple

from ..engine.errors import Busy, NotConverged
from .content import too_small
from .machine import Machine
from .state import COMPLETE, LOST, PARTIAL, size_text

_BLOCK = 1024 * 1024


def copy(machine: Machine, path: str, aside: str, size: int, inodes: int) -> None:
    """Copy the directory to PARTIAL on the volume, throwing away what an interrupted run left of a copy."""
    found = [name for name in os.listdir(aside) if name not in (LOST, PARTIAL, COMPLETE)]
    # An empty one of the volume gives way to the directory's.
    kept, ours = os.path.join(aside, LOST), os.path.join(path, LOST)
    found += [LOST] if os.path.lexists(ours) and os.path.lexists(kept) and os.listdir(kept) else []
    if found:
        raise NotConverged("the volume has content of its own", resource=aside, found=", ".join(sorted(found)[:5]))
    for name in (PARTIAL, COMPLETE):
        remove_tree(os.path.join(aside, name))
    space = os.statvfs(aside)
    free = space.f_bfree * space.f_frsize
    if size >= free or (space.f_files and inodes >= space.f_ffree):
        raise too_small(aside, size, inodes, f"{size_text(free)} and {space.f_ffree} inodes free")
    target = os.path.join(aside, PARTIAL)
    machine.run("cp", "-a", "--no-target-directory", "--one-file-system", "--sparse=auto", "--", path, target)
    os.sync()


def verify(path: str, aside: str) -> None:
    """Compare the copy with the directory, byte by byte, and mark it complete."""
    partial = os.path.join(aside, PARTIAL)
    _same(path, partial, True)
    os.rename(partial, os.path.join(aside, COMPLETE))
    sync(aside)


def switch(path: str, aside: str, old: str) -> None:
    """Rename the directory aside and make an empty one; back again if it changed since it was copied."""
    os.rename(path, old)
    settle(path, aside, old)


def settle(path: str, aside: str, old: str) -> None:
    """The second half of a switch, also where the first run was cut short in between: no directory is there until it was compared."""
    staged = os.path.join(aside, COMPLETE)
    if os.path.lexists(path) or not os.path.lexists(staged):
        return
    try:
        _same(old, staged, False)
    except (Busy, OSError):
        os.rename(old, path)
        raise
    os.mkdir(path)
    shutil.copystat(old, path)
    found = os.stat(old)
    os.chown(path, found.st_uid, found.st_gid)
    sync(os.path.dirname(path))


def promote(aside: str) -> None:
    """Bring the entries of COMPLETE to the top of the volume; the top gets the directory's owner and mode. Fine where that is done."""
    staged = os.path.join(aside, COMPLETE)
    if not os.path.lexists(staged):
        return
    found = os.stat(staged)
    clash = sorted(name for name in {*os.listdir(staged)} & {*os.listdir(aside)} if name != LOST)
    if clash:
        raise NotConverged("the volume got other files of the same names meanwhile", resource=aside, found=", ".join(clash[:5]))
    for name in sorted(os.listdir(staged)):
        os.rename(os.path.join(staged, name), os.path.join(aside, name))
    os.chown(aside, found.st_uid, found.st_gid)
    shutil.copystat(staged, aside)
    os.rmdir(staged)
    os.utime(aside, ns=(found.st_atime_ns, found.st_mtime_ns))
    sync(aside)


def remove_tree(path: str) -> None:
    """Remove a directory with all that is in it, never crossing into another filesystem; fine where it is not there."""
    if not os.path.lexists(path):
        return
    device = os.lstat(path).st_dev
    for folder, folders, _files in os.walk(path):
        inner = [name for name in folders if os.lstat(os.path.join(folder, name)).st_dev != device]
        if inner:
            raise Busy("another filesystem is mounted inside", resource=os.path.join(folder, inner[0]))
    shutil.rmtree(path)


def _same(path: str, copied: str, contents: bool) -> None:
    for difference in _differences(path, copied, contents):
        raise Busy(
            "changed while it was copied",
            resource=path,
            found=difference,
            do="The directory is as it was. Stop what writes there and run again.",
        )


def _differences(path: str, copied: str, contents: bool) -> Iterator[str]:
    """What differs between two trees, beginning with the names."""
    links: Dict[Tuple[int, int], int] = {}
    for folder, folders, files in os.walk(path):
        other = os.path.join(copied, os.path.relpath(folder, path))
        if sorted(os.listdir(folder)) != sorted(os.listdir(other)):
            yield f"the entries of {folder}"
            return
        for name in ("", *folders, *files):
            one, two = os.path.join(folder, name), os.path.join(other, name)
            first, second = os.lstat(one), os.lstat(two)
            if _facts(one, first) != _facts(two, second) or links.setdefault((first.st_dev, first.st_ino), second.st_ino) != second.st_ino:
                yield f"owner, mode, time, size, links or attributes of {one}"
            elif contents and stat.S_ISREG(first.st_mode) and not _same_bytes(one, two):
                yield f"the content of {one}"


def _facts(path: str, found: os.stat_result) -> Tuple[object, ...]:
    names = sorted(name for name in os.listxattr(path, follow_symlinks=False) if name != "security.selinux")
    attributes = [(name, os.getxattr(path, name, follow_symlinks=False)) for name in names]
    size = 0 if stat.S_ISDIR(found.st_mode) else found.st_size
    target = os.readlink(path) if stat.S_ISLNK(found.st_mode) else ""
    return (found.st_mode, found.st_uid, found.st_gid, found.st_mtime_ns, found.st_rdev, size, target, attributes)


def _same_bytes(one: str, two: str) -> bool:
    with open(one, "rb") as first, open(two, "rb") as second:
        while True:
            block = first.read(_BLOCK)
            if block != second.read(_BLOCK):
                return False
            if not block:
                return True


def sync(path: str) -> None:
    """Everything written so far, and the entries of the directory, are on the disk."""
    os.sync()
    sync_directory(path)


def sync_directory(path: str) -> None:
    """The entries of the directory are on the disk."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
