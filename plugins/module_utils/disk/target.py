# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The target that is reconciled, and what is reported of it."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any, Dict

from ..engine.errors import InvalidInput, Refused
from ..engine.plan import Plan
from ..engine.reconcile import Target
from . import devices, mounts, probe
from .machine import Machine
from .plan import plan
from .state import Desired, Disk, Node, State


class DiskTarget(Target):
    """One volume, from its device to the owner of its mounted root."""

    def __init__(self, desired: Desired, machine: Machine) -> None:
        self.desired = desired
        self.machine = machine
        # Only the first look waits for the disk.
        self.patience = desired.timeout if desired.state == "mounted" else 0

    def read(self) -> State:
        """What is on the disk and on the machine."""
        if os.geteuid() != 0:
            raise Refused("only root can read disks", resource=self.desired.name, do="Set `become: true`.")
        state = probe.read(self.machine, self.desired, self.patience)
        self.patience = 0
        return state

    def plan(self, actual: State) -> Plan:
        """The whole chain, or a refusal."""
        return plan(self.desired, actual)

    def apply(self, plan: Plan, actual: State) -> None:
        """Run the steps."""
        from .apply import Runner

        Runner(self.machine, actual.disk or Disk(Node("")), self.desired.timeout).run(plan)


class NotYetTarget(DiskTarget):
    """A volume that the same run is going to create: only its plan can be told."""

    def read(self) -> State:
        """The machine as it is, with a blank disk that nobody has seen."""
        without = replace(self.desired, volume=None, device="/dev/no-such-disk", state="unmounted")
        state = probe.read(self.machine, without, 0)
        folder = probe.folder(self.machine, self.desired, mounts.at(state.mounts, self.desired.path))
        return replace(state, seed="", disk=Disk(Node("")), folder=folder)

    def apply(self, plan: Plan, actual: State) -> None:
        """Never: there is no disk to apply it to."""
        raise InvalidInput("is not known yet", resource="volume", do="Outside of check mode give the id of a volume that exists.")


def report(desired: Desired, state: State) -> Dict[str, Any]:
    """The disk as it is, for the module's result."""
    node, disk, mounted = probe.current_node(state.disk), state.disk, probe.mounts_of(state)
    here = next((mount for mount in mounted if mount.path == desired.path), None)
    there: Dict[str, Any] = {"volume": desired.volume, "path": desired.path, "mounted": [mount.path for mount in mounted]}
    if disk is None or node is None or not disk.node.name:
        return there
    found = node.signature
    there.update(
        volume=devices.volume_id(disk.serial) or desired.volume,
        serial=disk.serial,
        device=disk.node.path,
        node=node.path,
        size=disk.node.size,
        filesystem=found.kind or None,
        uuid=found.uuid or None,
        label=found.label or None,
        partition_uuid=node.part_uuid or None,
    )
    if here is not None:
        folder = state.folder
        there.update(options=list(here.options), total=folder.total, free=folder.free)
        there.update(owner=folder.uid, group=folder.gid, mode=folder.mode)
    return there
