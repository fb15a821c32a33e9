# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One region of one account: calls that are counted, retried, paged, and fail as typed errors. The only import of botocore."""

from __future__ import annotations

import contextlib
import copy
import os
import socket
import sys
import threading
import time
import traceback
from functools import lru_cache
from typing import Any, Dict, Mapping, Optional, Tuple
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from ..engine.errors import CallFailed, NotFound, SteadfastError
from .budget import Budget
from .called import only_called
from .connection import AMAZON, Connection, check_endpoint
from .failures import from_api_error, from_local_error, is_throttling
from .listing import Listing
from .profiles import identity, refuse_questions

BOTOCORE_IMPORT_ERROR: Optional[str] = None
try:
    import botocore.auth
    import botocore.awsrequest
    import botocore.config
    import botocore.configprovider
    import botocore.credentials
    import botocore.endpoint_provider
    import botocore.exceptions
    import botocore.hooks
    import botocore.httpsession
    import botocore.loaders
    import botocore.model
    import botocore.session
    import botocore.utils
    from botocore import xform_name
except ImportError:
    BOTOCORE_IMPORT_ERROR = traceback.format_exc()

#: Calls in flight at once; how fast they go is a matter of the budget.
CONCURRENCY = 16
ATTEMPTS = 12
CONNECT_SECONDS = 10
READ_SECONDS = 60


@lru_cache(maxsize=None)  # noqa: UP033 - functools.cache is younger than Python 3.8
def _loader() -> Any:
    """The descriptions of the services: large, the same for all clients, and read once per process."""
    places = (os.environ.get("AWS_DATA_PATH") or "").split(os.pathsep)
    return _Descriptions(extra_search_paths=[os.path.expandvars(os.path.expanduser(place)) for place in places if place])


@lru_cache(maxsize=None)  # noqa: UP033 - functools.cache is younger than Python 3.8
def _handlers() -> Any:
    """botocore's own event handlers, about which it finds out the same for each session: some 20 ms of the processor. Only copied."""
    handlers = botocore.hooks.HierarchicalEmitter()
    botocore.session.Session(event_hooks=handlers)
    return handlers


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


def _open_session(connection: Connection) -> Any:
    """What clients of one connection share: files of configuration, credentials, descriptions of services."""
    # What is shared holds nothing of anybody: no credentials, no configuration, no connection.
    session = botocore.session.Session(profile=connection.profile, event_hooks=copy.copy(_handlers()), include_builtin_handlers=False)
    session.register_component("data_loader", _loader())
    if not connection.access_key and (connection.profile or not os.environ.get("AWS_ACCESS_KEY_ID")):
        refuse_questions(session.full_config.get("profiles", {}), session.profile or "default")
    return session


@lru_cache(maxsize=None)  # noqa: UP033 - functools.cache is younger than Python 3.8
def _trusting(authorities: Optional[str]) -> Any:
    """How TLS is spoken; with the certificate authorities of a file, unless it is None."""
    context = botocore.httpsession.create_urllib3_context()
    if authorities is not None:
        context.load_verify_locations(authorities)
    return context


if BOTOCORE_IMPORT_ERROR is None:

    class _Descriptions(botocore.loaders.Loader):
        """botocore makes a method of each operation for each client, some 10 ms of the processor; here only of those that are called."""

        def load_service_model(self, service_name: str, type_name: str, api_version: Optional[str] = None) -> Any:
            model = super().load_service_model(service_name, type_name, api_version)
            return only_called(model) if (service_name, type_name) == ("ec2", "service-2") else model

    class _Connections(botocore.httpsession.URLLib3Session):
        """botocore reads all authorities again for each connection, some 20 ms of the processor; here they are read once per process."""

        def _get_ssl_context(self) -> Any:
            return _trusting(botocore.httpsession.get_cert_path(self._verify) if self._verify else None)

        def _setup_ssl_cert(self, conn: Any, url: str, verify: Any) -> None:
            super()._setup_ssl_cert(conn, url, verify)
            conn.ca_certs = None  # the context has them


def output_shape(operation: str) -> Any:
    """botocore's description of what an EC2 operation answers."""
    model = _loader().load_service_model("ec2", "service-2")
    return botocore.model.ServiceModel(model, "ec2").operation_model(operation).output_shape


