# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The address of this machine as the API sees it, for rules that let only "me" in."""

from __future__ import annotations

import ipaddress
import urllib.request
from typing import Callable, Optional

from ..engine.errors import CallFailed, InvalidInput

URL = "https://checkip.amazonaws.com"
_SECONDS = 10
_DO = "Give the address with the option my_ip, or write the CIDR into the rule."


def my_ip(is_local: bool, declared: Optional[str] = None, ask: Optional[Callable[[], str]] = None) -> str:
    """The declared address; else loopback for an endpoint on this machine; else what Amazon says."""
    if declared:
        return _checked(declared, InvalidInput("my_ip is not an address", found=declared, do="Write it as in 192.0.2.7."))
    if is_local:
        return "127.0.0.1"
    try:
        answer = (ask or _ask)()
    except OSError as error:
        raise CallFailed(
            "the address of this machine could not be found out", wanted=URL, found=str(error), code="MyIpUnknown", do=_DO
        ) from error
    return _checked(
        answer, CallFailed("the address of this machine could not be found out", wanted=URL, found=answer[:80], code="MyIpUnknown", do=_DO)
    )


def _checked(text: str, error: Exception) -> str:
    try:
        return str(ipaddress.ip_address(text.strip().split("/")[0]))
    except ValueError:
        raise error from None


def _ask() -> str:
    with urllib.request.build_opener().open(URL, timeout=_SECONDS) as answer:
        return str(answer.read(200).decode("ascii", "replace"))
