# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The accounts that an inventory is made of: as the user names them, and the clients of their regions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..module_utils.aws.client import Client, Transport
from ..module_utils.aws.connection import Connection
from ..module_utils.aws.query import QueryClient
from ..module_utils.aws.role import SESSION_NAME, assume
from ..module_utils.engine.errors import CallFailed, InvalidInput
from .needed import reader

#: Words in `regions` that are no names: those that the account has enabled, and the one that is configured.
ALL, AUTO = "all", "auto"
#: Where the regions of an account are asked for when no region is configured.
FIRST_REGION = "us-east-1"
#: A call is sent at most so often; a region that has lost its way must not hold up the others for long.
ATTEMPTS = 5

_KEYS = ("name", "profile", "access_key", "secret_key", "session_token", "role_arn", "external_id", "session_name", "regions")
_CREDENTIALS = ("profile", "access_key", "secret_key", "session_token")


@dataclass(frozen=True)
class Account:
    """How one account is entered: by `connection`, and from there by `role_arn` if there is one; and its own `regions`, if it has any."""

    name: str
    connection: Connection
    role_arn: str | None = None
    external_id: str | None = None
    session_name: str = SESSION_NAME
    regions: tuple[str, ...] = ()

    @classmethod
    def all_of(
        cls,
        connection: Connection,
        role_arn: str | None,
        given: Sequence[Any],
        external_id: str | None = None,
        session_name: str | None = None,
    ) -> tuple[Account, ...]:
        """From the options; what an entry of `accounts` does not say is as in the options beside it. Raises InvalidInput."""
        common = cls("", connection, role_arn, external_id, session_name or SESSION_NAME)
        if not given:
            return (common,)
        accounts = tuple(cls._of(number, one, common) for number, one in enumerate(given, start=1))
        twice = sorted({one.name for one in accounts if sum(other.name == one.name for other in accounts) > 1})
        if twice:
            raise InvalidInput("two accounts have the same name", resource=f"accounts: {', '.join(twice)}", do="Give each its own name.")
        return accounts

    @classmethod
    def _of(cls, number: int, one: Any, common: Account) -> Account:
        connection, role_arn = common.connection, common.role_arn
        where = f"accounts: entry {number}"
        if not isinstance(one, Mapping):
            raise InvalidInput("an account is a mapping", resource=where, found=repr(one), wanted=", ".join(_KEYS))
        unknown = sorted(str(key) for key in set(one) - set(_KEYS))
        if unknown:
            raise InvalidInput("there is no such option", resource=f"{where}: {', '.join(unknown)}", found=f"there are: {', '.join(_KEYS)}")
        said = {key: str(value) for key, value in one.items() if value not in (None, "") and key != "regions"}
        if said.keys() & set(_CREDENTIALS):  # they belong together, and are not mixed with those beside it
            connection = replace(connection, **{key: said.get(key) for key in _CREDENTIALS})  # type: ignore[arg-type]
        name = said.get("name") or said.get("profile") or said.get("role_arn", role_arn or "").split(":role/")[0].rsplit(":", 1)[-1]
        return cls(
            name or f"account {number}",
            connection,
            said.get("role_arn", role_arn),
            said.get("external_id", common.external_id),
            said.get("session_name", common.session_name),
            region_words(f"{where}: regions", one.get("regions")),
        )

    def place(self, region: str) -> str:
        """What messages call a region of this account."""
        return f"{self.name}, {region}" if self.name else region

    def identity(self, regions: Sequence[str], timeout: int) -> list[str]:
        """Where and as whom it is asked, for a cache: without a call, and no secret."""
        transport = _transport(self, self.regions or regions, timeout)
        where = [transport.region, transport.endpoint(transport.region), *self.regions]
        return [self.name, *where, transport.identity(), self.role_arn or "", self.external_id or ""]


def open_account(account: Account, regions: Sequence[str], timeout: int, whole: bool = False) -> list[QueryClient]:
    """A client for each region that its own regions, or else `regions`, stand for in this account, in order. Raises SteadfastError.

    They read of an instance what the facts need, or with `whole` everything.
    """
    regions = account.regions or regions
    transport = _transport(account, regions, timeout)
    if account.role_arn:
        transport = Transport(_assumed(account, transport, timeout), timeout)
    return [_client(transport, name, whole) for name in _region_names(transport, regions)]


def region_words(where: str, given: Any) -> tuple[str, ...]:
    """The names in an option `regions`, which `where` calls; a single one may stand alone. Raises InvalidInput."""
    names = [given] if isinstance(given, str) else given or []
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) and name for name in names):
        raise InvalidInput("regions are a list of names", resource=where, found=repr(given), do="Write them as in [us-east-1].")
    return tuple(str(name) for name in names)


def _transport(account: Account, regions: Sequence[str], timeout: int) -> Transport:
    """With the account's own credentials, before any role. Takes no call."""
    named = [region for region in regions if region not in (ALL, AUTO)]
    try:
        return Transport(account.connection, timeout)
    except CallFailed as error:
        if error.code != "NoRegionError" or AUTO in regions or not (named or ALL in regions):
            raise
        return Transport(replace(account.connection, region=named[0] if named else FIRST_REGION), timeout)


def _client(transport: Transport, region: str, whole: bool = False) -> QueryClient:
    return QueryClient(transport, region, reader(whole), ATTEMPTS)


def _region_names(transport: Transport, regions: Sequence[str]) -> list[str]:
    names = [transport.region if region == AUTO else region for region in regions or (AUTO,)]
    if ALL not in names:
        return list(dict.fromkeys(names))
    if len(set(names)) > 1:
        raise InvalidInput("all stands for every region, with nothing beside it", resource="regions", found=", ".join(regions))
    return sorted(region["RegionName"] for region in _client(transport, transport.region).call("DescribeRegions", {})["Regions"])


def _assumed(account: Account, transport: Transport, timeout: int) -> Connection:
    """The connection of the role; without a region of its own the role works where its account does."""
    connection = replace(transport.connection, region=transport.region)
    sts = Client(connection, service="sts", session=transport.session, attempts=ATTEMPTS, timeout=timeout)
    return assume(sts, str(account.role_arn), account.session_name, account.external_id)
