# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Client tokens: the same request twice is one request."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Dict, List, Mapping, Optional, Tuple

from sandbox.errors import Ec2Error


class Tokens:
    """What was made for which token, in one region."""

    def __init__(self) -> None:
        self._made: Dict[Tuple[str, str], Tuple[str, List[str]]] = {}

    def made_for(self, action: str, request: Mapping[str, Any]) -> Optional[List[str]]:
        """The ids made by an earlier request with this token, or None; another request under it is an error."""
        token = request.get("ClientToken")
        known = self._made.get((action, token)) if token else None
        if known is None:
            return None
        if known[0] != fingerprint(request):
            raise Ec2Error(
                "IdempotentParameterMismatch",
                f"The client token {token} was used before with other parameters. Use another token.",
            )
        return known[1]

    def remember(self, action: str, request: Mapping[str, Any], ids: List[str]) -> None:
        """Answer the next request with this token by `ids`."""
        token = request.get("ClientToken")
        if token:
            self._made[(action, token)] = (fingerprint(request), ids)

    def forget(self, action: str, request: Mapping[str, Any]) -> None:
        """Take the next request with this token as a new one."""
        self._made.pop((action, str(request.get("ClientToken"))), None)


def fingerprint(request: Mapping[str, Any]) -> str:
    """A digest of what a request asks for; the token itself is no part of it."""
    asked = {name: value for name, value in request.items() if name not in ("ClientToken", "DryRun")}
    return hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()
