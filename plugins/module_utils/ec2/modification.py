# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A volume that is being modified, or was a short while ago: whether that is what is wanted, and when the next one may begin. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Mapping, Optional

from ..engine.errors import CallFailed

#: Codes that say that a modification is not taken now because of an earlier one.
TOO_SOON = ("IncorrectModificationState", "VolumeModificationRateExceeded")
_UNDER_WAY = ("modifying", "optimizing")
_TARGETS = ("Size", "VolumeType", "Iops", "Throughput", "MultiAttachEnabled")


def is_wish(found: Optional[Mapping[str, Any]], params: Mapping[str, Any]) -> bool:
    """Whether a modification under way leads to what `params` of ModifyVolume ask for: a lost answer, or a run that was killed."""
    if not found or found.get("ModificationState") not in _UNDER_WAY:
        return False
    return all(found.get(f"Target{name}") == params[name] for name in _TARGETS if name in params)


def too_soon(error: CallFailed, found: Optional[Mapping[str, Any]]) -> CallFailed:
    """`error` with the modification that is in the way. When the next is taken is AWS's to say: the rule has changed over the years.

    It was six hours after the one before; the API of 2025 says four in any 24 hours, each after the one before is completed.
    """
    state = str((found or {}).get("ModificationState") or "")
    begun, progress = (found or {}).get("StartTime"), (found or {}).get("Progress")
    since = f"the one before began {begun.isoformat(timespec='minutes')}, it is {state}" if isinstance(begun, datetime) else ""
    if since and state in _UNDER_WAY and progress is not None:
        since = f"{since} ({progress} %)"
    return CallFailed(
        "the volume cannot be modified again yet",
        code=error.code,
        operation="ModifyVolume",
        found="; ".join(words for words in (since, error.why) if words),
        do="AWS takes the next modification of a volume when the one before is completed, and only a few in a day (six hours apart, or "
        "four in 24 hours). Run again then; the declaration can stay as it is. All changes of a volume in one run are one modification.",
    )
