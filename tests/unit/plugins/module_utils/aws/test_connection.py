# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every way to say who one is and where the API answers, against a small server; and what is said where it goes wrong."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.steadfast.ec2.plugins.module_utils.aws.client import Client
from ansible_collections.steadfast.ec2.plugins.module_utils.aws.connection import Connection
from ansible_collections.steadfast.ec2.plugins.module_utils.aws.failures import from_api_error
from ansible_collections.steadfast.ec2.plugins.module_utils.aws.role import connect
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.backup.definitions import IMAGE_MODULE, SNAPSHOT_MODULE
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.definition import ModuleDefinition
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import SteadfastError

ROLE = "arn:aws:iam::123456789012:role/deploy"
EMPTY = '<R xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>1</requestId></R>'
ASSUMED = f"""<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
<Credentials><AccessKeyId>ASSUMED</AccessKeyId><SecretAccessKey>temporary</SecretAccessKey><SessionToken>token</SessionToken>
<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>
<AssumedRoleUser><Arn>{ROLE}/me</Arn><AssumedRoleId>A:me</AssumedRoleId></AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>"""
OF_MACHINE = """{"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": "MACHINE", "SecretAccessKey": "s", "Token": "t",
"Expiration": "2099-01-01T00:00:00Z", "LastUpdated": "2020-01-01T00:00:00Z"}"""
PROFILES = f"""
[profile plain]
aws_access_key_id = PLAIN
aws_secret_access_key = s
region = us-east-1
[profile role]
role_arn = {ROLE}
source_profile = plain
region = us-east-1
[profile mfa]
role_arn = {ROLE}
mfa_serial = arn:aws:iam::123456789012:mfa/me
source_profile = plain
region = us-east-1
[profile behind-mfa]
role_arn = {ROLE}
source_profile = mfa
region = us-east-1
[profile sso]
sso_session = company
sso_account_id = 123456789012
sso_role_name = deploy
region = us-east-1
[profile lost]
role_arn = {ROLE}
source_profile = nowhere
region = us-east-1
[sso-session company]
sso_region = us-east-1
sso_start_url = https://company.awsapps.com/start
"""


@dataclass
class Seen:
    """One request: what was asked, and with which access key."""

    path: str
    form: dict[str, list[str]]
    key: str

    @property
    def action(self) -> str:
        return self.form.get("Action", [""])[0]


