# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""read → plan → apply → read back: the one way in which this collection changes anything."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Callable, Optional, Tuple

from .errors import NotConverged
from .plan import KNOWN_AFTER_APPLY, Change, Plan


class Target:
    """What can be reconciled. A subclass gives the three verbs; only `apply` may have an effect."""

    #: Seconds before each further look, where what was done may become visible late.
    settle: Tuple[float, ...] = ()

    def read(self) -> Any:
        """The actual state of everything concerned."""
        raise NotImplementedError

    def plan(self, actual: Any) -> Plan:
        """What has to change. Pure: no call, no clock; the same `actual` gives the same plan."""
        raise NotImplementedError

    def apply(self, plan: Plan, actual: Any) -> None:
        """Carry out the steps of `plan`, which was made from `actual`."""
        raise NotImplementedError


@dataclass(frozen=True)
class Outcome:
    """The plan, the state it was made from, and the state read back (None where nothing was applied)."""

    plan: Plan
    before: Any
    after: Optional[Any] = None

    @property
    def actual(self) -> Any:
        """The newest state that was read."""
        return self.before if self.after is None else self.after


def reconcile(target: Target, check_mode: bool, sleep: Callable[[float], None] = time.sleep) -> Outcome:
    """Bring `target` to what it declares, or only say what would change. Raises NotConverged where it stayed apart."""
    actual = target.read()
    plan = target.plan(actual)
    if check_mode or not plan.changed:
        return Outcome(plan, actual)
    target.apply(plan, actual)
    after = target.read()
    left = target.plan(after).effective
    for seconds in target.settle:
        if not left:
            break
        sleep(seconds)
        after = target.read()
        left = target.plan(after).effective
    if left:
        raise NotConverged(
            "was applied, but reading it back shows a difference",
            resource=", ".join(f"{change.kind} {change.name}" for change in left),
            found="; ".join(_remaining(change) for change in left),
            do="Something else may be changing it at the same time; run again, and see the API's own events.",
        )
    return Outcome(plan, actual, after)


def _remaining(change: Change) -> str:
    lines = [
        f"{attribute['name']}: {attribute['before']!r} where {attribute['after']!r} was applied"
        for attribute in change.attributes()
        if attribute["after"] != KNOWN_AFTER_APPLY
    ]
    return ", ".join(lines) or f"still to {change.action}"
