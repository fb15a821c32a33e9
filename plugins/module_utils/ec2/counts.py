# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Members of a fleet that are alike, as one entry with a count. Pure."""

from __future__ import annotations

import re
from typing import Any, Dict, List, Mapping, Optional, Sequence

Entry = Dict[str, Any]
_NUMBERED = re.compile(r"^(.+)-([1-9][0-9]*)$")


def with_counts(entries: Sequence[Entry]) -> List[Entry]:
    """`web-1` to `web-3` that are alike but for their zones become one entry with a count."""
    groups: Dict[str, Dict[int, Entry]] = {}
    for entry in entries:
        found = _NUMBERED.match(str(entry["name"]))
        if found:
            groups.setdefault(found.group(1), {})[int(found.group(2))] = entry
    folded: List[Entry] = [entry for entry in entries if not _NUMBERED.match(str(entry["name"]))]
    for base, numbered in groups.items():
        together = _together(base, [numbered.get(number) for number in range(1, len(numbered) + 1)])
        folded += [together] if together else list(numbered.values())
    return folded


def _together(base: str, members: Sequence[Optional[Entry]]) -> Optional[Entry]:
    """Members 1 to n as one entry, None where they differ or one is missing."""
    there = [one for one in members if one is not None]
    if len(there) < 2 or len(there) < len(members):
        return None
    alike = [{name: value for name, value in without_ids(one).items() if name not in ("name", "zone")} for one in there]
    zones = [one["zone"][0] if one.get("zone") else None for one in there]
    turns = next(turns for turns in range(1, len(zones) + 1) if all(zone == zones[index % turns] for index, zone in enumerate(zones)))
    if any(one != alike[0] for one in alike) or len(set(zones[:turns])) < turns or (None in zones and any(zones)):
        return None
    zone = {"zone": zones[:turns]} if zones[0] else {}
    return {"name": base, "count": len(there), **alike[0], **zone}


def without_ids(entry: Mapping[str, Any]) -> Entry:
    """An entry without the ids that were only of use here."""
    kept = {name: value for name, value in entry.items() if name != "id"}
    if "volumes" in kept:
        kept["volumes"] = [without_ids(one) for one in kept["volumes"]]
    return kept
