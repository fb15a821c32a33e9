# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The client against a small server: counting, retrying, paging, and errors that a newcomer understands."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.aws.client import Client, Connection
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import CallFailed, InvalidInput, SteadfastError

OK = b'<?xml version="1.0"?><R xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>1</requestId>%s</R>'
ERROR = b"<Response><Errors><Error><Code>%s</Code><Message>no</Message></Error></Errors><RequestID>1</RequestID></Response>"


class Server:
    """Answers with what is in `answers`, (status, body) or None for a connection that is cut; the last one again and again."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes] | None] = [(200, OK % b"")]
        self.requests: list[dict[str, list[str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                outer.requests.append(parse_qs(body))
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
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def client(self, **options: Any) -> Client:
        given = {"region": "us-east-1", "access_key": "me", "secret_key": "secret", "endpoint_url": self.url, **options}
        return Client(Connection(**given))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server, and an environment without any AWS configuration."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    one = Server()
    yield one
    one.http.shutdown()
    one.http.server_close()


def test_pages_are_followed(server: Server) -> None:
    """However many pages an answer has, the items come as one list."""
    first = OK % b"<volumeSet><item><volumeId>vol-1</volumeId></item></volumeSet><nextToken>more</nextToken>"
    last = OK % b"<volumeSet><item><volumeId>vol-2</volumeId></item></volumeSet>"
    server.answers = [(200, first), (200, last)]
    assert [one["VolumeId"] for one in server.client().pages("DescribeVolumes", "Volumes", {})] == ["vol-1", "vol-2"]
    assert server.requests[1]["NextToken"] == ["more"]


@pytest.mark.parametrize("code", [b"RequestLimitExceeded", b"Throttling", b"ThrottlingException", b"EC2ThrottledException", b"SlowDown"])
def test_throttled_calls_are_sent_again_and_counted(server: Server, code: bytes) -> None:
    """Every name that AWS has for "too fast" is retried, and told in the count."""
    server.answers = [(400, ERROR % code), (503, ERROR % code), (200, OK % b"")]
    client = server.client()
    client.call("DescribeVolumes", {})
    assert (client.api()["calls"], client.api()["retries"]) == (3, 2)


def test_an_operation_that_was_throttled_goes_slower(server: Server) -> None:
    """The answer of the API reaches the budget, for that operation alone, and repeated attempts take part in it."""
    server.answers = [(503, ERROR % b"RequestLimitExceeded"), (200, OK % b"")]
    client = server.client()
    client.call("DescribeVolumes", {})
    client.call("DescribeInstances", {})
    assert client.budget.rate("DescribeVolumes") is not None
    assert client.budget.rate("DescribeInstances") is None


def test_amazons_limits_hold_at_amazon(server: Server) -> None:
    """Where the endpoint is Amazon's own, its published limits are kept from the first call."""
    assert server.client(endpoint_url="https://ec2.us-east-1.amazonaws.com").budget.rate("RunInstances") == 2


def test_a_lost_answer_is_asked_again_where_that_is_harmless(server: Server) -> None:
    """A connection that is cut before the answer costs one more request."""
    server.answers = [None, (200, OK % b"")]
    server.client().call("DescribeVolumes", {})
    assert len(server.requests) == 2


def test_what_must_not_happen_twice_is_sent_once(server: Server) -> None:
    """call_once never repeats a request by itself."""
    server.answers = [None, (200, OK % b"")]
    with pytest.raises(CallFailed):
        server.client().call_once("AllocateAddress", {})
    assert len(server.requests) == 1


def test_an_error_of_the_api_keeps_code_and_operation(server: Server) -> None:
    """Playbooks decide by the code."""
    server.answers = [(400, ERROR % b"InvalidVolume.NotFound")]
    with pytest.raises(CallFailed) as caught:
        server.client().call("DeleteVolume", {"VolumeId": "vol-1"})
    assert (caught.value.code, caught.value.operation) == ("InvalidVolume.NotFound", "DeleteVolume")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"access_key": None, "secret_key": None}, ["no credentials", "AWS_ACCESS_KEY_ID"]),
        ({"region": None}, ["no region", "AWS_REGION"]),
        ({"region": "the moon"}, ["region cannot be meant"]),
        ({"profile": "nobody", "access_key": None, "secret_key": None}, ["profile does not exist", "nobody"]),
        ({"secret_key": None}, ["belong together"]),
        ({"profile": "me"}, ["both given"]),
        ({"ca_bundle": "/nowhere.pem"}, ["CA bundle is not there"]),
        ({"endpoint_url": "http://127.0.0.1:1"}, ["endpoint does not answer", "http://127.0.0.1:1", "endpoint_url"]),
    ],
)
def test_a_wrong_connection_is_explained(server: Server, options: dict[str, Any], words: list[str]) -> None:
    """Each says what is wrong and what to do, before or at the first call."""
    with pytest.raises(SteadfastError) as caught:
        server.client(**options).call("DescribeVolumes", {})
    for word in words:
        assert word in caught.value.message
    assert server.requests == []


def test_no_secret_is_in_an_error(server: Server) -> None:
    """What goes wrong is told without the key."""
    server.answers = [(403, ERROR % b"AuthFailure")]
    with pytest.raises(CallFailed) as caught:
        server.client(secret_key="do-not-tell").call("DescribeVolumes", {})
    assert "do-not-tell" not in str(caught.value.to_dict()) + caught.value.message


def test_half_a_key_is_no_key() -> None:
    """Refused without any library."""
    with pytest.raises(InvalidInput):
        Connection(access_key="me").check()
