# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What everything that calls the API does: count its calls, and follow pages."""

from __future__ import annotations

import threading
import time
from typing import Any, Callable, Dict, List, Mapping

from ..engine.errors import CallFailed

Items = List[Dict[str, Any]]
#: How often a list is begun, and the API's words for a NextToken that is too old.
LISTINGS, PLACE_LOST = 3, ("InvalidNextToken", "InvalidPaginationToken", "ExpiredNextToken")


class Listing:
    """Calls that are counted. Safe to share between threads. Who inherits says how one call is made."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._operations = self._sends = 0
        self._started = time.monotonic()

    def call(self, operation: str, params: Mapping[str, Any]) -> Dict[str, Any]:
        """One API call; raises CallFailed."""
        raise NotImplementedError

    def pages(self, operation: str, result: str, params: Mapping[str, Any], seen: Callable[[Items], None] = lambda page: None) -> Items:
        """All items under `result` of a Describe call, whatever number of pages they come in; `seen` gets each page at once.

        A place in the list that the API has forgotten means to begin again, for a bounded number of times.
        """
        for _attempt in range(LISTINGS - 1):
            try:
                return self._pages(operation, result, params, seen)
            except CallFailed as error:
                if error.code not in PLACE_LOST:
                    raise
        return self._pages(operation, result, params, seen)

    def api(self) -> Dict[str, Any]:
        """What was done so far, for the `api` of a result."""
        with self._lock:
            return {
                "calls": self._sends,
                "retries": max(0, self._sends - self._operations),
                "seconds": round(time.monotonic() - self._started, 3),
            }

    def include(self, other: "Listing") -> None:
        """Count what `other` did, too."""
        with self._lock:
            self._operations, self._sends = self._operations + other._operations, self._sends + other._sends
            self._started = min(self._started, other._started)

    def _pages(self, operation: str, result: str, params: Mapping[str, Any], seen: Callable[[Items], None]) -> Items:
        request = dict(params)
        items: Items = []
        while True:
            response = self.call(operation, request)
            page = response.get(result) or []
            seen(page)
            items += page
            if not response.get("NextToken"):
                return items
            request["NextToken"] = response["NextToken"]

    def _begin(self) -> None:
        """Another operation, which may be sent more than once."""
        with self._lock:
            self._operations += 1

    def _send_again(self) -> None:
        """One more request goes out."""
        with self._lock:
            self._sends += 1
