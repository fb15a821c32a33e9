# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tags: their API form, what may be changed of them, and who owns a resource by them. Pure."""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Mapping, Optional

FLEET = "steadfast:fleet"
MEMBER = "steadfast:name"
PROTECTED = "steadfast:protected"
USER_DATA = "steadfast:user-data"
#: On an instance that was stopped only to be started again: so the next run starts it, if this one dies in between.
RESTARTING = "steadfast:restarting"
#: On an instance that is taking the place of another: that one's id (with ":stopped" where the new one is to be stopped too) and
#: what moves from it, as {prefix + attach name: volume id}.
REPLACES = "steadfast:replaces"
MOVES = "steadfast:moves:"
NAME = "Name"
#: Never removed by a purge: Amazon's, ours, and the readable name.
_KEPT = ("aws:", "steadfast:")


def from_api(raw: Optional[Iterable[Mapping[str, str]]]) -> Dict[str, str]:
    """A plain mapping from the API's list of Key and Value."""
    return {tag["Key"]: tag.get("Value", "") for tag in raw or ()}


def to_api(tags: Mapping[str, str]) -> List[Dict[str, str]]:
    """The API's list of Key and Value, in order of key."""
    return [{"Key": key, "Value": str(value)} for key, value in sorted(tags.items())]


def specification(resource_type: str, tags: Mapping[str, str]) -> Dict[str, Any]:
    """One entry of TagSpecifications."""
    return {"ResourceType": resource_type, "Tags": to_api(tags)}


def wanted(actual: Mapping[str, str], declared: Optional[Mapping[str, str]], own: Mapping[str, str], purge: bool) -> Dict[str, str]:
    """The tags that should be there: `own` always, `declared` if any, and of `actual` what no purge removes."""
    kept = {key: value for key, value in actual.items() if declared is None or not purge or key.startswith(_KEPT) or key == NAME}
    return {**kept, **own, **(declared or {})}


def readable(name: str) -> str:
    """The Name tag for an address inside a fleet: `web-1/images` reads `web-1-images`."""
    return name.replace("/", "-")


def identity(fleet: Optional[str], name: str) -> Dict[str, str]:
    """The tags by which a resource is found again."""
    if fleet is None:
        return {NAME: name}
    return {FLEET: fleet, MEMBER: name, NAME: readable(name)}
