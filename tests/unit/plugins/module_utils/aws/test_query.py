# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Asking many regions without a client of botocore's for each: whatever comes, it behaves as the client does."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import botocore.awsrequest
import botocore.config
import botocore.session
import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.aws import client as client_file
from ansible_collections.steadfast.ec2.plugins.module_utils.aws.client import Client, Transport
from ansible_collections.steadfast.ec2.plugins.module_utils.aws.connection import Connection
from ansible_collections.steadfast.ec2.plugins.module_utils.aws.query import QueryClient
from ansible_collections.steadfast.ec2.plugins.module_utils.aws.wire import Reader
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import CallFailed, SteadfastError
from ansible_collections.steadfast.ec2.plugins.plugin_utils.needed import FORMS

from tests.support.scripted import ERROR, OK, Server

GOOD = (200, OK % b"<volumeSet><item><volumeId>vol-1</volumeId><size>8</size></item></volumeSet>")
ATTEMPTS = 3


@pytest.fixture(autouse=True)
def nothing_around(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without any AWS configuration, and no waiting."""
    import os

    for name in [name for name in os.environ if name.startswith("AWS_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    for name, value in {"CONFIG_FILE": "/dev/null", "SHARED_CREDENTIALS_FILE": "/dev/null", "EC2_METADATA_DISABLED": "true"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setattr("time.sleep", lambda seconds: None)


@pytest.fixture
def server() -> Iterator[Server]:
    """An API."""
    with Server() as one:
        yield one


def query(**options: Any) -> QueryClient:
    """What is under test."""
    transport = Transport(Connection(**options), timeout=5)
    return QueryClient(transport, transport.region, Reader(FORMS), ATTEMPTS, sleep=lambda seconds: None)


def client(**options: Any) -> Client:
    """What it is compared with."""
    return Client(Connection(**options), attempts=ATTEMPTS, timeout=5)


def outcome(make: Any, options: dict[str, Any]) -> Any:
    """The answer with the calls and retries that it took, or the error with all that it says."""
    try:
        one = make(**options)
        answer = one.call("DescribeVolumes", {"MaxResults": 5})
        answer.pop("requestId", None)
        return answer, one.api()["calls"], one.api()["retries"]
    except SteadfastError as error:
        return {name: value for name, value in error.to_dict().items() if name != "found"}


@pytest.mark.parametrize(
    "answers",
    [
        [GOOD],
        [(503, ERROR % b"RequestLimitExceeded"), (400, ERROR % b"Throttling"), GOOD],
        [(500, ERROR % b"InternalError"), GOOD],
        [(502, b"<html>Bad Gateway"), GOOD],
        [None, GOOD],
        [(503, ERROR % b"RequestLimitExceeded")],
        [(500, ERROR % b"InternalError")],
        [(400, ERROR % b"InvalidVolume.NotFound"), GOOD],
        [(403, ERROR % b"UnauthorizedOperation"), GOOD],
        [(401, ERROR % b"AuthFailure"), GOOD],
        [(400, ERROR % b"RequestExpired"), GOOD],
    ],
)
def test_every_answer_has_the_consequence_that_it_has_for_the_client(server: Server, answers: list[Any]) -> None:
    """Values, number of requests and retries, codes, and what to do about them."""
    found = []
    for make in (client, query):
        server.answers = list(answers)
        found.append(outcome(make, server.options()))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "options",
    [
        {"access_key": None, "secret_key": None},
        {"region": None},
        {"region": "the moon"},
        {"profile": "nobody", "access_key": None, "secret_key": None},
        {"secret_key": None},
        {"profile": "me"},
        {"ca_bundle": "/nowhere.pem"},
        {"proxies": {"http": "http://127.0.0.1:1"}},
    ],
)
def test_a_wrong_connection_is_told_in_the_same_words(server: Server, options: dict[str, Any]) -> None:
    """Before any request."""
    given = {name: value for name, value in server.options(**options).items() if value is not None}
    assert outcome(query, given) == outcome(client, given)
    assert server.requests == []


def test_an_endpoint_at_which_nobody_listens_is_said_at_once() -> None:
    """Not after all attempts: a sandbox that is down is the everyday case."""
    with Server() as gone:
        one = query(**gone.options())
    with pytest.raises(CallFailed, match="does not answer") as caught:
        one.call("DescribeVolumes", {})
    assert (one.api()["calls"], gone.url in caught.value.message) == (1, True)


@cache
def botocore_session() -> Any:
    """One for all comparisons: the description of EC2 takes long to read."""
    return botocore.session.Session()


class Body(BytesIO):
    """The answer as urllib3 hands it over."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


@contextmanager
def botocore_stubber(theirs: Any) -> Iterator[list[str]]:
    """The addresses that a client of botocore's sends to; nothing is sent."""
    urls: list[str] = []

    def instead(request: Any, **_: Any) -> Any:
        urls.append(request.url)
        return botocore.awsrequest.AWSResponse(request.url, 200, {}, Body(OK % b""))

    theirs.meta.events.register("before-send.*", instead)
    yield urls


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-2", "us-gov-west-1", "cn-north-1", "xx-later-1"])
@pytest.mark.parametrize("variant", ["", "AWS_USE_DUALSTACK_ENDPOINT", "AWS_USE_FIPS_ENDPOINT"])
def test_amazons_endpoints_are_those_that_botocore_uses(region: str, variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In every partition, with IPv6 and FIPS, and for regions that are younger than the library."""
    if variant:
        monkeypatch.setenv(variant, "true")
    config = botocore.config.Config(use_fips_endpoint="FIPS" in variant, use_dualstack_endpoint="DUALSTACK" in variant)
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    theirs = botocore_session().create_client("ec2", region, config=config, **keys)
    with botocore_stubber(theirs) as requests:
        theirs.describe_regions()
    assert f"{query(region=region, access_key='a', secret_key='b').endpoint}/" == requests[0]


@pytest.mark.parametrize("where", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_EC2", "profile", "services"])
def test_an_endpoint_may_be_configured_where_botocore_looks_for_it(where: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Environment, profile, and the profile's section of services."""
    url = "http://127.0.0.1:4566"
    lines = {"profile": f"endpoint_url = {url}", "services": f"services = local\n[services local]\nec2 =\n  endpoint_url = {url}"}
    (tmp_path / "config").write_text(f"[default]\nregion = us-east-1\n{lines.get(where, '')}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    if where not in lines:
        monkeypatch.setenv(where, url)
    assert query(access_key="a", secret_key="b").endpoint == url
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    assert query(access_key="a", secret_key="b").endpoint == "https://ec2.us-east-1.amazonaws.com"


def test_amazons_limits_hold_at_amazon(server: Server) -> None:
    """And nowhere else, until somebody throttles."""
    assert query(region="us-east-1", access_key="a", secret_key="b").budget.rate("DescribeVolumes") == 20
    one = query(**server.options())
    assert one.budget.rate("DescribeVolumes") is None
    server.answers = [(503, ERROR % b"RequestLimitExceeded"), GOOD]
    one.call("DescribeVolumes", {})
    assert one.budget.rate("DescribeVolumes") is not None


def test_an_answer_that_cannot_be_read_is_asked_for_again(server: Server) -> None:
    """Half an answer is none; when it stays like that it is an error and not an empty list."""
    half = GOOD[1][:40]
    server.answers = [(200, half), GOOD]
    assert query(**server.options()).call("DescribeVolumes", {})["Volumes"] == [{"VolumeId": "vol-1", "Size": 8}]
    server.answers = [(200, half)]
    with pytest.raises(CallFailed, match="DescribeVolumes"):
        query(**server.options()).call("DescribeVolumes", {})


def test_pages_are_followed_and_shown_as_they_come(server: Server) -> None:
    """A place in the list that is forgotten means to begin again."""
    first = (200, OK % b"<volumeSet><item><volumeId>vol-1</volumeId></item></volumeSet><nextToken>more</nextToken>")
    last = (200, OK % b"<volumeSet><item><volumeId>vol-2</volumeId></item></volumeSet>")
    server.answers = [first, (400, ERROR % b"InvalidNextToken"), first, last]
    seen: list[int] = []
    found = query(**server.options()).pages("DescribeVolumes", "Volumes", {}, lambda page: seen.append(len(page)))
    assert ([one["VolumeId"] for one in found], seen) == (["vol-1", "vol-2"], [1, 1, 1])
    assert [one.get("NextToken") for one in server.requests] == [None, ["more"], None, ["more"]]


def test_credentials_that_are_renewed_are_asked_for_each_request(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long list outlives the credentials that it began with."""
    import botocore.credentials

    keys = iter(["first", "second"])
    frozen = botocore.credentials.ReadOnlyCredentials

    class Renewed:
        method = "sso"

        def get_frozen_credentials(self) -> Any:
            return frozen(next(keys), "secret", "token")

    options = server.options(access_key=None, secret_key=None)
    transport = Transport(Connection(**options), timeout=5)
    monkeypatch.setattr(transport.session, "get_credentials", Renewed)
    one = QueryClient(transport, "us-east-1", Reader(FORMS), ATTEMPTS)
    for _ in range(2):
        one.call("DescribeVolumes", {})
    assert [key.split("/")[0] for key in server.signed_by] == ["first", "second"]


# --- TLS ------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that is its own authority, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    make = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=api",
    ]
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*make, *names], check=True, capture_output=True)
    return certificate, key


@pytest.fixture
def secure(authority: tuple[Path, Path]) -> Iterator[Server]:
    """An API behind TLS."""
    one = Server()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority)
    one.http.socket = context.wrap_socket(one.http.socket, server_side=True)
    one.url = one.url.replace("http:", "https:")
    with one:
        yield one


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_a_certificate_is_checked_against_the_authorities_that_are_given(secure: Server, authority: tuple[Path, Path]) -> None:
    """Trusted by ca_bundle, or unchecked when told so; refused otherwise."""
    secure.answers = [GOOD]
    for trusted in ({"ca_bundle": str(authority[0])}, {"validate_certs": False}):
        assert query(**secure.options(**trusted)).call("DescribeVolumes", {})["Volumes"]
    requests = len(secure.requests)
    with pytest.raises(CallFailed, match="certificate is not trusted"):
        query(**secure.options()).call("DescribeVolumes", {})
    assert len(secure.requests) == requests


def test_a_name_that_is_not_in_the_certificate_is_refused(secure: Server, authority: tuple[Path, Path]) -> None:
    """An authority that is trusted does not vouch for every host."""
    secure.url = secure.url.replace("127.0.0.1", "localhost")
    with pytest.raises(CallFailed, match="certificate is not trusted"):
        query(**secure.options(ca_bundle=str(authority[0]))).call("DescribeVolumes", {})
    assert secure.requests == []


def test_authorities_are_read_once_for_all_regions(secure: Server, authority: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading them for each connection would take more of the processor than all the rest."""
    read: list[str] = []

    class Context(ssl.SSLContext):
        def load_verify_locations(self, *files: Any, **more: Any) -> None:
            read.append(str(files))
            super().load_verify_locations(*files, **more)

    monkeypatch.setattr("botocore.httpsession.SSLContext", Context)
    client_file._trusting.cache_clear()
    secure.answers = [GOOD]
    transport = Transport(Connection(**secure.options(ca_bundle=str(authority[0]))), timeout=5)
    for region in ("us-east-1", "eu-central-1", "sa-east-1"):
        QueryClient(transport, region, Reader(FORMS), ATTEMPTS).call("DescribeVolumes", {})
        transport._pools.clear()  # as if it were another host
    client_file._trusting.cache_clear()
    assert len(read) == 1


@pytest.mark.parametrize("text", ["no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_bad_file_of_certificates_is_told_in_the_same_words(server: Server, tmp_path: Path, text: str) -> None:
    """The advice is about the file, not about trust."""
    (tmp_path / "ca.pem").write_text(text)
    options = server.options(endpoint_url=server.url.replace("http:", "https:"), ca_bundle=str(tmp_path / "ca.pem"))
    assert outcome(query, options) == outcome(client, options)
    assert "ca_bundle" in outcome(query, options)["do"]
