# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An API whose answers a test writes down one by one: `with Server() as server: server.answers = [(503, ERROR % b"SlowDown"), …]`."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

OK = b'<?xml version="1.0"?><R xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>1</requestId>%s</R>'
ERROR = b"<Response><Errors><Error><Code>%s</Code><Message>no</Message></Error></Errors><RequestID>1</RequestID></Response>"


class Server:
    """Answers with what is in `answers`, (status, body) or None for a connection that is cut; the last one again and again."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes] | None] = [(200, OK % b"")]
        self.requests: list[dict[str, list[str]]] = []
        self.signed_by: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                outer.requests.append(parse_qs(body))
                outer.signed_by.append(self.headers.get("Authorization", "").partition("Credential=")[2])
                answer = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                if answer is None:
                    self.close_connection = True
                    self.connection.close()
                    return
                self.send_response(answer[0])
                self.send_header("Content-Length", str(len(answer[1])))
                self.end_headers()
                self.wfile.write(answer[1])

            def log_message(self, *args: Any) -> None:
                """Quiet."""

            def finish(self) -> None:
                if not self.wfile.closed and not self.close_connection:
                    super().finish()

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"

    def options(self, **options: Any) -> dict[str, Any]:
        """Of a connection to it."""
        return {"region": "us-east-1", "access_key": "me", "secret_key": "secret", "endpoint_url": self.url, **options}

    def __enter__(self) -> Server:
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.shutdown()
        self.http.server_close()
