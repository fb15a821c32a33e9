# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The form in which a cache keeps what the regions said. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .hosts import ATTRIBUTES, NAMING
from .regions import Answer

_TEXTS = {*ATTRIBUTES, *NAMING.values(), "name", "fleet", "member"}


def to_cache(answer: Answer) -> dict[str, Any]:
    """A form that every cache can keep: moments as text."""
    raw = json.loads(json.dumps(answer.raw, default=lambda moment: moment.isoformat()))
    return {"instances": answer.instances, "image_names": answer.image_names, "raw": raw}


def from_cache(stored: Any, raw: bool) -> Answer | None:
    """What was put there; None where it is anything else, so that it has to be asked for. `raw` where that form is needed too."""
    if not isinstance(stored, Mapping) or set(stored) != {"instances", "image_names", "raw"}:
        return None
    instances, image_names, raws = stored["instances"], stored["image_names"], stored["raw"]
    if not isinstance(instances, list) or not all(_is_instance(one) for one in instances):
        return None
    if not isinstance(raws, Mapping) or (raw and not all(isinstance(raws.get(one["id"]), Mapping) for one in instances)):
        return None
    return Answer(instances=instances, image_names=dict(image_names), raw=dict(raws)) if _are_texts(image_names) else None


def _is_instance(one: Any) -> bool:
    """Whether hosts can be made of it."""
    if not isinstance(one, Mapping) or not set(one) >= _TEXTS or not all(isinstance(one[name], (str, type(None))) for name in _TEXTS):
        return False
    return bool(one["id"]) and bool(one["region"]) and _are_texts(one.get("tags")) and isinstance(one.get("volumes"), Mapping)


def _are_texts(found: Any) -> bool:
    return isinstance(found, Mapping) and all(isinstance(value, str) for value in found.values())
