# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Carry out the steps of a plan, one by one. Before anything is written, the disk is asked again who it is."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Callable, Dict, Tuple

from ..engine.errors import Busy, CommandFailed, NotFound, Refused, TimedOut
from ..engine.plan import Plan, Step
from . import devices, holders, mounts, probe, transfer
from .machine import Machine
from .state import MIB, Disk

#: Steps that leave the bytes of the disk to the kernel; all other commands run under the lock that udev honours.
_UNLOCKED = ("mount", "umount", "xfs_growfs", "xfs_io", "restorecon")


@dataclass(frozen=True)
class Runner:
    """Runs steps against one disk of a machine."""

    machine: Machine
    disk: Disk
    timeout: float

    def run(self, plan: Plan) -> None:
        """All steps in order; where a mount fails after fstab was written, fstab is put back."""
        written = None
        steps = [step for change in plan.effective for step in change.steps]
        with ExitStack() as lock:
            held = False
            for step in steps:
                locked = self._locked(step)
                if locked and not held:
                    lock.enter_context(_Lock(self))
                elif held and not locked:
                    # udev waits for the lock, and the steps that follow wait for udev.
                    lock.close()
                held = locked
                try:
                    self.one(step)
                except CommandFailed:
                    if step.verb == "mount" and written is not None:
                        self.write_fstab(before=written.params["after"], after=written.params["before"], path="")
                        self.daemon_reload()
                    raise
                written = step if step.verb == "write_fstab" else written

    def one(self, step: Step) -> None:
        """One step: a program by its argv, or a method of this class."""
        if "argv" not in step.params:
            method: Callable[..., None] = getattr(self, step.verb)
            try:
                return method(**step.params)
            except OSError as error:
                raise CommandFailed(str(error), resource=step.verb.replace("_", " "), operation=step.verb) from error
        if "blank" in step.params:
            self._still_blank(step.params["blank"])
        try:
            self.machine.run(*step.params["argv"], text=step.params.get("text", ""), ok=step.params.get("ok", (0,)))
        except CommandFailed as error:
            if step.verb == "umount" and "busy" in error.why:
                raise self._busy(step.params["argv"][-1]) from error
            raise
        return None

    def _locked(self, step: Step) -> bool:
        return step.verb in ("wait_for_partition", "erase") or ("argv" in step.params and step.verb not in _UNLOCKED)

    def _busy(self, path: str) -> Busy:
        mount = mounts.at(mounts.parse(self.machine.text("/proc/self/mountinfo")), path)
        found = holders.of_mount(self.machine, path, mount.number if mount else "")
        shown = "; ".join(str(holder) for holder in found) or "no process; something in the kernel (NFS export, container)"
        return Busy("is in use: it was not unmounted", resource=path, found=shown, do="Stop what holds it and run again.")

    def _still_blank(self, node: str) -> None:
        inside = (0, MIB) if node == self.disk.node.path else (0,)
        for found in (probe.signature(self.machine, node, offset) for offset in inside):
            if not found.blank:
                raise Refused("is no longer blank: nothing was written", resource=node, found=str(found))

    def erase(self, node: str, name: str, offset: int) -> None:
        """What is called `name` is gone from `node`; refused if something else is there by now."""
        size = MIB if offset == MIB else self.disk.sector
        if offset > MIB:
            found = probe.backup_table(self.machine, node, offset)
            names = {found}
        else:
            _code, fields = probe.low_level(self.machine, node, offset)
            names = {fields.get(field, "") for field in ("UUID", "TYPE", "PTUUID", "PTTYPE")}
        if name not in names:
            there = ", ".join(sorted(filter(None, names))) or "nothing"
            raise Refused("is not what it was: nothing was erased", resource=node, wanted=name, found=there, do="Run again.")
        if not offset:
            self.machine.run("wipefs", "--all", "--quiet", node)
            return
        with open(self.machine.at(node), "r+b") as device:
            device.seek(offset)
            device.write(bytes(size))
            device.flush()
            os.fsync(device.fileno())

    def wait_for_partition(self, disk: str, partition: str) -> None:
        """The kernel shows the partition and its node is there."""
        there = f"/sys/block/{disk}/{partition}/dev"

        def ready() -> bool:
            return bool(self.machine.text(there)) and os.path.exists(self.machine.at(f"/dev/{partition}"))

        if not self.machine.wait(ready, 2):
            self.machine.run("partx", "-u", f"/dev/{disk}", ok=(0, 1))
        if not self.machine.wait(ready, self.timeout):
            raise TimedOut("the partition did not appear", resource=f"/dev/{partition}")

    def wait_for_link(self, uuid: str) -> None:
        """udev has seen the new filesystem; else systemd would think its device missing, and unmount it again."""
        if os.path.exists(self.machine.at("/run/udev/control")):
            self.machine.wait(lambda: os.path.exists(self.machine.at(f"/dev/disk/by-uuid/{uuid}")), 10)

    def wait_for_udev(self, partition: str) -> None:
        """udev has seen the new table. It reads it again where no partition is in use, and until then the node is gone for a moment."""
        if os.path.exists(self.machine.at("/run/udev/control")):
            self.machine.run("udevadm", "settle", "--timeout=30", ok=(0, 1))
        if not self.machine.wait(lambda: os.path.exists(self.machine.at(f"/dev/{partition}")), self.timeout):
            raise TimedOut("the partition is gone since its table was written", resource=f"/dev/{partition}")

    def make_directory(self, path: str) -> None:
        """The mount point is there."""
        os.makedirs(self.machine.at(path), mode=0o755, exist_ok=True)

    def write_fstab(self, before: bytes, after: bytes, path: str) -> None:
        """fstab has the bytes `after`, whole or not at all; refused if it is not `before` any more, or does not verify."""
        target = os.path.realpath(self.machine.at("/etc/fstab"))
        if probe.read_table(self.machine) != before:
            raise Busy("was changed by somebody else in the meantime", resource="/etc/fstab", do="Run again.")
        draft = f"{target}.steadfast"
        try:
            with open(draft, "wb") as file:
                file.write(after)
                file.flush()
                os.fsync(file.fileno())
            if path:
                self._verified(draft, path)
            if os.path.exists(target):
                found = os.stat(target)
                shutil.copystat(target, draft)
                os.chown(draft, found.st_uid, found.st_gid)
                os.utime(draft)
            else:
                os.chmod(draft, 0o644)
            os.replace(draft, target)
        finally:
            if os.path.exists(draft):
                os.unlink(draft)
        transfer.sync_directory(os.path.dirname(target))

    def _verified(self, draft: str, path: str) -> None:
        _code, output = self.machine.run("findmnt", "--verify", "--tab-file", draft, ok=(0, 1))
        problems = verify_problems(output).get(path, ())
        if problems:
            raise Refused("the new line does not verify", resource="/etc/fstab", found="; ".join(problems))

    def daemon_reload(self) -> None:
        """systemd knows the new fstab."""
        if os.path.isdir(self.machine.at("/run/systemd/system")):
            self.machine.run("systemctl", "daemon-reload")

    def set_attributes(self, path: str, uid: int = -1, gid: int = -1, mode: str = "") -> None:
        """The mounted root has the owner, group and mode."""
        os.chown(self.machine.at(path), uid, gid)
        if mode:
            os.chmod(self.machine.at(path), int(mode, 8))

    def mount_aside(self, node: str, kind: str, path: str, options: str = "") -> None:
        """The filesystem is mounted where nobody but root looks."""
        os.makedirs(path, mode=0o700, exist_ok=True)
        # makedirs gives its mode to the last one only, and the mount brings a mode of its own.
        os.chmod(os.path.dirname(path), 0o700)
        if mounts.at(mounts.parse(self.machine.text("/proc/self/mountinfo")), path) is None:
            self.machine.run("mount", "-t", kind, "-o", ",".join(filter(None, ("nodev,nosuid", options))), node, path)

    def copy_content(self, path: str, aside: str, size: int, inodes: int) -> None:
        """A copy of the directory is on the volume, not yet trusted."""
        transfer.copy(self.machine, path, aside, size, inodes)

    def verify_content(self, path: str, aside: str) -> None:
        """The copy is compared and marked complete."""
        transfer.verify(path, aside)

    def switch_content(self, path: str, aside: str, old: str) -> None:
        """The directory is renamed aside; an empty one is in its place."""
        self._nobody_in(path)
        transfer.switch(path, aside, old)

    def settle_content(self, path: str, aside: str, old: str) -> None:
        """A switch that was cut short is compared, or taken back."""
        transfer.settle(path, aside, old)

    def promote_content(self, aside: str) -> None:
        """The copy is at the top of the volume."""
        transfer.promote(aside)

    def remove_tree(self, path: str) -> None:
        """The old copy is gone; refused while somebody still writes there, who began before it was renamed."""
        self._nobody_in(path)
        transfer.remove_tree(path)

    def _nobody_in(self, path: str) -> None:
        found = holders.of_directory(self.machine, path)
        if found:
            shown = "; ".join(str(holder) for holder in found)
            raise Busy("is in use: it was left where it is", resource=path, found=shown, do="Stop these processes, and run again.")


