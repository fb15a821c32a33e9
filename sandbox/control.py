# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The sandbox's own endpoint, /_sandbox/…: status, calls, faults, reset."""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, Tuple

from moto.core.request import Request

from sandbox.cloud import Cloud
from sandbox.status import status_of
from sandbox.trouble import SandboxError


class Control:
    """Answers the requests of the command line and of tests."""

    def __init__(self, cloud: Cloud, stop: Callable[[], None]) -> None:
        self._cloud = cloud
        self._stop = stop

    def answer(self, method: str, path: str, request: Request) -> Tuple[int, Dict[str, Any]]:
        """Status code and JSON body."""
        routes: Dict[Tuple[str, str], Callable[[Request], Dict[str, Any]]] = {
            ("GET", "status"): lambda r: status_of(self._cloud),
            ("GET", "calls"): self._calls,
            ("GET", "faults"): lambda r: self._cloud.faults.faults.to_dict(),
            ("POST", "faults"): self._set_faults,
            ("POST", "reset"): self._reset,
            ("POST", "hold"): self._hold,
            ("POST", "step"): lambda r: {"stepped": self._cloud.lanes.step()},
            ("POST", "stop"): self._end,
        }
        route = routes.get((method, path.split("/")[2]))
        if route is None:
            return 404, {"error": f"{method} {path} is none of " + ", ".join(f"{m} /_sandbox/{p}" for m, p in routes)}
        try:
            return 200, route(request)
        except SandboxError as error:
            return 400, {"error": str(error)}

    def _calls(self, request: Request) -> Dict[str, Any]:
        calls = self._cloud.calls.since(int(request.args.get("since", 0)))
        return {"count": self._cloud.calls.count, "calls": calls}

    def _set_faults(self, request: Request) -> Dict[str, Any]:
        faults = self._cloud.faults.faults.changed(json.loads(request.get_data() or b"{}"))
        self._cloud.faults.set(faults)
        return faults.to_dict()

    def _reset(self, request: Request) -> Dict[str, Any]:
        self._cloud.reset()
        return {"reset": True}

    def _hold(self, request: Request) -> Dict[str, Any]:
        on = bool(json.loads(request.get_data() or b"{}").get("on", True))
        self._cloud.lanes.hold(on)
        return {"held": on}

    def _end(self, request: Request) -> Dict[str, Any]:
        self._stop()
        return {"stopping": True}
