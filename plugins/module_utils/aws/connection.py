# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where and as whom the API is called, as the user says it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional
from urllib.parse import urlsplit

from ..engine.errors import InvalidInput

#: How names of Amazon's own endpoints end.
AMAZON = (".amazonaws.com", ".amazonaws.com.cn", ".aws")


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
        check_endpoint("endpoint_url", self.endpoint_url)
        if self.profile and self.access_key:
            raise InvalidInput("profile and access_key are both given", do="Choose one of them.")
        if self.validate_certs and self.ca_bundle and not os.path.exists(os.path.expanduser(self.ca_bundle)):
            raise InvalidInput("the CA bundle is not there", wanted=self.ca_bundle, do="Correct ca_bundle.")


def check_endpoint(where: str, url: Optional[str]) -> None:
    """Refuse what `where` has if no request can be sent there; nothing is no endpoint at all."""
    try:
        parts = urlsplit(url or "")
        sendable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        sendable = False
    if url and not sendable:
        raise InvalidInput("is no URL", resource=where, found=url, do="It begins with http:// or https://, as in https://ec2.example.com.")
