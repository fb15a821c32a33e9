# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One region of one account: calls that are counted, retried, paged, and fail as typed errors. The only import of botocore."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Dict, Iterator, List, Mapping, Optional
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from ..engine.errors import CallFailed, InvalidInput, NotFound, SteadfastError
from .budget import Budget
from .failures import from_api_error, from_local_error, is_throttling
from .wire import Needed, Reader

BOTOCORE_IMPORT_ERROR: Optional[str] = None
try:
    import botocore.config
    import botocore.exceptions
    import botocore.loaders
    import botocore.parsers
    import botocore.session
    from botocore import xform_name
except ImportError:
    BOTOCORE_IMPORT_ERROR = traceback.format_exc()

#: Calls in flight at once; how fast they go is a matter of the budget.
CONCURRENCY = 16
ATTEMPTS = 12
CONNECT_SECONDS = 10
#: How often a list is begun, and the API's words for a NextToken that is too old.
LISTINGS, PLACE_LOST = 3, ("InvalidNextToken", "InvalidPaginationToken", "ExpiredNextToken")
READ_SECONDS = 60
#: How names of Amazon's own endpoints end.
AMAZON = (".amazonaws.com", ".amazonaws.com.cn", ".aws")


#: What a profile says about the account behind credentials that are renewed all the time.
WHOSE = ("role_arn", "source_profile", "credential_source", "credential_process", "sso_account_id", "sso_role_name", "sso_session")


@dataclass(frozen=True)
class Connection:
    """Where and as whom to call. None leaves it to the environment, the profile or the machine's role."""

    region: Optional[str] = None
    profile: Optional[str] = None
    access_key: Optional[str] = None
    secret_key: Optional[str] = None
    session_token: Optional[str] = None
    endpoint_url: Optional[str] = None
    ca_bundle: Optional[str] = None
    validate_certs: bool = True
    #: {scheme: url}; None leaves it to HTTPS_PROXY and its kin.
    proxies: Optional[Mapping[str, str]] = None

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> "Connection":
        """The connection that module or plugin options name; other options are left alone."""
        given: Dict[str, Any] = {name: options.get(name) for name in cls.__dataclass_fields__ if options.get(name) is not None}
        return cls(**given)

    @property
    def verify(self) -> Any:
        """How certificates are checked, as botocore takes it."""
        if not self.validate_certs:
            return False
        return os.path.expanduser(self.ca_bundle) if self.ca_bundle else None

    def endpoint_of(self, service: str) -> Optional[str]:
        """The endpoint_url where it is meant for `service`: one of Amazon's own (of a VPC) answers for its service alone."""
        host = urlsplit(self.endpoint_url or "").hostname or ""
        if host.endswith(AMAZON) and service not in host.split("."):
            return None
        return self.endpoint_url

    def check(self) -> None:
        """Refuse what cannot be meant, before any library sees it."""
        if bool(self.access_key) != bool(self.secret_key):
            raise InvalidInput(
                "access_key and secret_key belong together, but only one of them is given",
                do="Give both, or neither and use a profile, the environment or the machine's role.",
            )
        if self.profile and self.access_key:
            raise InvalidInput("profile and access_key are both given", do="Choose one of them.")
        if self.validate_certs and self.ca_bundle and not os.path.exists(os.path.expanduser(self.ca_bundle)):
            raise InvalidInput("the CA bundle is not there", wanted=self.ca_bundle, do="Correct ca_bundle.")


@lru_cache(maxsize=None)  # noqa: UP033 - functools.cache is younger than Python 3.8
def _loader() -> Any:
    """The descriptions of the services: large, the same for all clients, and read once per process."""
    return botocore.loaders.create_loader(os.environ.get("AWS_DATA_PATH"))


def warm_up() -> None:
    """Load in this process what every client needs, so that processes forked from it have it. Makes no call."""
    if BOTOCORE_IMPORT_ERROR is None:
        with contextlib.suppress(SteadfastError):
            Client(Connection(region="us-east-1", access_key="none", secret_key="none"))  # noqa: S106


def require_botocore() -> None:
    """Raise a clear error where botocore cannot be imported."""
    if BOTOCORE_IMPORT_ERROR is not None:
        raise NotFound(
            f"the Python library botocore cannot be imported by {sys.executable}",
            found=BOTOCORE_IMPORT_ERROR.strip().splitlines()[-1],
            do="Install it for this Python (python3 -m pip install boto3), or point ansible_python_interpreter to one that has it.",
        )


