# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What keeps anything from being made twice: a token that a wish always gets, and a look for what a lost answer may have made."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Callable, Mapping, Optional, Sequence, TypeVar

from ..aws.failures import answer_lost
from ..engine.errors import CallFailed

Found = TypeVar("Found")
Sleep = Callable[[float], None]

#: Seconds between looks for what a lost answer may have made; new things become visible late.
PAUSES = (0.5, 1.0, 1.5, 2.0)


def token(params: Mapping[str, Any], generation: int) -> str:
    """The same wish gets the same token in every run; at most 64 ASCII characters, as the API demands."""
    text = json.dumps([params, generation], sort_keys=True, default=str)
    return "steadfast-" + hashlib.sha256(text.encode("utf-8")).hexdigest()[:48]


def look_for(look: Callable[[], Optional[Found]], sleep: Sleep, pauses: Sequence[float] = PAUSES) -> Optional[Found]:
    """What `look` finds after one of the pauses; None where it never finds anything."""
    for seconds in pauses:
        sleep(seconds)
        found = look()
        if found:
            return found
    return None


def sent_once(send: Callable[[], Found], look: Callable[[], Optional[Found]], sleep: Sleep) -> Found:
    """The answer of `send`, for what has no token: where it is lost, what `look` finds tells whether it was carried out."""
    try:
        return send()
    except CallFailed as error:
        found = look_for(look, sleep) if answer_lost(error) else None
        if found is None:
            raise
        return found
