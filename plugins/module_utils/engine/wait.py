# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Waiting as data: what is waited for, when to look next, when to give up. No clock, no call; standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Tuple

from .errors import SteadfastError, TimedOut


@dataclass(frozen=True)
class Wait:
    """Until `done(seen)` holds for one thing. All waits of a `kind` share one look."""

    kind: str
    identity: str
    until: str
    #: Pure; gets what a look showed of it (None: not there). Raises where it can no longer be reached.
    done: Callable[[Any], bool]
    #: What to call the state of what was seen, for the error.
    state: Callable[[Any], str]


@dataclass(frozen=True)
class Pace:
    """How often to look: `first` seconds after the start, then `growth` times longer each time, up to `most`."""

    first: float = 0.3
    growth: float = 1.5
    most: float = 5.0
    #: While calls are in flight that may begin further waits, one look for all of them is put off for so long.
    gather: float = 2.0

    def delay(self, looks: int) -> float:
        """Seconds between look number `looks` and the next."""
        return min(self.most, self.first * self.growth ** min(looks, 32))


@dataclass
class _Pending:
    wait: Wait
    deadline: float
    seen: Any = None


class Waits:
    """The waits under way. Time comes from the caller, so a test needs none."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._pending: Dict[Any, _Pending] = {}
        self._looks = 0
        self._next: Optional[float] = None

    def __bool__(self) -> bool:
        return bool(self._pending)

    def add(self, key: Any, wait: Wait, now: float, seconds: float) -> None:
        """Start to wait; `key` comes back from `settle`. A new wait makes the next look an early one."""
        self._pending[key] = _Pending(wait, now + seconds)
        self._looks = min(self._looks, 1)
        soon = now + self._pace.delay(self._looks)
        self._next = soon if self._next is None else min(self._next, soon)

    def seconds_left(self, now: float, idle: bool) -> Optional[float]:
        """Seconds to the next look, None while nothing is waited for. `idle`: no call is in flight."""
        if self._next is None or not self._pending:
            return None
        return max(0.0, self._next + (0.0 if idle else self._pace.gather) - now)

    def wanted(self) -> Dict[str, List[str]]:
        """{kind: identities} to look at."""
        kinds: Dict[str, List[str]] = {}
        for pending in self._pending.values():
            kinds.setdefault(pending.wait.kind, []).append(pending.wait.identity)
        return {kind: sorted(set(identities)) for kind, identities in kinds.items()}

    def drop(self, kind: str) -> List[Any]:
        """Stop waiting for all of `kind`; their keys."""
        keys = [key for key, pending in self._pending.items() if pending.wait.kind == kind]
        for key in keys:
            del self._pending[key]
        return keys

    def settle(self, seen: Dict[str, Dict[str, Any]], now: float) -> List[Tuple[Any, Optional[SteadfastError]]]:
        """Take in one look, {kind: {identity: …}}. What is over comes back, with its error if it failed."""
        over: List[Tuple[Any, Optional[SteadfastError]]] = []
        for key, pending in list(self._pending.items()):
            if pending.wait.kind not in seen:
                continue
            pending.seen = seen[pending.wait.kind].get(pending.wait.identity)
            finished, error = _verdict(pending, now)
            if finished:
                del self._pending[key]
                over.append((key, error))
        self._looks += 1
        self._next = now + self._pace.delay(self._looks) if self._pending else None
        return over


def _verdict(pending: _Pending, now: float) -> Tuple[bool, Optional[SteadfastError]]:
    wait = pending.wait
    try:
        if wait.done(pending.seen):
            return True, None
    except SteadfastError as error:
        return True, error
    if now < pending.deadline:
        return False, None
    return True, TimedOut(
        "did not get there in the time given",
        resource=f"{wait.kind} {wait.identity}",
        wanted=wait.until,
        found=wait.state(pending.seen),
        do="Run again: what was done stays. Raise wait_timeout if it is only slow.",
    )
