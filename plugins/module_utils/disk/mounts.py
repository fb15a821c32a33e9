# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is mounted, and whether its effective options are those that were asked for."""

from __future__ import annotations

import re
from typing import Dict, Iterable, Optional, Tuple

from .state import Mount

#: Options that speak to mount(8), fsck or systemd; the kernel never sees them.
_USERSPACE = re.compile(r"^(defaults|nofail|(no)?auto|_netdev|(no)?(user|users|owner|group)|comment=.*|[xX]-.*)$")
#: What the kernel shows for one mount: option -> (what it is about, value), the first of each being the default.
_FLAGS = {
    "rw": ("write", "rw"),
    "ro": ("write", "ro"),
    "suid": ("suid", "suid"),
    "nosuid": ("suid", "nosuid"),
    "dev": ("dev", "dev"),
    "nodev": ("dev", "nodev"),
    "exec": ("exec", "exec"),
    "noexec": ("exec", "noexec"),
    "relatime": ("atime", "relatime"),
    "noatime": ("atime", "noatime"),
    "strictatime": ("atime", "strictatime"),
    "diratime": ("diratime", "diratime"),
    "nodiratime": ("diratime", "nodiratime"),
    "async": ("sync", "async"),
    "sync": ("sync", "sync"),
    "nodiscard": ("discard", "nodiscard"),
    "discard": ("discard", "discard"),
    "nolazytime": ("lazytime", "nolazytime"),
    "lazytime": ("lazytime", "lazytime"),
}
#: Options with a value that ext4 and xfs show, and the values that they do not show because they are the default.
_VALUES = {"commit": "5", "errors": "continue", "data": "ordered", "logbufs": "8"}
#: What mount(8) adds for these, unless a later option says otherwise.
_IMPLIED = {
    "user": ("noexec", "nosuid", "nodev"),
    "users": ("noexec", "nosuid", "nodev"),
    "owner": ("nosuid", "nodev"),
    "group": ("nosuid", "nodev"),
}
#: Those that a remount cannot change (ext4(5), xfs(5)).
FIXED = frozenset(("data", "logbufs", "logbsize", "logdev", "rtdev", "swalloc", "sunit", "swidth"))


def parse(text: str) -> Tuple[Mount, ...]:
    """The lines of /proc/self/mountinfo; a line that is not understood is left out."""
    mounts = []
    for line in text.splitlines():
        head, dash, tail = line.partition(" - ")
        fields, rest = head.split(" "), tail.split(" ")
        if dash and len(fields) >= 6 and len(rest) >= 3:
            options, super_options = tuple(fields[5].split(",")), tuple(rest[2].split(","))
            mounts.append(Mount(fields[2], unescaped(fields[4]), options, rest[0], unescaped(rest[1]), super_options, unescaped(fields[3])))
    return tuple(mounts)


def unescaped(text: str) -> str:
    """The text behind the octal escapes of /proc."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def kernel_options(options: Iterable[str]) -> Tuple[str, ...]:
    """What the kernel is to be told: without the options that only fstab's other readers understand, but with what these imply."""
    spelled = (word for option in options for word in _IMPLIED.get(option, (option,)))
    return tuple(option for option in spelled if not _USERSPACE.match(option))


def effective(mount: Mount, whole: bool = False) -> Dict[str, str]:
    """What is in force, by what it is about: what the mount shows, or (`whole`) also what the filesystem has as its default."""
    result = {**wanted(()), "atime": "strictatime"}
    for option in (*mount.options, *mount.super_options, *(mount.own if whole else ())):
        # A mount is read-only by itself or because the filesystem is: "rw" of the other one says nothing.
        if option in _FLAGS and option != "rw":
            subject, value = _FLAGS[option]
            result[subject] = value
        name, equals, value = option.partition("=")
        if equals and name in _VALUES:
            result[name] = value
    return {**_VALUES, **result}


def wanted(options: Iterable[str]) -> Dict[str, str]:
    """What `options` of fstab put in force, by what it is about; a value option only where it is given."""
    return _by_subject((*_defaults(), *kernel_options(options)))


def _by_subject(options: Iterable[str]) -> Dict[str, str]:
    result: Dict[str, str] = {}
    for option in options:
        if option in _FLAGS:
            subject, value = _FLAGS[option]
            result[subject] = value
        name, equals, value = option.partition("=")
        if equals and name in _VALUES:
            result[name] = value
    return result


def difference(options: Iterable[str], mount: Mount) -> Dict[str, Tuple[str, str]]:
    """{what: (in force, wanted)} where the mount is not what `options` ask for."""
    asked, whole = _by_subject(kernel_options(options)), effective(mount, whole=True)
    # A default of the filesystem fulfils what was asked for; where nothing was asked, it may stay.
    now = {**effective(mount), **{what: whole[what] for what in asked}}
    return {what: (now[what], value) for what, value in wanted(options).items() if now[what] != value}


def remount_options(options: Iterable[str]) -> str:
    """The options of a remount, every flag spelled out: what is left unsaid would stay as it is."""
    given = kernel_options(options)
    flags = [value for what, value in wanted(options).items() if what not in _VALUES]
    return ",".join(dict.fromkeys([*flags, *given]))


def at(mounts: Iterable[Mount], path: Optional[str]) -> Optional[Mount]:
    """The mount that is seen at `path`: the last one made there."""
    found = None
    for mount in mounts:
        found = mount if mount.path == path else found
    return found


def below(mounts: Iterable[Mount], path: str) -> Tuple[Mount, ...]:
    """The mounts inside `path`."""
    return tuple(mount for mount in mounts if mount.path.startswith(path.rstrip("/") + "/"))


def _defaults() -> Tuple[str, ...]:
    first: Dict[str, str] = {}
    for option, (subject, _value) in _FLAGS.items():
        first.setdefault(subject, option)
    return tuple(first.values())
