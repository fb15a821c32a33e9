# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads that lag behind writes: what was just made is not found for a while, as it happens on AWS."""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, List, Optional, Set

from sandbox.errors import Ec2Error

#: Where the id of what a call makes stands in its result, and which error names it while it is not found.
MADE = {
    "RunInstances": ("instances", "InvalidInstanceID.NotFound", "instance ID"),
    "CreateVolume": ("id", "InvalidVolume.NotFound", "volume"),
    "CreateSnapshot": ("id", "InvalidSnapshot.NotFound", "snapshot"),
    "CreateSecurityGroup": ("GroupId", "InvalidGroup.NotFound", "security group"),
    "AllocateAddress": ("AllocationId", "InvalidAllocationID.NotFound", "allocation ID"),
    "CreateImage": ("ImageId", "InvalidAMIID.NotFound", "image id"),
}
ID_ATTRIBUTES = ("id", "group_id", "allocation_id")


class Lag:
    """What is hidden, and until when."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: Dict[str, float] = {}
        self._errors: Dict[str, "tuple[str, str]"] = {}

    def made(self, action: str, result: Any, seconds: float) -> None:
        """Hide what a call has made for `seconds`."""
        if not seconds or action not in MADE:
            return
        place, code, noun = MADE[action]
        for identity in _ids(result, place):
            self._until[identity] = self._clock() + seconds
            self._errors[identity] = (code, noun)

    def check(self, params: Any) -> None:
        """EC2's error if a request names something that is still hidden. A filter names nothing: it finds what there is."""
        hidden = self._hidden()
        named = {name: value for name, value in params.items() if name not in ("Filters", "Filter")} if hidden else {}
        for identity in sorted(hidden & _strings(named)):
            code, noun = self._errors[identity]
            raise Ec2Error(code, f"The {noun} '{identity}' does not exist")

    def visible(self, result: Any) -> Any:
        """A result's lists without what is still hidden."""
        hidden = self._hidden()
        if not hidden or not isinstance(result, dict):
            return result
        return {key: _without(value, hidden) if isinstance(value, list) else value for key, value in result.items()}

    def clear(self) -> None:
        """Hide nothing."""
        self._until.clear()

    def _hidden(self) -> Set[str]:
        now = self._clock()
        self._until = {identity: until for identity, until in self._until.items() if until > now}
        return set(self._until)


def _ids(result: Any, place: str) -> List[str]:
    if place == "instances":
        return [instance.id for instance in result.instances]
    value: Optional[str] = result.get(place) if isinstance(result, dict) else getattr(result, place)
    return [value] if value else []


def _strings(params: Any) -> Set[str]:
    """All strings in a request, however deep."""
    if isinstance(params, str):
        return {params}
    values = params.values() if isinstance(params, dict) else params if isinstance(params, list) else ()
    return set().union(*(_strings(value) for value in values))


def _without(items: List[Any], hidden: Set[str]) -> List[Any]:
    left = []
    for item in items:
        if isinstance(item, dict) and "Instances" in item:
            instances = _without(item["Instances"], hidden)
            left += [{**item, "Instances": instances}] if instances else []
        elif not hidden & {getattr(item, name, None) for name in ID_ATTRIBUTES}:
            left.append(item)
    return left