class _Lock:
    """Holds the whole disk (flock, which udev honours) while it is written, after asking it again who it is."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.handle = -1

    def __enter__(self) -> None:
        disk, machine = self.runner.disk, self.runner.machine
        self.handle = os.open(machine.at(disk.node.path), os.O_RDONLY)
        try:
            if not machine.wait(self._locked, self.runner.timeout):
                raise Busy("another program holds its lock", resource=disk.node.path, do="Run again when it has finished.")
            opened = os.fstat(self.handle).st_rdev
            number = f"{os.major(opened)}:{os.minor(opened)}"
            serial = devices.serial_of(machine, disk.node.name)
            if number != disk.node.number or machine.text(f"/sys/block/{disk.node.name}/dev") != number or serial != disk.serial:
                raise NotFound(
                    "is another disk now: nothing was written",
                    resource=disk.node.path,
                    wanted=f"{disk.serial} ({disk.node.number})",
                    found=f"{serial} ({number})",
                    do="Run again.",
                )
        except Exception:
            os.close(self.handle)
            raise

    def _locked(self) -> bool:
        try:
            fcntl.flock(self.handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def __exit__(self, *_error: object) -> None:
        os.close(self.handle)


def verify_problems(output: str) -> Dict[str, Tuple[str, ...]]:
    """{path: its errors} from the output of `findmnt --verify`; warnings are none."""
    result: Dict[str, Tuple[str, ...]] = {}
    path = ""
    for line in output.splitlines():
        if line and not line[0].isspace():
            path = line.strip()
        found = re.match(r"^\s+\[E\]\s+(.*)$", line)
        if found:
            result[path] = (*result.get(path, ()), found[1])
    return result
