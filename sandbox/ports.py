# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keeping the forwarded ports of machines as the security groups and addresses have them."""

from __future__ import annotations

import logging
import threading
from typing import Any, Dict, List, Set, Tuple

from sandbox.ec2.firewall import doors_of
from sandbox.hosting import Guest
from sandbox.trouble import SandboxError

log = logging.getLogger(__name__)

Doors = Set[Tuple[str, int]]


class Ports:
    """API calls `touch` what they change, under the cloud's lock; `sync` follows when they have let go of it.

    Talking to a machine may take a while (it may stand still for a snapshot), and nobody else should wait for that.
    """

    def __init__(self, lock: "threading.RLock", guests: Dict[str, Guest]) -> None:
        self._lock = lock
        self._guests = guests
        self._mutex = threading.Lock()
        self._touched: Dict[str, Any] = {}
        #: What is forwarded to whom, by instance id.
        self._present: Dict[str, Tuple[Guest, Doors]] = {}

    def touch(self, *instances: Any) -> None:
        """Have the ports of these instances looked at; None is fine."""
        self._touched.update({instance.id: instance for instance in instances if instance is not None})

    def sync(self) -> None:
        """Make the ports of all touched instances right: close first, since an address may have moved."""
        if not self._touched:
            return
        with self._mutex:
            todo = self._differences()
            for guest, closing, _ in todo:
                for address, port in sorted(closing):
                    _try(guest, guest.unforward, address, port)
            for guest, _, opening in todo:
                for address, port in sorted(opening):
                    _try(guest, guest.forward, address, port, port)

    def forget(self, instance_id: str) -> None:
        """The machine is off, and its ports with it."""
        self._present.pop(instance_id, None)

    def _differences(self) -> List[Tuple[Guest, Doors, Doors]]:
        todo = []
        with self._lock:
            touched, self._touched = self._touched, {}
            for instance in touched.values():
                guest = self._guests.get(instance.id)
                if guest is None or not guest.alive:
                    continue
                of_guest, present = self._present.get(instance.id, (guest, set()))
                present = present if of_guest is guest else set()
                wanted = doors_of(instance, instance.ec2_backend)
                self._present[instance.id] = (guest, wanted)
                todo.append((guest, present - wanted, wanted - present))
        return todo


def _try(guest: Guest, change: Any, *arguments: Any) -> None:
    try:
        change(*arguments)
    except SandboxError as error:
        # A port that cannot be opened must not fail the call that asked for a rule.
        if guest.alive:
            log.warning("%s", error)
