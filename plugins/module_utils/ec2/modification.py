# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A volume that is being modified, or was a short while ago: whether that is what is wanted, and when the next one may begin. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Mapping, Optional

from ..engine.errors import CallFailed

#: Codes that say that a modification is not taken now because of an earlier one.
TOO_SOON = ("IncorrectModificationState", "VolumeModificationRateExceeded")
#: How long AWS makes a volume wait (EBS User Guide, "Requirements for EBS volume modifications").
COOLDOWN = timedelta(hours=6)
_UNDER_WAY = ("modifying", "optimizing")
_TARGETS = ("Size", "VolumeType", "Iops", "Throughput", "MultiAttachEnabled")


def is_wish(found: Optional[Mapping[str, Any]], params: Mapping[str, Any]) -> bool:
    """Whether a modification under way leads to what `params` of ModifyVolume ask for: a lost answer, or a run that was killed."""
    if not found or found.get("ModificationState") not in _UNDER_WAY:
        return False
    return all(found.get(f"Target{name}") == params[name] for name in _TARGETS if name in params)


def too_soon(error: CallFailed, found: Optional[Mapping[str, Any]]) -> CallFailed:
    """`error` in words that say since when, and from when on it can be done."""
    state = str((found or {}).get("ModificationState") or "")
    begun = (found or {}).get("StartTime")
    since = when = progress = ""
    if isinstance(begun, datetime):
        since = f"the one before began {begun.isoformat(timespec='minutes')}, it is {state}"
        when = f"That is not before {(begun + COOLDOWN).isoformat(timespec='minutes')}. "
    if found and since and state in _UNDER_WAY and found.get("Progress") is not None:
        progress = f" ({found['Progress']} %)"
    return CallFailed(
        "the volume cannot be modified again yet",
        code=error.code,
        operation="ModifyVolume",
        found=since + progress or error.why,
        do="AWS takes the next modification of a volume 6 hours after the one before began, and when that is completed. "
        f"{when}Run again then; the declaration can stay as it is. Put all changes of a volume into one run: they are one modification.",
    )