@dataclass
class Server:
    """An API, its STS, the metadata service of a machine and a proxy in one."""

    url: str = ""
    requests: list[Seen] = field(default_factory=list)
    #: {action: (status, body)} for what is not to go well
    answers: dict[str, tuple[int, str]] = field(default_factory=dict)

    def signed(self) -> list[tuple[str, str]]:
        return [(one.action, one.key) for one in self.requests if one.action]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    """The server, and an environment that names nothing but it."""
    import os

    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    (tmp_path / "config").write_text(PROFILES)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    one = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            key = self.headers.get("Authorization", "").partition("Credential=")[2].split("/")[0]
            seen = Seen(self.path, form, key)
            one.requests.append(seen)
            self._send(*one.answers.get(seen.action, (200, ASSUMED if seen.action == "AssumeRole" else EMPTY)))

        def do_PUT(self) -> None:
            self._send(200, "token")

        def do_GET(self) -> None:
            one.requests.append(Seen(self.path, {}, ""))
            self._send(200, "web-role" if self.path.endswith("security-credentials/") else OF_MACHINE)

        def _send(self, status: int, body: str) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *args: Any) -> None:
            """Quiet."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    one.url = f"http://127.0.0.1:{http.server_address[1]}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", one.url)
    threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield one
    http.shutdown()
    http.server_close()


KEYS = {"region": "us-east-1", "access_key": "OWN", "secret_key": "do-not-tell"}


def ask(**options: Any) -> Client:
    """One call with these connection options."""
    client = connect(options)
    client.call("DescribeVolumes", {})
    return client


def refused(**options: Any) -> SteadfastError:
    with pytest.raises(SteadfastError) as caught:
        ask(**options)
    assert caught.value.do
    assert "do-not-tell" not in f"{caught.value.message} {caught.value.to_dict()}"
    return caught.value


# --- who ------------------------------------------------------------------------------------------------------------------


def test_keys_of_the_options_come_before_the_environment(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a task says wins over what its surroundings say."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AROUND")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    ask()
    ask(**KEYS)
    ask(profile="plain")
    assert [key for _action, key in server.signed()] == ["AROUND", "OWN", "PLAIN"]


def test_a_role_is_assumed_once_and_counted(server: Server) -> None:
    """All calls go as the role; the one that assumes it is part of the cost, and carries what the trust policy demands."""
    client = ask(**KEYS, role_arn=ROLE, external_id="moso", role_session_name="nightly")
    client.call("DescribeVolumes", {})
    assert server.signed() == [("AssumeRole", "OWN"), ("DescribeVolumes", "ASSUMED"), ("DescribeVolumes", "ASSUMED")]
    form = server.requests[0].form
    assert (form["RoleArn"], form["ExternalId"], form["RoleSessionName"]) == ([ROLE], ["moso"], ["nightly"])
    assert (client.api()["calls"], client.api()["retries"]) == (3, 0)


@pytest.mark.parametrize(("kind", "definition"), [("snapshot", SNAPSHOT_MODULE), ("image", IMAGE_MODULE)])
def test_backups_are_made_as_the_role(server: Server, kind: str, definition: ModuleDefinition) -> None:
    """Here and in the region that is copied from: no call but the first is made with the credentials that assume it."""
    options = {"name": "copy", "copy_from": {kind: "original", "region": "eu-west-1"}, **KEYS, "role_arn": ROLE}
    found = ArgumentSpecValidator(dict(definition.argument_spec)).validate(options)
    with pytest.raises(SteadfastError):  # there is no original
        definition.run(found.validated_parameters, True)
    assert server.signed()[0] == ("AssumeRole", "OWN")
    assert len(server.signed()) > 2
    assert {key for _action, key in server.signed()[1:]} == {"ASSUMED"}


def test_a_role_that_does_not_trust_us_says_which_two_policies_count(server: Server) -> None:
    """The role is named, and both sides of the permission."""
    body = "<E><Error><Code>AccessDenied</Code><Message>not authorized to perform: sts:AssumeRole on it</Message></Error></E>"
    server.answers["AssumeRole"] = (403, f"<ErrorResponse>{body[3:-4]}</ErrorResponse>")
    error = refused(**KEYS, role_arn=ROLE)
    for words in (ROLE, "cannot be assumed", "sts:AssumeRole", "trust policy", "external_id"):
        assert words in error.message
    assert (error.code, error.operation) == ("AccessDenied", "AssumeRole")


def test_a_role_in_a_profile_is_assumed(server: Server) -> None:
    """As the command line does it."""
    ask(profile="role")
    assert server.signed() == [("AssumeRole", "PLAIN"), ("DescribeVolumes", "ASSUMED")]


@pytest.mark.parametrize("profile", ["mfa", "behind-mfa"])
def test_a_code_that_nobody_can_type_is_not_waited_for(server: Server, profile: str) -> None:
    """A profile with MFA, or one that builds on it, is refused at once and says how to bring a session along."""
    error = refused(profile=profile)
    for words in ("MFA", "mfa/me", "aws configure export-credentials"):
        assert words in error.message
    assert server.requests == []


def test_a_session_brought_along_passes_the_profile_with_mfa(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the refusal advises works: credentials in the environment come before AWS_PROFILE."""
    monkeypatch.setenv("AWS_PROFILE", "mfa")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "SESSION")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    ask()
    assert server.signed() == [("DescribeVolumes", "SESSION")]


def test_the_role_of_the_machine_is_used_last(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any other credentials the metadata service of an instance gives them."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "false")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.url)
    ask(region="us-east-1")
    assert server.signed() == [("DescribeVolumes", "MACHINE")]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"profile": "sso"}, ["no SSO session", "aws sso login"]),
        ({"profile": "lost"}, ["AWS configuration is wrong", "nowhere", "~/.aws/config"]),
        ({"profile": "nobody"}, ["profile does not exist", "nobody"]),
        ({"region": "us-east-1"}, ["no credentials", "AWS_ACCESS_KEY_ID", "instance role"]),
        ({"access_key": "OWN", "region": "us-east-1"}, ["belong together"]),
    ],
)
def test_what_is_wrong_with_credentials_is_said(server: Server, options: dict[str, Any], words: list[str]) -> None:
    """Each with what to do, and without a request."""
    message = refused(**options).message
    for word in words:
        assert word in message
    assert server.requests == []


