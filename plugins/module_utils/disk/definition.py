# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module `disk`: its options, what they mean, and its result."""

from __future__ import annotations

import grp
import os
import pwd
import re
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ..engine.definition import ModuleDefinition
from ..engine.errors import InvalidInput
from ..engine.plan import KNOWN_AFTER_APPLY
from ..engine.reconcile import reconcile
from . import devices
from .filesystems import KINDS, Kind
from .machine import Machine
from .state import Desired
from .target import DiskTarget, NotYetTarget, report

ARGUMENTS: Dict[str, Dict[str, Any]] = {
    "volume": {"type": "str", "aliases": ["volume_id"]},
    "device": {"type": "str"},
    "path": {"type": "path"},
    "filesystem": {"type": "str", "choices": sorted(KINDS)},
    "partition": {"type": "bool", "default": True},
    "label": {"type": "str"},
    "mkfs_options": {"type": "list", "elements": "str", "default": []},
    "erase": {"type": "list", "elements": "str", "default": []},
    "duplicate_uuid": {"type": "str", "choices": ["refuse", "renew"], "default": "refuse"},
    "mount_options": {"type": "list", "elements": "str", "default": list(Desired.options)},
    "content": {"type": "str", "choices": ["refuse", "move", "hide"], "default": "refuse"},
    "keep_old_content": {"type": "bool", "default": True},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "mode": {"type": "raw"},
    "grow": {"type": "bool", "default": True},
    "size": {"type": "int"},
    "timeout": {"type": "int", "default": 60},
    "state": {"type": "str", "choices": ["mounted", "unmounted", "absent"], "default": "mounted"},
}


def run(params: Mapping[str, Any], check_mode: bool) -> Dict[str, Any]:
    """Bring the disk to its declaration, or say what would change."""
    desired = declared(params)
    machine = Machine()
    kind = NotYetTarget if KNOWN_AFTER_APPLY in (desired.volume, desired.device) else DiskTarget
    outcome = reconcile(kind(desired, machine), check_mode)
    return {**outcome.plan.to_result(), "disk": report(desired, outcome.actual)}


DEFINITION = ModuleDefinition(
    argument_spec=ARGUMENTS,
    run=run,
    rules={"required_one_of": [("volume", "device")], "required_if": [("state", "mounted", ("path",))]},
)


def declared(params: Mapping[str, Any]) -> Desired:
    """The declaration, checked as far as it can be without looking at the disk."""
    volume, path = params["volume"], params["path"]
    if volume and volume != KNOWN_AFTER_APPLY:
        volume = devices.volume_id(volume)
        if not volume:
            raise InvalidInput("is not a volume id", resource="volume", found=params["volume"], do="It reads vol-0123….")
    if path is not None and (not path.startswith("/") or os.path.normpath(path) in ("/", "//")):
        raise InvalidInput("a mount point is an absolute path below /", resource="path", found=path)
    place = "/" + os.path.normpath(path).lstrip("/") if path else None
    if place and params["state"] == "mounted" and (place == "/etc" or f"{place}/".startswith(("/proc/", "/sys/", "/dev/"))):
        raise InvalidInput("the machine itself needs it as it is", resource="path", found=path)
    kind = KINDS[params["filesystem"] or "ext4"]
    if len((params["label"] or "").encode()) > kind.longest_label:
        raise InvalidInput(f"longer than {kind.name} allows ({kind.longest_label})", resource="label", found=params["label"])
    if re.search(r'["\\\x00-\x1f]', params["label"] or ""):
        raise InvalidInput("a label has no quotes, backslashes or control characters", resource="label", found=repr(params["label"]))
    return Desired(
        volume=volume,
        device=params["device"],
        path=place,
        state=params["state"],
        filesystem=params["filesystem"],
        partition=params["partition"],
        label=params["label"],
        options=_mount_options(params["mount_options"]),
        content=params["content"],
        keep_old=params["keep_old_content"],
        uid=_number(params["owner"], lambda name: pwd.getpwnam(name).pw_uid, "owner"),
        gid=_number(params["group"], lambda name: grp.getgrnam(name).gr_gid, "group"),
        mode=_mode(params["mode"]),
        grow=params["grow"],
        timeout=params["timeout"],
        erase=tuple(params["erase"]),
        duplicate_uuid=params["duplicate_uuid"],
        mkfs=_mkfs(params["mkfs_options"], kind),
        size=params["size"],
    )


def _mount_options(texts: List[str]) -> Tuple[str, ...]:
    """Options as fstab has them, one by one; none that leaves the mounting to whoever looks at the path next."""
    options = tuple(option for text in texts for option in text.split(",") if option)
    if any(option.startswith("x-systemd.automount") for option in options):
        do = "Leave it out: `nofail` already keeps a missing volume from holding up the boot."
        raise InvalidInput("would mount it only when somebody looks there", resource="mount_options", found="x-systemd.automount", do=do)
    return options or ("defaults",)


def _mkfs(options: List[str], kind: Kind) -> Tuple[str, ...]:
    """Options of mkfs, without those that would make something else than what was planned, or where something is."""
    words = [word for option in options for word in option.split()]
    single = [f"-{letter}" for word in words for letter in (re.match(f"-([{kind.flags}]*.?)", word) or ["", ""])[1]]
    for taken in kind.taken:
        if taken in single if taken.startswith("-") else any(taken in word for word in words):
            do = "Use `label`, `filesystem` or `erase` for that." if taken in ("-L", "-F", "-f", "-t") else ""
            raise InvalidInput("is for the module to decide", resource="mkfs_options", found=taken, do=do)
    if any(re.search("(^|=)/", word) for word in words):
        raise InvalidInput("names a device", resource="mkfs_options", found=" ".join(words), do="The device is given by `volume`.")
    return tuple(words)


def _number(name: Optional[str], look_up: Any, option: str) -> Optional[int]:
    if name is None:
        return None
    # the largest number means "leave it" to chown(2)
    if name.isdecimal() and int(name) < 2**32 - 1:
        return int(name)
    try:
        return int(look_up(name))
    except KeyError as error:
        raise InvalidInput("no such name on this machine", resource=option, found=name) from error


def _mode(mode: Any) -> Optional[str]:
    if mode is None:
        return None
    # YAML makes 0755 a decimal number: what was meant cannot be told any more.
    if isinstance(mode, str) and mode and not set(mode) - set("01234567") and int(mode, 8) <= 0o7777:
        return f"{int(mode, 8):04o}"
    raise InvalidInput("give the mode as octal digits in quotes", resource="mode", found=repr(mode), do='For example "0755".')
