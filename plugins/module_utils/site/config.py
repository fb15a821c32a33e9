# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A set of configuration files that changes as one: tested before it counts, restored if it cannot be written."""

from __future__ import annotations

import glob
import io
import os
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from ..engine.errors import CommandFailed, Refused
from ..engine.plan import Change, Plan, Step
from ..engine.reconcile import Target
from .files import Access, make_folders, remove_file, write_link, write_stream

#: A folder that has to be made for a file belongs to root and can be read by all, as package managers do it.
FOLDERS = Access(0, 0, folder_mode=0o755)

#: Runs a command in a mount namespace of its own, where the staged tree stands in the place of the real one.
IN_PLACE_OF = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'

PRIVATE_MOUNTS = ["unshare", "--mount", "--propagation", "private"]

SYSTEM_PATH = ("/usr/local/sbin", "/usr/sbin", "/sbin")


@dataclass(frozen=True)
class File:
    """A file as it is or has to be; `link` instead of the rest for a symbolic link that is there."""

    content: bytes = b""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    link: str = ""

    def shown(self) -> Dict[str, Any]:
        """The file as the attributes of a change."""
        if self.link:
            return {"link": self.link}
        content = self.content.decode("utf-8", "replace")
        return {"content": content, "mode": f"{self.mode:04o}", "owner": f"{self.uid}:{self.gid}"}


State = Mapping[str, Optional[File]]


def read_file(path: str) -> Optional[File]:
    """The file that is there, None for none; raises Refused for anything else."""
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISLNK(found.st_mode):
        return File(link=os.readlink(path))
    if not stat.S_ISREG(found.st_mode):
        raise Refused("it is there, and is not a file", resource=path, do="Move it away first.")
    with open(path, "rb") as stream:
        return File(stream.read(), stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)


def put_file(path: str, file: Optional[File]) -> None:
    """Bring one path to a state, in one step; None removes it."""
    if file is None:
        remove_file(path)
        return
    make_folders(os.path.dirname(path), FOLDERS)
    if file.link:
        write_link(path, file.link)
    else:
        write_stream(path, io.BytesIO(file.content), Access(file.uid, file.gid, file.mode))


def plan_files(wanted: State, state: State) -> Plan:
    """What has to change: None in `wanted` is a file that must not be there. Pure."""
    changes = []
    for path, after in wanted.items():
        before = state[path]
        if before == after:
            continue
        action = "create" if before is None else "delete" if after is None else "update"
        changes.append(
            Change(
                kind="file",
                name=path,
                action=action,
                before=before.shown() if before else None,
                after=after.shown() if after else None,
                steps=(Step("put", {"path": path, "file": after}),),
            )
        )
    return Plan(tuple(changes))


def text_diff(change: Change) -> Dict[str, str]:
    """The change as a diff of text, line by line; a link, or a mode or owner that differs, stands above the text."""
    sides = {}
    shown = [key for key in ("link", "mode", "owner") if key == "link" or (change.action == "update" and _differs(change, key))]
    for name, side in (("before", change.before or {}), ("after", change.after or {})):
        facts = [f"{key}: {side[key]}\n" for key in shown if key in side]
        sides[name] = "".join(facts) + str(side.get("content", ""))
        sides[f"{name}_header"] = change.name if side else f"{change.name} (not there)"
    return sides


def _differs(change: Change, key: str) -> bool:
    return (change.before or {}).get(key) != (change.after or {}).get(key)


class ConfigFiles(Target):
    """Files that must be there with a content, and files (or patterns of names) that must not."""

    def __init__(self, files: Mapping[str, File], absent: Tuple[str, ...]) -> None:
        self.files = files
        self.absent = absent
        #: How the written files are tested where they could not be tested before; raises what the test says
        self.verify: Callable[[], None] = lambda: None

    def wanted(self) -> Dict[str, Optional[File]]:
        """Every path concerned, with the file that has to be there or None."""
        unwanted = {path: None for pattern in self.absent for path in sorted(glob.glob(pattern))}
        return {**unwanted, **self.files}

    def read(self) -> State:
        """The files that are there."""
        return {path: read_file(path) for path in self.wanted()}

    def plan(self, actual: State) -> Plan:
        """What has to change."""
        return plan_files({path: self.files.get(path) for path in actual}, actual)

    def apply(self, plan: Plan, actual: State) -> None:
        """Write all of them, or leave all of them as they were and raise what went wrong."""
        done: List[str] = []
        try:
            for change in plan.effective:
                done.append(change.name)
                for step in change.steps:
                    put_file(**step.params)
            self.verify()
        except BaseException:
            for path in reversed(done):
                put_file(path, actual[path])
            raise


@dataclass(frozen=True)
class TreeTest:
    """The command that says whether the tree below `root` is good."""

    command: Tuple[str, ...]
    root: str

    @property
    def installed(self) -> bool:
        """Whether the program is on this machine."""
        return self._program() is not None

    def in_place(self) -> None:
        """Test the tree as it stands; raises CommandFailed with what the command said."""
        self._check([])

    def before(self, plan: Plan) -> bool:
        """Test the tree as the plan would make it, without touching it. False where this machine does not allow that."""
        with tempfile.TemporaryDirectory(prefix="steadfast-config-") as folder:
            stage = os.path.join(folder, "tree")
            if not self._may_stage() or not os.path.isdir(self.root):
                return False
            shutil.copytree(self.root, stage, symlinks=True)
            for change in plan.effective:
                if change.name.startswith(self.root + "/"):
                    put_file(stage + change.name[len(self.root) :], change.steps[0].params["file"])
            self._check([*PRIVATE_MOUNTS, "sh", "-c", IN_PLACE_OF, "sh", stage, self.root])
        return True

    def _may_stage(self) -> bool:
        """A mount namespace needs root, and a container may not give one even to root."""
        if shutil.which("unshare") is None:
            return False
        trial = [*PRIVATE_MOUNTS, "mount", "--bind", self.root, self.root]
        return subprocess.run(trial, capture_output=True, check=False).returncode == 0

    def _program(self) -> Optional[str]:
        """Where the program is; services' programs are where an ordinary user's PATH does not look."""
        return shutil.which(self.command[0], path=os.pathsep.join([os.environ.get("PATH", ""), *SYSTEM_PATH]))

    def _check(self, wrapper: List[str]) -> None:
        argv = [*wrapper, str(self._program()), *self.command[1:]]
        done = subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode:
            raise CommandFailed(
                "the configuration is not accepted, so it is not put in place",
                resource=" ".join(self.command),
                found=done.stderr.strip() or done.stdout.strip() or f"exit status {done.returncode}",
                do="The files are as they were, and the service still runs with them.",
            )
