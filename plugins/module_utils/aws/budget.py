# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How fast one account and region may be asked: a token bucket for each operation, shared by all threads of a task.

The API counts requests per operation, account and region, and refuses what is too much with an error that costs a pause. Staying
below its limit is faster than being thrown back. The limits are Amazon's published defaults; an account can have higher ones, and
shares them with others, so each bucket learns: slower when it is throttled, faster while it holds requests back and is not. Tasks that
run at the same time in several processes share nothing but these answers, which bring each of them down to its part.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Callable, Dict, Mapping, Optional


@dataclass(frozen=True)
class Limit:
    """Requests at once, and requests a second after that."""

    burst: float
    rate: float


#: Defaults per account and region, from the tables "Request token bucket sizes and refill rates" of
#: https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html (as published in 2025; none of the numbers is assumed).
#: Describe, Get, List and Search; and whatever else has no numbers of its own there, such as AttachVolume or AssociateAddress.
READING = Limit(100, 20)
CHANGING = Limit(50, 5)
#: Most of what has numbers of its own.
_LARGER = Limit(100, 5)
LIMITS: Mapping[str, Limit] = {
    "RunInstances": Limit(5, 2),
    "StartInstances": Limit(5, 2),
    "TerminateInstances": _LARGER,
    "CreateTags": Limit(100, 10),
    "DeleteTags": Limit(100, 10),
    "CreateVolume": _LARGER,
    "DeleteVolume": _LARGER,
    "CreateSnapshot": _LARGER,
    "CreateSnapshots": _LARGER,
    "DeleteSnapshot": _LARGER,
    "ModifySnapshotAttribute": _LARGER,
    "CopyImage": Limit(100, 1),
    "DeregisterImage": _LARGER,
    "ModifyImageAttribute": _LARGER,
    "AssociateIamInstanceProfile": _LARGER,
    "DisassociateIamInstanceProfile": _LARGER,
    "ModifyInstanceMetadataOptions": _LARGER,
    "ModifyNetworkInterfaceAttribute": _LARGER,
    # asked for by ids: neither filtered nor paginated, which has the smaller bucket
    "DescribeInstanceStatus": Limit(50, 10),
}
#: Not kept here: the second buckets, of instances instead of requests (RunInstances and StartInstances 1,000 at once and 2 a second,
#: StopInstances and TerminateInstances 1,000 and 20). They are reached only beyond 1,000 instances, and then answer like the others.
_READING = ("Describe", "Get", "List", "Search")

#: What is left of a rate after the API has said that it is too high.
_SLOWER = 0.7
#: How much is added for each request that was held back in vain: a part of the published rate, and no more than a part of the present
#: one, so that many who share a limit do not all jump at once.
_FASTER = 0.03
_GENTLY = 0.05
#: A rate never falls below this part of the published one: so many processes (forks) can share a limit that none knows the others of.
_LEAST = 0.02
#: Seconds over which the rate of an unlimited operation is measured, for the time when it is throttled.
_MEASURED = 1.0


def limit_of(operation: str) -> Limit:
    """The published limit of an operation."""
    return LIMITS.get(operation, READING if operation.startswith(_READING) else CHANGING)


class Budget:
    """The buckets of one account and region. `published`: whether the published limits hold there from the start."""

    def __init__(
        self,
        published: bool = True,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._published = published
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._buckets: Dict[str, _Bucket] = {}

    def take(self, operation: str) -> float:
        """Wait until one more request fits; the seconds that it took. Whoever asks first goes first."""
        with self._lock:
            pause = self._bucket(operation).take(self._clock())
        if pause > 0:
            self._sleep(pause)
        return pause

    def throttled(self, operation: str) -> None:
        """The API has refused a request as one too many."""
        with self._lock:
            self._bucket(operation).throttled(self._clock())

    def rate(self, operation: str) -> Optional[float]:
        """Requests a second at the moment; None where nothing limits them."""
        with self._lock:
            return self._bucket(operation).rate

    def _bucket(self, operation: str) -> "_Bucket":
        if operation not in self._buckets:
            self._buckets[operation] = _Bucket(limit_of(operation), self._published, self._clock())
        return self._buckets[operation]


class _Bucket:
    def __init__(self, limit: Limit, limited: bool, now: float) -> None:
        self._limit = limit
        self.rate: Optional[float] = limit.rate if limited else None
        #: Below zero: so many requests are waiting already.
        self._level = limit.burst
        self._then = now
        self._since, self._recent = now, 0

    def take(self, now: float) -> float:
        if self.rate is None:
            self._measure(now)
            return 0.0
        self._level = min(self._limit.burst, self._level + (now - self._then) * self.rate) - 1
        self._then = now
        if self._level >= 0:
            return 0.0
        pause = -self._level / self.rate
        self.rate += min(_FASTER * self._limit.rate, _GENTLY * self.rate)
        return pause

    def throttled(self, now: float) -> None:
        if self.rate is None:
            self.rate = max(self._recent / max(_MEASURED, now - self._since), self._limit.rate)
        self.rate = max(self.rate * _SLOWER, self._limit.rate * _LEAST)
        self._level, self._then = min(self._level, 0.0), now

    def _measure(self, now: float) -> None:
        if now - self._since > _MEASURED:
            self._since, self._recent = now, 0
        self._recent += 1
