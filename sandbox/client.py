# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Talking to the control endpoint of a running sandbox; standard library only, so that it is quick."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any, Dict, Optional

from sandbox.trouble import SandboxError


def ask(endpoint: str, path: str, data: Optional[Dict[str, Any]] = None, timeout: float = 30.0) -> Dict[str, Any]:
    """GET `/_sandbox/<path>`, or POST it with `data`; the answer as data."""
    body = None if data is None else json.dumps(data).encode()
    request = urllib.request.Request(f"{endpoint}/_sandbox/{path}", data=body)
    # A proxy has no business with this computer's own address.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=timeout) as answer:
            return dict(json.loads(answer.read()))
    except urllib.error.HTTPError as error:
        text = error.read().decode("utf-8", "replace")
        try:
            raise SandboxError(json.loads(text)["error"]) from error
        except (ValueError, KeyError):
            raise SandboxError(f"the sandbox answered {error.code}: {text[:200]}") from error
    except (OSError, ValueError) as error:
        raise SandboxError(f"the sandbox at {endpoint} does not answer: {error}") from error
