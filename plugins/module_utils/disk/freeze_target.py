# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filesystems that are to stand still, as a target: what is refused, what is planned, all of them or none."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ..engine.errors import NotFound, Refused, SteadfastError, TimedOut
from ..engine.plan import Change, Plan, Step
from ..engine.reconcile import Target
from . import mounts
from .freeze import Keeper
from .machine import Machine

#: Where a machine writes when somebody logs in or a program starts: frozen, nobody could come and thaw it.
LIVES_ON = ("/", "/usr", "/etc", "/var", "/var/log", "/run", "/root", "/home")


@dataclass(frozen=True)
class Still:
    """A mount point, and the freeze that we hold of it."""

    path: str
    number: str
    left: Optional[float] = None
    #: Whether the last freeze ended by itself.
    expired: bool = False


class FreezeTarget(Target):
    """Mounted filesystems that are to stand still, or to go on."""

    def __init__(self, paths: List[str], state: str, seconds: int, machine: Machine) -> None:
        self.paths = paths
        self.state = state
        self.seconds = seconds
        self.machine = machine

    def keeper(self, number: str) -> Keeper:
        """Who holds the freeze of a device."""
        return Keeper(self.machine, number)

    def read(self) -> Tuple[Still, ...]:
        """Each filesystem once, with its freeze; refuses what is not mounted, and what the machine itself needs."""
        table = mounts.parse(self.machine.text("/proc/self/mountinfo"))
        found: Dict[str, Still] = {}
        for path in self.paths:
            mount = mounts.at(table, path)
            if mount is None:
                raise NotFound("nothing is mounted there", resource=path, do="Give the mount point itself.")
            needed = [place for place in LIVES_ON if _number(self.machine, place) == mount.number]
            if needed and self.state == "frozen":
                do = "Only filesystems of their own, for data, can be frozen."
                raise Refused("the machine itself lives on it", resource=path, found=", ".join(needed), do=do)
            keeper = self.keeper(mount.number)
            found.setdefault(mount.number, Still(path, mount.number, keeper.left(), keeper.expired()))
        return tuple(found.values())

    def plan(self, actual: Tuple[Still, ...]) -> Plan:
        """Freeze what is not, or not for long enough any more; thaw what is."""
        return Plan(tuple(change for still in actual for change in self._planned(still)))

    def _planned(self, still: Still) -> List[Change]:
        params = {"path": still.path, "number": still.number}
        if self.state == "thawed":
            if still.left is not None:
                return [_change(still, {"frozen": True}, {"frozen": False}, Step("thaw", params))]
            if still.expired:
                return [_change(still, {"frozen": "until its time was over"}, {"frozen": False}, Step("tell", params))]
            return []
        if still.left is None:
            return [_change(still, {"frozen": False}, {"frozen": True}, Step("freeze", params))]
        if still.left < self.seconds / 2:
            return [_change(still, {"seconds": round(still.left)}, {"seconds": self.seconds}, Step("renew", params))]
        return []

    def apply(self, plan: Plan, actual: Tuple[Still, ...]) -> None:
        """All of them, or none: where one cannot be frozen, those that this run froze are thawed again."""
        frozen: List[Keeper] = []
        try:
            for step in (step for change in plan.effective for step in change.steps):
                keeper, path = self.keeper(step.params["number"]), step.params["path"]
                if step.verb == "freeze":
                    # What can be written before is not written while everybody waits.
                    self.machine.run("sync", "-f", path)
                    keeper.freeze(path, self.seconds)
                    frozen.append(keeper)
                elif step.verb == "tell":
                    keeper.forget()
                    raise _too_late(path)
                elif step.verb == "renew":
                    keeper.renew(self.seconds)
                else:
                    keeper.thaw()
        except SteadfastError:
            for keeper in frozen:
                keeper.thaw()
            raise


def _change(still: Still, before: Mapping[str, Any], after: Mapping[str, Any], step: Step) -> Change:
    return Change("filesystem", still.path, "update", before, after, (), (step,))


def _too_late(path: str) -> TimedOut:
    return TimedOut(
        "was thawed before this task, because its time was over or it was told to by a signal",
        resource=path,
        found="what was copied since it was frozen may have been written to meanwhile",
        do="Take the snapshot again, with more `seconds`.",
    )


def _number(machine: Machine, path: str) -> str:
    try:
        device = os.stat(machine.at(path)).st_dev
    except OSError:
        return ""
    return f"{os.major(device)}:{os.minor(device)}"