class _ParserFactory:
    """What botocore asks for the parser of an answer; the session hands it to each client."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._factory = botocore.parsers.ResponseParserFactory()

    def create_parser(self, protocol: str) -> Any:
        parser = self._factory.create_parser(protocol)
        return _Parser(self._reader, parser) if protocol == "ec2" else parser


class _Parser:
    """Reads what it can; errors, and whatever is not needed in parts, are botocore's."""

    def __init__(self, reader: Reader, parser: Any) -> None:
        self._reader = reader
        self._parser = parser

    def parse(self, response: Mapping[str, Any], shape: Any) -> Dict[str, Any]:
        found = self._reader.read(shape, response["body"]) if response["status_code"] < 300 else None
        if found is None:
            whole: Dict[str, Any] = self._parser.parse(response, shape)
            return whole
        return {**found, "ResponseMetadata": {"HTTPStatusCode": response["status_code"], "HTTPHeaders": dict(response["headers"])}}


class Client:
    """Calls to one service in one region. Safe to share between threads; every call is counted."""

    def __init__(
        self,
        connection: Connection,
        service: str = "ec2",
        session: Any = None,
        attempts: int = ATTEMPTS,
        timeout: int = READ_SECONDS,
        needed: Optional[Mapping[str, Needed]] = None,
    ) -> None:
        """`attempts` to send one call, each of which waits `timeout` seconds for an answer.

        `needed` says what is read of which answers (see wire.Reader); of answers that are not in it, everything is.
        """
        require_botocore()
        connection.check()
        self.service = service
        self._timeout = timeout
        self._needed = needed
        self._connection = connection
        self._session = session
        self._lock = threading.Lock()
        self._operations = self._sends = 0
        self._started = time.monotonic()
        self._raw = self._create(attempts)
        #: Shared by all threads that use this client.
        self.budget = Budget(published=self.is_amazon and service == "ec2")
        self._once: Any = None
        self._reachable = False

    @property
    def region(self) -> str:
        return str(self._raw.meta.region_name)

    @property
    def connection(self) -> Connection:
        return self._connection

    @property
    def endpoint(self) -> str:
        return str(self._raw.meta.endpoint_url)

    @property
    def is_local(self) -> bool:
        """Whether the endpoint is on this machine's loopback."""
        host = urlsplit(self.endpoint).hostname or ""
        return host == "localhost" or host == "::1" or host.startswith("127.")

    @property
    def is_amazon(self) -> bool:
        """Whether the endpoint is one of Amazon's own."""
        return (urlsplit(self.endpoint).hostname or "").endswith(AMAZON)

    @property
    def session(self) -> Any:
        """What further clients can share, so that it is loaded once."""
        return self._session

    def identity(self) -> str:
        """Which credentials are in use: without a call where they are long-lived keys, and never a secret."""
        if self._connection.access_key:
            return self._connection.access_key
        credentials = self._session.get_credentials()
        if credentials is None:
            return "none"
        lasting = credentials.method in ("env", "shared-credentials-file", "config-file")
        if lasting:
            return str(credentials.access_key)
        profile = self._session.get_scoped_config()
        whose = [f"{name}={profile[name]}" for name in WHOSE if name in profile]
        return " ".join([credentials.method, self._session.profile or "", *whose])

    def call(self, operation: str, params: Mapping[str, Any]) -> Dict[str, Any]:
        """One API call, retried by botocore where that is safe; raises CallFailed."""
        return self._call(self._raw, operation, params)

    def call_once(self, operation: str, params: Mapping[str, Any]) -> Dict[str, Any]:
        """One API call that is never sent twice: for what would be done twice if only the answer was lost."""
        with self._lock:
            if self._once is None:
                self._once = self._create(1)
        return self._call(self._once, operation, params)

    def pages(self, operation: str, result: str, params: Mapping[str, Any]) -> List[Dict[str, Any]]:
        """All items under `result` of a Describe call, whatever number of pages they come in.

        A place in the list that the API has forgotten means to begin again, for a bounded number of times.
        """
        for _attempt in range(LISTINGS - 1):
            try:
                return list(self._pages(operation, result, params))
            except CallFailed as error:
                if error.code not in PLACE_LOST:
                    raise
        return list(self._pages(operation, result, params))

    def api(self) -> Dict[str, Any]:
        """What this client did so far, for the `api` of a result."""
        with self._lock:
            return {
                "calls": self._sends,
                "retries": max(0, self._sends - self._operations),
                "seconds": round(time.monotonic() - self._started, 3),
            }

    def _pages(self, operation: str, result: str, params: Mapping[str, Any]) -> Iterator[Dict[str, Any]]:
        request = dict(params)
        while True:
            response = self.call(operation, request)
            yield from response.get(result) or []
            if not response.get("NextToken"):
                return
            request["NextToken"] = response["NextToken"]

    def _call(self, raw: Any, operation: str, params: Mapping[str, Any]) -> Dict[str, Any]:
        self._reach()
        with self._lock:
            self._operations += 1
        try:
            response: Dict[str, Any] = getattr(raw, xform_name(operation))(**params)
        except botocore.exceptions.ClientError as error:
            raise from_api_error(error.response, f"{self.service}:{operation}", self.endpoint, time.time()) from error
        except botocore.exceptions.BotoCoreError as error:
            raise self._local_error(error, operation) from error
        response.pop("ResponseMetadata", None)
        return response

    def _reach(self) -> None:
        """Before the first call to an endpoint that is not Amazon's: say at once that nobody listens there."""
        if self._reachable:
            return
        parts = urlsplit(self.endpoint)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        proxied = bool(self._connection.proxies) or (parts.scheme in getproxies() and not proxy_bypass(host))
        if not proxied and not self.is_amazon:
            try:
                socket.create_connection((host, port), timeout=CONNECT_SECONDS).close()
            except OSError as error:
                raise CallFailed(
                    "the endpoint does not answer",
                    wanted=self.endpoint,
                    found=str(error),
                    code="EndpointConnectionError",
                    do="Is it running, and is endpoint_url (or AWS_ENDPOINT_URL) right?",
                ) from error
        self._reachable = True

    def _create(self, attempts: int) -> Any:
        connection = self._connection
        try:
            if self._session is None:
                self._session = botocore.session.Session(profile=connection.profile)
                self._session.register_component("data_loader", _loader())
                if self._needed is not None:
                    self._session.register_component("response_parser_factory", _ParserFactory(Reader(self._needed)))
                self._refuse_questions()
            raw = self._session.create_client(
                self.service,
                # botocore itself knows AWS_DEFAULT_REGION only
                region_name=connection.region or os.environ.get("AWS_REGION") or None,
                aws_access_key_id=connection.access_key,
                aws_secret_access_key=connection.secret_key,
                aws_session_token=connection.session_token,
                endpoint_url=connection.endpoint_of(self.service),
                verify=connection.verify,
                config=botocore.config.Config(
                    retries={"mode": "standard", "total_max_attempts": attempts},
                    max_pool_connections=CONCURRENCY,
                    connect_timeout=min(CONNECT_SECONDS, self._timeout),
                    read_timeout=self._timeout,
                    user_agent_extra="steadfast.ec2",
                    proxies=dict(connection.proxies) if connection.proxies else None,
                ),
            )
        except (botocore.exceptions.BotoCoreError, ValueError) as error:
            raise self._local_error(error, "") from error
        raw.meta.events.register("before-send.*", self._before_send)
        raw.meta.events.register("needs-retry.*", self._answered)
        return raw

    def _refuse_questions(self) -> None:
        """A profile that wants the code of an MFA device would wait for somebody to type it in; in a task there is nobody."""
        connection = self._connection
        if connection.access_key or (not connection.profile and os.environ.get("AWS_ACCESS_KEY_ID")):
            return
        profiles = self._session.full_config.get("profiles", {})
        name, seen = self._session.profile or "default", set()
        while name in profiles and name not in seen:
            seen.add(name)
            profile = profiles[name]
            if profile.get("role_arn") and profile.get("mfa_serial"):
                raise InvalidInput(
                    "the profile wants the code of an MFA device, and nobody can type one into a task",
                    resource=f"profile {name}",
                    found=f"mfa_serial {profile['mfa_serial']}",
                    do="Get a session beforehand and hand it over in the environment: eval $(aws configure export-credentials "
                    f"--profile {name} --format env). Or use aws sso login, or a role without MFA.",
                )
            name = profile.get("source_profile", "")

    def include(self, other: "Client") -> None:
        """Count what `other` did for this client, too."""
        with self._lock:
            self._operations, self._sends = self._operations + other._operations, self._sends + other._sends
            self._started = min(self._started, other._started)

    def _before_send(self, event_name: str, **_: Any) -> None:
        """Before every attempt, the first and the repeated ones."""
        self.budget.take(event_name.rsplit(".", 1)[-1])
        with self._lock:
            self._sends += 1

    def _answered(self, event_name: str, response: Any = None, **_: Any) -> None:
        """After every attempt; whether to repeat it is not decided here."""
        error = (response[1].get("Error") or {}) if response else {}
        if is_throttling(str(error.get("Code"))):
            self.budget.throttled(event_name.rsplit(".", 1)[-1])

    def _local_error(self, error: Exception, operation: str) -> SteadfastError:
        endpoint = self._connection.endpoint_url or ""
        return from_local_error(type(error).__name__, str(error), operation, endpoint)
