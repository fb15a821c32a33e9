# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Asks the web server for a page until it answers as declared, or fails saying what it answered instead."""

from __future__ import annotations

import http.client
import re
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any, Dict, Optional, Tuple

from ..engine.errors import InvalidInput, SteadfastError

PAUSE = 0.5
BODY_LIMIT = 1 << 20


def without_secrets(url: str) -> str:
    """The URL without name, password and query, which may hold what is nobody's business."""
    return re.sub(r"//[^/]*@", "//", url.partition("?")[0])


class ProbeFailed(SteadfastError):
    """The page is not served as declared."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer like any other: the probe is about this machine, not about where it leads."""

    def redirect_request(self, *args: Any) -> None:
        return None


@dataclass(frozen=True)
class Probe:
    """Which page is asked for, and what counts as served."""

    url: str
    status: Tuple[int, ...] = (200,)
    contains: str = ""
    host: str = ""
    timeout: float = 15

    @classmethod
    def from_params(cls, params: Dict[str, Any]) -> "Probe":
        """The probe as the module's option gives it; raises InvalidInput for one that nothing could pass."""
        if not params["url"].startswith(("http://", "https://")):
            raise InvalidInput("must start with http:// or https://", resource="probe.url", found=without_secrets(params["url"]))
        if not params["status"] or not all(100 <= status <= 599 for status in params["status"]):
            do = "Give at least one, as in [200]; leave it out for 200."
            raise InvalidInput("must be statuses of HTTP, 100 to 599", resource="probe.status", found=str(params["status"]), do=do)
        if params["timeout"] < 0:
            do = "Give 0 to ask once."
            raise InvalidInput("must not be negative", resource="probe.timeout", found=f"{params['timeout']:g}", do=do)
        return cls(
            params["url"],
            tuple(params["status"]),
            params.get("contains") or "",
            params.get("host") or "",
            params["timeout"],
        )

    def __call__(self) -> None:
        """Return once the page is served as declared; raises ProbeFailed when it is not in time."""
        end = time.monotonic() + self.timeout
        wrong = self.ask()
        while wrong and time.monotonic() < end:
            time.sleep(PAUSE)
            wrong = self.ask()
        if wrong:
            raise ProbeFailed(
                "the page is not served as declared after the switch, so the link leads back to the release before",
                resource=without_secrets(self.url),
                wanted=" or ".join(str(status) for status in self.status) + (f" with {self.contains!r} in it" if self.contains else ""),
                found=wrong,
                do="The release is kept for a look; see the web server's error log.",
            )

    def ask(self) -> Optional[str]:
        """None where the page is as declared, else what is wrong with the answer."""
        try:
            request = urllib.request.Request(self.url, headers={"Host": self.host} if self.host else {})
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)
            with opener.open(request, timeout=max(self.timeout, 1)) as answer:
                status, body = answer.status, answer.read(BODY_LIMIT)
        except urllib.error.HTTPError as error:
            status, body = error.code, error.read(BODY_LIMIT)
        except OSError as error:
            return f"no answer: {getattr(error, 'reason', error)}"
        except (ValueError, http.client.HTTPException) as error:  # its text may repeat the URL
            return f"no answer that is HTTP: {type(error).__name__}"
        if status not in self.status:
            return f"status {status}"
        return None if self.contains.encode() in body else f"status {status} without that text"
