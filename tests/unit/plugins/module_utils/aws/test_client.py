# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The client against a small server: counting, retrying, paging, and errors that a newcomer understands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.aws.client import Client
from ansible_collections.steadfast.ec2.plugins.module_utils.aws.connection import Connection
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import CallFailed, InvalidInput, SteadfastError

from tests.support.scripted import ERROR, OK, Server


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server, and an environment without any AWS configuration."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with Server() as one:
        yield one


def client(server: Server, **options: Any) -> Client:
    """A client of this server."""
    return Client(Connection(**server.options(**options)))


def test_pages_are_followed(server: Server) -> None:
    """However many pages an answer has, the items come as one list."""
    first = OK % b"<volumeSet><item><volumeId>vol-1</volumeId></item></volumeSet><nextToken>more</nextToken>"
    last = OK % b"<volumeSet><item><volumeId>vol-2</volumeId></item></volumeSet>"
    server.answers = [(200, first), (200, last)]
    assert [one["VolumeId"] for one in client(server).pages("DescribeVolumes", "Volumes", {})] == ["vol-1", "vol-2"]
    assert server.requests[1]["NextToken"] == ["more"]


@pytest.mark.parametrize("code", [b"RequestLimitExceeded", b"Throttling", b"ThrottlingException", b"EC2ThrottledException", b"SlowDown"])
def test_throttled_calls_are_sent_again_and_counted(server: Server, code: bytes) -> None:
    """Every name that AWS has for "too fast" is retried, and told in the count."""
    server.answers = [(400, ERROR % code), (503, ERROR % code), (200, OK % b"")]
    one = client(server)
    one.call("DescribeVolumes", {})
    assert (one.api()["calls"], one.api()["retries"]) == (3, 2)


def test_an_operation_that_was_throttled_goes_slower(server: Server) -> None:
    """The answer of the API reaches the budget, for that operation alone, and repeated attempts take part in it."""
    server.answers = [(503, ERROR % b"RequestLimitExceeded"), (200, OK % b"")]
    one = client(server)
    one.call("DescribeVolumes", {})
    one.call("DescribeInstances", {})
    assert one.budget.rate("DescribeVolumes") is not None
    assert one.budget.rate("DescribeInstances") is None


def test_amazons_limits_hold_at_amazon(server: Server) -> None:
    """Where the endpoint is Amazon's own, its published limits are kept from the first call."""
    assert client(server, endpoint_url="https://ec2.us-east-1.amazonaws.com").budget.rate("RunInstances") == 2


def test_a_lost_answer_is_asked_again_where_that_is_harmless(server: Server) -> None:
    """A connection that is cut before the answer costs one more request."""
    server.answers = [None, (200, OK % b"")]
    client(server).call("DescribeVolumes", {})
    assert len(server.requests) == 2


def test_what_must_not_happen_twice_is_sent_once(server: Server) -> None:
    """call_once never repeats a request by itself."""
    server.answers = [None, (200, OK % b"")]
    with pytest.raises(CallFailed):
        client(server).call_once("AllocateAddress", {})
    assert len(server.requests) == 1


def test_clients_have_nothing_in_common(server: Server) -> None:
    """What a process keeps for all of them holds nobody's credentials, and each counts its own calls."""
    mine, yours = client(server, access_key="mine"), client(server, access_key="yours", region="eu-west-1")
    mine.call("DescribeVolumes", {})
    yours.call_once("DescribeVolumes", {})
    yours.call("DescribeVolumes", {})
    assert [signed.split("/")[0::2][:2] for signed in server.signed_by] == [["mine", "us-east-1"], *[["yours", "eu-west-1"]] * 2]
    assert (mine.api()["calls"], yours.api()["calls"]) == (1, 2)


def test_user_data_and_tokens_reach_the_api_as_botocore_sends_them(server: Server) -> None:
    """The handlers that botocore has for some operations are all there, for each client: user data go out in base64."""
    for one in (client(server), client(server)):
        one.call_once("RunInstances", {"MinCount": 1, "MaxCount": 1, "UserData": "true"})
    assert [request["UserData"] for request in server.requests] == [["dHJ1ZQ=="]] * 2
    assert all(request["ClientToken"] for request in server.requests)


def test_an_error_of_the_api_keeps_code_and_operation(server: Server) -> None:
    """Playbooks decide by the code."""
    server.answers = [(400, ERROR % b"InvalidVolume.NotFound")]
    with pytest.raises(CallFailed) as caught:
        client(server).call("DeleteVolume", {"VolumeId": "vol-1"})
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
        client(server, **options).call("DescribeVolumes", {})
    for word in words:
        assert word in caught.value.message
    assert server.requests == []


def test_no_secret_is_in_an_error(server: Server) -> None:
    """What goes wrong is told without the key."""
    server.answers = [(403, ERROR % b"AuthFailure")]
    with pytest.raises(CallFailed) as caught:
        client(server, secret_key="do-not-tell").call("DescribeVolumes", {})
    assert "do-not-tell" not in str(caught.value.to_dict()) + caught.value.message


def test_half_a_key_is_no_key() -> None:
    """Refused without any library."""
    with pytest.raises(InvalidInput):
        Connection(access_key="me").check()


@pytest.mark.parametrize("url", ["127.0.0.1:80", "localhost", "ftp://127.0.0.1", "http://", "http://[::1"])
def test_an_endpoint_that_is_no_url_is_refused(url: str) -> None:
    """In the user's words, whether an option or the environment has it."""
    with pytest.raises(InvalidInput, match=r"endpoint_url: is no URL"):
        Connection(endpoint_url=url).check()