# --- where ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["option", "environment"])
def test_a_proxy_is_used(server: Server, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    """By the option, or by the environment as everywhere else; nobody asks whether the endpoint itself can be reached."""
    if by == "environment":
        monkeypatch.setenv("HTTP_PROXY", server.url)
    proxies = {"proxies": {"http": server.url}} if by == "option" else {}
    ask(**KEYS, endpoint_url="http://ec2.nowhere.invalid", **proxies)
    assert [one.path for one in server.requests] == ["http://ec2.nowhere.invalid/"]


def test_a_proxy_that_does_not_answer_is_named(server: Server) -> None:
    """It is not the endpoint that is missing."""
    connection = Connection(**KEYS, endpoint_url="http://ec2.nowhere.invalid", proxies={"http": "http://127.0.0.1:1"})
    with pytest.raises(SteadfastError, match="proxy does not answer"):
        Client(connection, attempts=1).call("DescribeVolumes", {})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "CA bundle is not there"),
        ("no certificate", "holds no certificates"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "holds no certificates"),
    ],
)
def test_a_bad_file_of_certificates_is_told_from_a_bad_certificate(server: Server, tmp_path: Path, text: str | None, words: str) -> None:
    """The advice is about the file, not about trust."""
    bundle = tmp_path / "ca.pem"
    if text is not None:
        bundle.write_text(text)
    connection = Connection(**KEYS, endpoint_url=server.url.replace("http:", "https:"), ca_bundle=str(bundle))
    with pytest.raises(SteadfastError) as caught:
        Client(connection, attempts=1).call("DescribeVolumes", {})
    assert words in caught.value.message
    assert "ca_bundle" in caught.value.do


def test_an_endpoint_without_tls_is_told_from_a_bad_certificate(server: Server) -> None:
    """https written where http is meant."""
    connection = Connection(**KEYS, endpoint_url=server.url.replace("http:", "https:"))
    with pytest.raises(SteadfastError, match="does not speak TLS"):
        Client(connection, attempts=1).call("DescribeVolumes", {})


def test_an_endpoint_of_ec2_is_not_asked_for_a_role() -> None:
    """An interface endpoint of a VPC answers for its service alone; an emulator answers for all."""
    of_vpc = Connection(endpoint_url="https://vpce-1.ec2.us-east-1.vpce.amazonaws.com")
    assert of_vpc.endpoint_of("ec2") == of_vpc.endpoint_url
    assert of_vpc.endpoint_of("sts") is None
    assert Connection(endpoint_url="http://127.0.0.1:4566").endpoint_of("sts") == "http://127.0.0.1:4566"


# --- what the API says ----------------------------------------------------------------------------------------------------

NOW = 1_700_000_000.0


@pytest.mark.parametrize("code", ["AuthFailure", "RequestExpired", "SignatureDoesNotMatch", "InvalidSignatureException"])
@pytest.mark.parametrize(("off", "words"), [(1200, "1200 s ahead"), (-1200, "1200 s behind")])
def test_a_wrong_clock_is_seen_by_the_date_of_the_answer(code: str, off: int, words: str) -> None:
    """How wrong, and in which direction; not that the secret key is wrong."""
    response = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPHeaders": {"date": formatdate(NOW - off)}}}
    error = from_api_error(response, "ec2:DescribeVolumes", "", NOW)
    assert words in error.do
    assert "NTP" in error.do


def test_a_right_clock_is_not_blamed() -> None:
    """The same code with the right time is about the key."""
    headers = {"date": formatdate(NOW - 3)}
    response = {"Error": {"Code": "SignatureDoesNotMatch", "Message": "no"}, "ResponseMetadata": {"HTTPHeaders": headers}}
    assert "secret key" in from_api_error(response, "ec2:DescribeVolumes", "", NOW).do


def test_a_wrong_clock_is_seen_by_the_words_of_the_answer() -> None:
    """Where a proxy takes the date away."""
    message = "Signature expired: 20300101T000000Z is now earlier than 20300101T001500Z"
    assert "NTP" in from_api_error({"Error": {"Code": "SignatureDoesNotMatch", "Message": message}}, "ec2:DescribeVolumes", "", NOW).do


def test_the_action_that_is_denied_is_named_even_if_another_was_called() -> None:
    """To tag what is made is a permission of its own; the message of AWS knows which one is missing."""
    message = "You are not authorized to perform: ec2:CreateTags on resource: arn:aws:ec2:us-east-1:123456789012:volume/*"
    error = from_api_error({"Error": {"Code": "UnauthorizedOperation", "Message": message}}, "ec2:CreateVolume", "")
    assert "allow the IAM action ec2:CreateTags" in error.do
    message = "User: arn:aws:iam::1:user/me is not authorized to perform: iam:PassRole on resource: web"
    assert "iam:PassRole" in from_api_error({"Error": {"Code": "AccessDenied", "Message": message}}, "ec2:RunInstances", "").do


@pytest.mark.parametrize("code", ["ExpiredToken", "ExpiredTokenException"])
def test_a_token_that_is_over_says_to_renew_it(server: Server, code: str) -> None:
    """In a task, as the API answers it."""
    body = f"<Response><Errors><Error><Code>{code}</Code><Message>expired</Message></Error></Errors></Response>"
    server.answers["DescribeVolumes"] = (400, body)
    error = refused(**KEYS)
    assert (error.code, "Renew" in error.do) == (code, True)
