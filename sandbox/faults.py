# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Unkind things that AWS does, on request: throttling, answers that get lost, reads that lag behind writes, launches that fail."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any, Dict, Optional, Tuple

from sandbox.trouble import SandboxError


@dataclass(frozen=True)
class Faults:
    """What is switched on. All zero: nothing is."""

    #: Calls per second that are let through, for each action; more are answered RequestLimitExceeded. 0: no limit.
    throttle: float = 0.0
    #: Calls that a bucket holds when it is full.
    throttle_burst: int = 10
    #: The share of calls, 0 to 1, that is answered RequestLimitExceeded whatever their rate, as others in the account cause it.
    throttle_share: float = 0.0
    #: The next n writing calls are carried out, but the connection breaks before their answer.
    lose_responses: int = 0
    #: The share of writing calls, 0 to 1, to which that happens.
    lose_share: float = 0.0
    #: The next n calls find the connection reset before they are carried out.
    reset_connections: int = 0
    #: Seconds for which a new resource is not found by reading calls.
    read_lag: float = 0.0
    #: Launches that do not fit: comma-separated "zone", "type" or "zone/type".
    no_capacity: str = ""
    #: Seconds that every passing state (pending, creating, attaching, …) lasts longer.
    slow: float = 0.0
    #: The next n launches begin, and end as terminated.
    fail_launches: int = 0
    #: The next n volumes are made, and end in the state error.
    fail_volumes: int = 0
    #: 1: the credentials of every caller have expired.
    expired_credentials: int = 0
    #: Seconds that the clock of the service is ahead of this machine's.
    clock_skew: float = 0.0

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


#: Seconds by which the date of a request may be off: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
DATE_TOLERANCE = 900.0

#: Status, code and message of an answer.
Refusal = Tuple[int, str, str]


class FaultBox:
    """Decides call by call; one for a sandbox."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._buckets: Dict[str, "tuple[float, float]"] = {}
        self._dice = random.Random(0)  # noqa: S311 - the same faults in every run
        self.faults = Faults()

    def set(self, faults: Faults) -> None:
        """Use `faults` from now on, with full buckets."""
        with self._lock:
            self.faults = faults
            self._buckets = {}
            self._dice.seed(0)

    def refuses(self, region: str, action: str, date: str) -> Optional[Refusal]:
        """The answer to a call that is not carried out, dated as in its X-Amz-Date; None for one that is."""
        if self.faults.expired_credentials:
            return 400, "RequestExpired", "Request has expired."
        if self.faults.clock_skew and abs(_age(date) + self.faults.clock_skew) > DATE_TOLERANCE:
            return 400, "RequestExpired", f"Request has expired. Timestamp date is {date}."
        if self._happens(self.faults.throttle_share) or self.throttles(region, action):
            return 503, "RequestLimitExceeded", "Request limit exceeded."
        return None

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
        return write and (self.counts_down("lose_responses") or self._happens(self.faults.lose_share))

    def counts_down(self, fault: str) -> bool:
        """Whether one more of the next n, to which `fault` happens, is left; then it is one less."""
        with self._lock:
            left = getattr(self.faults, fault)
            if left > 0:
                self.faults = replace(self.faults, **{fault: left - 1})
            return bool(left > 0)

    def _happens(self, share: float) -> bool:
        with self._lock:
            return bool(share) and self._dice.random() < share

    def lacks_capacity(self, zone: str, instance_type: str) -> bool:
        """Whether a launch of this type in this zone is refused."""
        lacking = {entry.strip() for entry in self.faults.no_capacity.split(",")} - {""}
        return bool(lacking & {zone, instance_type, f"{zone}/{instance_type}"})


def _age(date: str) -> float:
    """Seconds since the date of a request; 0 for one that has none."""
    try:
        stamp = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return 0.0
    return (datetime.now(UTC) - stamp).total_seconds()
