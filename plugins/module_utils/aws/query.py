# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Calls that only look, to one region of many, in a part of the time that a client of botocore's takes for each of them.

Making such a client takes 12 ms, the first one of a process 200 ms and each call some milliseconds more: nothing for one region,
and most of the time of an inventory of seventeen. What is done here instead is small because only Describe calls are made.
"""

from __future__ import annotations

import random
import time
from typing import Any, Callable, Dict, Mapping, Optional, Tuple
from urllib.parse import urlsplit

from ..engine.errors import CallFailed
from .budget import Budget
from .client import Transport
from .connection import AMAZON
from .failures import answer_lost, from_api_error, from_local_error, is_throttling
from .listing import Listing
from .wire import Reader, Unreadable, encoded, error_of

#: What may be different the next time, besides throttling and an answer that got lost: codes, and statuses of HTTP.
_PASSING, _SERVER_STATUS = ("RequestTimeout", "RequestTimeoutException", "PriorRequestNotComplete"), (500, 502, 503, 504)
#: Nobody was reached. An endpoint that the user has named is not tried again: that nobody listens there is said at once.
_NOT_REACHED = ("ConnectTimeoutError", "EndpointConnectionError")
#: Seconds that a pause takes at most, as in botocore's standard mode.
_LONGEST = 20.0


class _Again(Exception):
    """It has failed, and may not the next time."""

    def __init__(self, error: CallFailed) -> None:
        super().__init__(error.message)
        self.error = error


class QueryClient(Listing):
    """Describe calls in one region, counted, retried, paged; errors are those of client.Client. Safe to share between threads."""

    def __init__(
        self,
        transport: Transport,
        region: str,
        reader: Reader,
        attempts: int,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """A call is sent up to `attempts` times; `reader` knows the answers of the operations that will be called."""
        super().__init__()
        self.region = region
        self.endpoint = transport.endpoint(region)
        host = urlsplit(self.endpoint).hostname or ""
        self._is_amazon = host.endswith(AMAZON)
        self.budget = Budget(published=self._is_amazon)
        self._transport = transport
        self._reader = reader
        self._attempts = attempts
        self._sleep = sleep
        self._random = random.Random()  # noqa: S311 - it spreads repetitions over time
        self._from: Optional[float] = None
        self._until = 0.0

    def call(self, operation: str, params: Mapping[str, Any]) -> Dict[str, Any]:
        """One API call; raises CallFailed when it has failed for the last time, or for a reason that stays."""
        self._begin()
        body = encoded(operation, params)
        for attempt in range(self._attempts - 1):
            try:
                return self._attempt(operation, body)
            except _Again:
                # as botocore's standard mode does: by chance, up to 1, 2, 4 … seconds
                self._sleep(min(self._random.random() * 2**attempt, _LONGEST))
        try:
            return self._attempt(operation, body)
        except _Again as again:
            raise again.error from again

    def api(self) -> Dict[str, Any]:
        """Calls and retries, and the seconds from the first question to the last answer."""
        with self._lock:
            spent = self._until - self._from if self._from is not None else 0.0
        return {**super().api(), "seconds": round(max(0.0, spent), 3)}

    def _attempt(self, operation: str, body: bytes) -> Dict[str, Any]:
        self.budget.take(operation)
        self._send_again()
        try:
            status, headers, answer = self._timed(operation, body)
        except CallFailed as error:
            if answer_lost(error) or (error.code in _NOT_REACHED and self._is_amazon):
                raise _Again(error) from error
            raise
        if status < 300:
            return self._read(operation, answer)
        raise self._refused(operation, status, headers, answer)

    def _timed(self, operation: str, body: bytes) -> Tuple[int, Mapping[str, str], bytes]:
        with self._lock:
            self._from = time.monotonic() if self._from is None else self._from
        try:
            return self._transport.send(operation, self.region, body)
        finally:
            with self._lock:
                self._until = time.monotonic()

    def _read(self, operation: str, answer: bytes) -> Dict[str, Any]:
        try:
            return self._reader.read(operation, answer)
        except Unreadable as error:
            raise _Again(from_local_error("ResponseParserError", str(error), operation, self.endpoint)) from error

    def _refused(self, operation: str, status: int, headers: Mapping[str, str], answer: bytes) -> Exception:
        """The error for an answer that says no."""
        said = error_of(answer, status)
        throttled = is_throttling(said["Code"])
        if throttled:
            self.budget.throttled(operation)
        response = {"Error": said, "ResponseMetadata": {"HTTPHeaders": {name.lower(): value for name, value in headers.items()}}}
        error = from_api_error(response, f"ec2:{operation}", self.endpoint, time.time())
        return _Again(error) if throttled or status in _SERVER_STATUS or said["Code"] in _PASSING else error
