# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What goes from a series: neither the newest, nor what is in use or protected, nor the last one that is complete. Pure."""

from __future__ import annotations

from typing import List, NamedTuple, Sequence, Tuple

from ...aws import tags as tag_words
from .state import Backup, Facts, World, age

_DAY = 86400.0
GOOD = ("completed", "available")
_COMING = ("pending", "transient")


class Verdict(NamedTuple):
    """What goes, and (what stays although its time has come, why)."""

    going: List[Facts]
    staying: List[Tuple[Facts, str]]


def verdict(backup: Backup, world: World, coming: bool) -> Verdict:
    """What retention says of a series. `coming`: one more is made by the same plan, which then is the newest."""
    ordered = sorted(world.series, key=lambda fact: (_created(fact), str(fact["id"])), reverse=True)
    certain = coming and backup.wait
    last_good = None if certain else next((_created(fact) for fact in ordered if fact["state"] in GOOD), None)
    going: List[Facts] = []
    staying: List[Tuple[Facts, str]] = []
    for fact in _too_many(backup, ordered, world.now, coming):
        reasons = [*world.users.get(str(fact["id"]), ())]
        if is_protected(fact):
            reasons.append(f"the tag {tag_words.PROTECTED}")
        if fact["state"] in GOOD and _created(fact) == last_good:
            reasons.append("that it is the last one known to be complete")
        if reasons:
            staying.append((fact, ", ".join(reasons)))
        else:
            going.append(fact)
    return Verdict(going, staying)


def is_protected(fact: Facts) -> bool:
    """Whether its tag protects it."""
    return str(fact["tags"].get(tag_words.PROTECTED, "")).lower() in ("true", "yes", "1")


def _too_many(backup: Backup, ordered: Sequence[Facts], now: float, coming: bool) -> List[Facts]:
    """What neither `newest` nor `days` keeps; one that failed is worth nothing and counts for nothing."""
    keep = backup.keep
    counted = [fact for fact in ordered if fact["state"] in (*GOOD, *_COMING)]
    # An image's time has whole seconds (CreationDate in DescribeImages): of several from one second none is known to be the newest.
    newest = (keep.newest or 0) - (1 if coming else 0)
    since = _created(counted[:newest][-1]) if newest > 0 and counted else None
    kept = {
        str(fact["id"])
        for fact in counted
        if (since is not None and _created(fact) >= since) or (keep.days is not None and age(fact, now) < keep.days * _DAY)
    }
    return [fact for fact in ordered if str(fact["id"]) not in kept and fact["name"] != backup.name]


def _created(fact: Facts) -> str:
    """When it was made, as `state.moment` writes it; what has no time sorts as the oldest."""
    return str(fact["created"] or "")
