# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The WSGI application: EC2 calls go to the sandbox's own answers, all others to moto, every call into the log."""

from __future__ import annotations

import io
import json
import logging
import socket
import struct
import time
from typing import Any, Callable, Dict, Iterable, List, Tuple
from urllib.parse import parse_qsl

from moto.core.request import Request
from moto.server import DomainDispatcherApplication, create_backend_app

from sandbox.calls import is_write
from sandbox.cloud import Cloud
from sandbox.control import Control
from sandbox.ec2.envelope import error_body

log = logging.getLogger(__name__)

#: What STS and its kin answer to credentials that have expired.
EXPIRED = (
    b"<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredToken</Code>"
    b"<Message>The security token included in the request is expired</Message></Error></ErrorResponse>"
)

Answer = Tuple[int, Dict[str, str], bytes]
StartResponse = Callable[[str, List[Tuple[str, str]]], Any]


class Ec2Request(Request):
    """A request that came through a real server."""

    from_wsgi_server = True


class Gateway:
    """Routes calls. `answer_ec2(request)` gives status, headers and body of one EC2 call."""

    def __init__(self, cloud: Cloud, answer_ec2: Callable[[Request], Answer], control: Control) -> None:
        self._cloud = cloud
        self._answer_ec2 = answer_ec2
        self._control = control
        self._moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: Dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path.startswith("/_sandbox/"):
            status, body = self._control.answer(environ["REQUEST_METHOD"], path, Request(environ))
            return _send(start_response, (status, {"Content-Type": "application/json"}, json.dumps(body).encode()))
        service, region = credential_scope(environ)
        if service == "ec2":
            return self._ec2(environ, start_response, region)
        return self._other(environ, start_response, service, region)

    def _ec2(self, environ: Dict[str, Any], start_response: StartResponse, region: str) -> Iterable[bytes]:
        request = Ec2Request(environ)
        action = request.values.get("Action", "")
        write = is_write(action, request.values.get("DryRun", "").lower() == "true")
        began = time.monotonic()
        if self._cloud.faults.counts_down("reset_connections"):
            self._log("ec2", action, region, False, 0, "ConnectionReset", began, False)
            _hang_up(environ, reset=True)
        refusal = self._cloud.faults.refuses(region, action, environ.get("HTTP_X_AMZ_DATE", ""))
        answer: Answer = (refusal[0], {}, error_body(*refusal[1:])) if refusal else self._answer_ec2(request)
        status, _, body = answer
        lost = status == 200 and self._cloud.faults.loses(write)
        self._log("ec2", action, region, write and status == 200, status, _error_code(body, status), began, lost)
        if lost:
            _hang_up(environ)
        return _send(start_response, answer)

    def _other(self, environ: Dict[str, Any], start_response: StartResponse, service: str, region: str) -> Iterable[bytes]:
        action = _action(environ)
        began = time.monotonic()
        if self._cloud.faults.faults.expired_credentials:
            self._log(service or "?", action, region, False, 403, "ExpiredToken", began, False)
            return _send(start_response, (403, {"Content-Type": "text/xml"}, EXPIRED))
        statuses: List[str] = []

        def noting(status: str, headers: List[Tuple[str, str]], *rest: Any) -> Any:
            statuses.append(status)
            return start_response(status, headers)

        body = list(self._moto(environ, noting))
        status = int(statuses[0].split()[0]) if statuses else 500
        code = _error_code(b"".join(body), status)
        self._log(service or "?", action, region, is_write(action) and status < 400, status, code, began, False)
        return body

    def _log(self, service: str, action: str, region: str, write: bool, status: int, error: str, began: float, lost: bool) -> None:
        seconds = round(time.monotonic() - began, 4)
        self._cloud.calls.add(
            service=service,
            action=action,
            region=region,
            write=write,
            status=status,
            error=error,
            seconds=seconds,
            **({"lost": True} if lost else {}),
        )


def credential_scope(environ: Dict[str, Any]) -> Tuple[str, str]:
    """Service and region that a request was signed for; ("", "") if it was not signed."""
    try:
        credential = environ["HTTP_AUTHORIZATION"].split("Credential=", 1)[1].split(",")[0]
        _, _, region, service, _ = credential.strip().rsplit("/", 4)
        return service.lower(), region
    except (KeyError, IndexError, ValueError):
        return "", ""


def _action(environ: Dict[str, Any]) -> str:
    """The name of a call of another service: its target header, its Action, else method and path."""
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        return target.rsplit(".", 1)[-1]
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        body = Request(environ).get_data()
        environ["wsgi.input"] = io.BytesIO(body)  # moto reads it once more
        form = dict(parse_qsl(body.decode("utf-8", "replace")))
        if "Action" in form:
            return form["Action"]
    return f"{environ['REQUEST_METHOD']} {environ.get('PATH_INFO', '')}"


def _hang_up(environ: Dict[str, Any], reset: bool = False) -> None:
    """Close the connection without an answer; with `reset` the client gets to hear that it was reset, instead of its end."""
    connection = environ.get("werkzeug.socket")
    if connection is not None and reset:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RD)  # or the server would wait for the next request on it, and the client for its answer
    elif connection is not None:
        connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError("the answer to this call is lost, as the faults ask for")


def _error_code(body: bytes, status: int) -> str:
    if status < 400:
        return ""
    text = body.decode("utf-8", "replace")
    return text.split("<Code>", 1)[1].split("</Code>", 1)[0] if "<Code>" in text else str(status)


def _send(start_response: StartResponse, answer: Answer) -> Iterable[bytes]:
    status, headers, body = answer
    named = {name: str(value) for name, value in headers.items() if name.lower() not in ("status", "content-length")}
    start_response(f"{status} {'OK' if status == 200 else 'Error'}", [*named.items(), ("Content-Length", str(len(body)))])
    return [body]
