# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Unkind things that AWS does, on request: throttling, answers that get lost, reads that lag behind writes."""

from __future__ import annotations

import threading
import time
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Dict, Optional

from sandbox.trouble import SandboxError


@dataclass(frozen=True)
class Faults:
    """What is switched on. All zero: nothing is."""

    #: Calls per second that are let through, for each action; more are answered RequestLimitExceeded. 0: no limit.
    throttle: float = 0.0
    #: Calls that a bucket holds when it is full.
    throttle_burst: int = 10
    #: The next n writing calls are carried out, but the connection breaks before their answer.
    lose_responses: int = 0
    #: Seconds for which a new resource is not found by reading calls.
    read_lag: float = 0.0
    #: Launches that do not fit: comma-separated "zone", "type" or "zone/type".
    no_capacity: str = ""

    def changed(self, values: Dict[str, Any]) -> "Faults":
        """These faults with `values` put in; unknown names and unfit values are refused."""
        kinds: Dict[str, Any] = {field.name: type(getattr(self, field.name)) for field in fields(self)}
        unknown = sorted(set(values) - set(kinds))
        if unknown:
            raise SandboxError(f"no such fault: {', '.join(unknown)}; there are {', '.join(kinds)}")
        try:
            return replace(self, **{name: kinds[name](value) for name, value in values.items()})
        except ValueError as error:
            raise SandboxError(f"not a value for a fault: {error}") from error

    def to_dict(self) -> Dict[str, Any]:
        return asdict(self)


class FaultBox:
    """Decides call by call; one for a sandbox."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._buckets: Dict[str, "tuple[float, float]"] = {}
        self.faults = Faults()

    def set(self, faults: Faults) -> None:
        """Use `faults` from now on, with full buckets."""
        with self._lock:
            self.faults = faults
            self._buckets = {}

    def throttles(self, region: str, action: str, now: Optional[float] = None) -> bool:
        """Whether this call is one too many. As on AWS every action of a region has a bucket of its own."""
        rate, burst = self.faults.throttle, float(self.faults.throttle_burst)
        if not rate:
            return False
        now = time.monotonic() if now is None else now
        with self._lock:
            level, then = self._buckets.get(f"{region}/{action}", (burst, now))
            level = min(burst, level + (now - then) * rate)
            enough = level >= 1
            self._buckets[f"{region}/{action}"] = (level - 1 if enough else level, now)
        return not enough

    def loses(self, write: bool) -> bool:
        """Whether the answer to this call gets lost; counts down."""
        with self._lock:
            left = self.faults.lose_responses
            if not write or left <= 0:
                return False
            self.faults = replace(self.faults, lose_responses=left - 1)
            return True

    def lacks_capacity(self, zone: str, instance_type: str) -> bool:
        """Whether a launch of this type in this zone is refused."""
        lacking = {entry.strip() for entry in self.faults.no_capacity.split(",")} - {""}
        return bool(lacking & {zone, instance_type, f"{zone}/{instance_type}"})