class Transport:
    """Signed requests of one account to EC2 in any region, without a client of botocore's for each.

    Credentials, endpoints, signatures, proxies and certificates are botocore's own. Nothing is sent twice and nothing is read.
    """

    def __init__(self, connection: Connection, timeout: int = READ_SECONDS, session: Any = None) -> None:
        require_botocore()
        connection.check()
        self.connection = connection
        self._timeout = timeout
        self._lock = threading.Lock()
        self._pools: Dict[str, Any] = {}
        self._credentials: Any = None
        try:
            self.session = session or _open_session(connection)
            self.region = connection.region or os.environ.get("AWS_REGION") or self.session.get_config_variable("region")
            if not self.region:
                raise botocore.exceptions.NoRegionError
            self.session.get_scoped_config()  # a profile that is not there is said before anything is sent
            self._fixed = connection.endpoint_of("ec2") or self._configured()
            check_endpoint("AWS_ENDPOINT_URL", self._fixed)
            self.endpoint(self.region)
        except (botocore.exceptions.BotoCoreError, ValueError) as error:
            raise from_local_error(type(error).__name__, str(error), "", connection.endpoint_url or "") from error

    def endpoint(self, region: str) -> str:
        """Where requests for a region go. Raises CallFailed for what is no name of a region."""
        try:
            botocore.utils.validate_region_name(region)
            return self._fixed or str(self._rules().resolve_endpoint(Region=region, **self._variants()).url)
        except botocore.exceptions.BotoCoreError as error:
            raise from_local_error(type(error).__name__, str(error), "", region) from error

    def identity(self) -> str:
        """Which credentials are in use: without a call where they are long-lived keys, and never a secret."""
        if self.connection.access_key:
            return self.connection.access_key
        found = self.session.get_credentials()
        if found is None:
            return "none"
        return identity(found.method, found.access_key, self.session.profile or "", self.session.get_scoped_config())

    def send(self, operation: str, region: str, body: bytes) -> Tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of the answer to one request; raises CallFailed where there is none."""
        endpoint = self.endpoint(region)
        try:
            headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8", "User-Agent": self._user_agent}
            request = botocore.awsrequest.AWSRequest("POST", f"{endpoint.rstrip('/')}/", headers, body)
            botocore.auth.SigV4Auth(self._signed_by(), "ec2", region).add_auth(request)
            answer = self._pool(endpoint).send(request.prepare())
            return int(answer.status_code), answer.headers, bytes(answer.content)
        except botocore.exceptions.BotoCoreError as error:
            raise from_local_error(type(error).__name__, str(error), operation, endpoint) from error
        except OSError as error:  # the file of the certificate authorities
            raise from_local_error("SSLError", str(error), operation, endpoint) from error

    @property
    def _user_agent(self) -> str:
        return f"{self.session.user_agent()} steadfast.ec2"

    def _signed_by(self) -> Any:
        """The credentials at this moment; those that expire are renewed before they do."""
        mine = self.connection
        if mine.access_key:
            return botocore.credentials.Credentials(mine.access_key, mine.secret_key, mine.session_token)
        with self._lock:
            if self._credentials is None:
                self.session.set_config_variable("region", self.region)  # where a role of the profile is assumed
                self._credentials = self.session.get_credentials()
        if self._credentials is None:
            raise botocore.exceptions.NoCredentialsError
        return self._credentials.get_frozen_credentials()

    def _configured(self) -> Optional[str]:
        """The endpoint that the environment or the profile names for EC2."""
        if self.session.get_config_variable("ignore_configured_endpoint_urls"):
            return None
        session = self.session
        provider = botocore.configprovider.ConfiguredEndpointProvider(session.full_config, session.get_scoped_config(), "ec2")
        found: Optional[str] = provider.provide()
        return found

    def _rules(self) -> Any:
        """How Amazon's own endpoints are called, in every partition."""
        with self._lock:
            if "rules" not in self._pools:
                rules = _loader().load_service_model("ec2", "endpoint-rule-set-1")
                self._pools["rules"] = botocore.endpoint_provider.EndpointProvider(rules, _loader().load_data("partitions"))
            return self._pools["rules"]

    def _variants(self) -> Dict[str, bool]:
        names = {"UseDualStack": "use_dualstack_endpoint", "UseFIPS": "use_fips_endpoint"}
        return {name: bool(self.session.get_config_variable(variable)) for name, variable in names.items()}

    def _pool(self, endpoint: str) -> Any:
        """The connections to one endpoint."""
        with self._lock:
            if endpoint not in self._pools:
                verify = self.connection.verify
                bundles = (self.session.get_config_variable("ca_bundle"), *map(os.environ.get, ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")))
                self._pools[endpoint] = _Connections(
                    verify=next(filter(None, bundles), True) if verify is None else verify,
                    proxies=dict(self.connection.proxies or botocore.utils.get_environ_proxies(endpoint)),
                    timeout=(min(CONNECT_SECONDS, self._timeout), self._timeout),
                    max_pool_connections=CONCURRENCY,
                )
            return self._pools[endpoint]


class Client(Listing):
    """Calls to one service in one region. Safe to share between threads; every call is counted."""

    def __init__(
        self,
        connection: Connection,
        service: str = "ec2",
        session: Any = None,
        attempts: int = ATTEMPTS,
        timeout: int = READ_SECONDS,
    ) -> None:
        """`attempts` to send one call, each of which waits `timeout` seconds for an answer."""
        super().__init__()
        require_botocore()
        connection.check()
        self.service = service
        self._timeout = timeout
        self._connection = connection
        self._session = session
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

    def call(self, operation: str, params: Mapping[str, Any]) -> Dict[str, Any]:
        """One API call, retried by botocore where that is safe; raises CallFailed."""
        return self._call(self._raw, operation, params)

    def call_once(self, operation: str, params: Mapping[str, Any]) -> Dict[str, Any]:
        """One API call that is never sent twice: for what would be done twice if only the answer was lost."""
        with self._lock:
            if self._once is None:
                self._once = self._create(1)
        return self._call(self._once, operation, params)

    def _call(self, raw: Any, operation: str, params: Mapping[str, Any]) -> Dict[str, Any]:
        self._reach()
        self._begin()
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
                self._session = _open_session(connection)
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

    def _before_send(self, event_name: str, **_: Any) -> None:
        """Before every attempt, the first and the repeated ones."""
        self.budget.take(event_name.rsplit(".", 1)[-1])
        self._send_again()

    def _answered(self, event_name: str, response: Any = None, **_: Any) -> None:
        """After every attempt; whether to repeat it is not decided here."""
        error = (response[1].get("Error") or {}) if response else {}
        if is_throttling(str(error.get("Code"))):
            self.budget.throttled(event_name.rsplit(".", 1)[-1])

    def _local_error(self, error: Exception, operation: str) -> SteadfastError:
        endpoint = self._connection.endpoint_url or ""
        return from_local_error(type(error).__name__, str(error), operation, endpoint)
