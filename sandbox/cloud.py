# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What all regions of one sandbox share: time, machines, addresses, faults, the log of calls."""

from __future__ import annotations

import logging
import threading
from typing import Any, Callable, Dict, Optional

from sandbox.calls import CallLog
from sandbox.ec2.lag import Lag
from sandbox.faults import FaultBox, Faults
from sandbox.hosting import Guest, Hosting
from sandbox.lanes import Lanes
from sandbox.loopback import LoopbackPool
from sandbox.ports import Ports
from sandbox.settings import Settings

log = logging.getLogger(__name__)

#: Called with the error, or None when all went well; under the cloud's lock.
Done = Callable[[Optional[Exception]], None]


class Cloud:
    """One per process. `lock` is held by every API call and by every change of state in the background."""

    def __init__(self, settings: Settings, hosting: Hosting, pool: LoopbackPool, calls: CallLog) -> None:
        self.settings = settings
        self.hosting = hosting
        self.pool = pool
        self.calls = calls
        self.lock = threading.RLock()
        self.lanes = Lanes()
        self.faults = FaultBox()
        self.lag = Lag()
        #: Machines that are on, by instance id.
        self.guests: Dict[str, Guest] = {}
        self.ports = Ports(self.lock, self.guests)

    def later(self, lane: str, work: Optional[Callable[[], Any]], done: Done, delay: Optional[float] = None) -> None:
        """After `delay` (default: the pace) do `work` without the lock, then `done` with it."""

        def job() -> None:
            error = self._attempt(lane, work)
            with self.lock:
                done(error)

        self.lanes.submit(lane, job, self.settings.pace + self.faults.faults.slow if delay is None else delay)

    def guest(self, instance_id: str) -> Optional[Guest]:
        """The machine of an instance, if it is on."""
        guest = self.guests.get(instance_id)
        return guest if guest is not None and guest.alive else None

    def reset(self) -> None:
        """An empty account again: machines off, files gone, nothing waiting, no faults."""
        from moto.core.base_backend import BackendDict

        self.lanes.clear()
        with self.lock:
            self.stop_machines()
            BackendDict.reset()
            self.hosting.clear()
            self.pool.clear()
            self.faults.set(Faults())
            self.lag.clear()

    def stop_machines(self) -> None:
        """Cut the power of every machine."""
        for guest in self.guests.values():
            guest.kill()
        self.guests.clear()

    def close(self) -> None:
        """Let go of everything; the files stay for whoever wants to look."""
        self.lanes.close()
        self.stop_machines()
        self.pool.close()

    @staticmethod
    def _attempt(lane: str, work: Optional[Callable[[], Any]]) -> Optional[Exception]:
        try:
            if work:
                work()
        except Exception as error:
            log.exception("%s: %s", lane, error)
            return error
        return None
