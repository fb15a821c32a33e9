# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read the instances of all accounts and regions, with what belongs to them: a few calls per region, all at once. Read-only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ..module_utils.aws.query import QueryClient
from ..module_utils.ec2 import facts
from ..module_utils.ec2.describe import api_filter, describe, portions
from ..module_utils.engine.errors import SteadfastError
from .accounts import Account, open_account
from .choice import Choice

#: Calls in flight at once, over all accounts and regions.
WORKERS = 32
#: The API gives at most so many things in one page.
PAGE = 1000
#: What may be asked besides the instances, and how the API calls it.
DETAILS = ("volumes", "elastic_ips", "zone_ids", "images")

Facts = dict[str, Any]
Items = list[Facts]
Calls = dict[str, Future[Items]]


@dataclass(frozen=True)
class Question:
    """What is asked of each region. `raw` keeps the API's own form of each instance beside the facts."""

    regions: tuple[str, ...]
    choice: Choice
    details: tuple[str, ...] = DETAILS
    raw: bool = False
    timeout: int = 30


@dataclass
class Answer:
    """What the regions said: facts, image names by id, raw instances by id; what failed by place; and where the time went."""

    instances: list[Facts] = field(default_factory=list)
    image_names: dict[str, str] = field(default_factory=dict)
    raw: dict[str, Facts] = field(default_factory=dict)
    #: Regions (or whole accounts) whose instances are not here.
    failures: dict[str, SteadfastError] = field(default_factory=dict)
    #: (place, detail): what could not be asked of a region whose instances are here.
    gaps: dict[tuple[str, str], SteadfastError] = field(default_factory=dict)
    #: {place: {instances, calls, retries, seconds}}
    spent: dict[str, dict[str, Any]] = field(default_factory=dict)


class _Region:
    """One region of one account while it is being asked."""

    def __init__(self, account: Account, client: QueryClient, question: Question, pool: ThreadPoolExecutor) -> None:
        self.place = account.place(client.region)
        self.account = account
        self.client = client
        self.details: Calls = {}
        self.images: list[Future[Items]] = []
        self.found: list[Facts] = []
        self._question = question
        self._pool = pool
        self.instances = pool.submit(self._ask)

    def _ask(self) -> list[Facts]:
        """The raw instances that are meant. What belongs to them is asked for as soon as it is known that there are any."""
        question = self._question
        filters = {"Filters": question.choice.request(), "MaxResults": PAGE}
        raws = list(_meant(self.client.pages("DescribeInstances", "Reservations", filters, self._seen), question.choice))
        if any(not (raw.get("Placement") or {}).get("AvailabilityZoneId") for raw in raws):
            self._detail("zone_ids", "DescribeAvailabilityZones", "AvailabilityZones")
        if "images" in question.details:
            self.images = self._ask_images({str(raw.get("ImageId") or "") for raw in raws})
        return raws

    def _seen(self, page: Items) -> None:
        """Not waiting for the other pages saves the time that one list takes; a region without instances is asked nothing else."""
        if page and not self.details:
            attached = [api_filter("attachment.status", ("attaching", "attached", "detaching"))]
            self._detail("volumes", "DescribeVolumes", "Volumes", Filters=attached, MaxResults=PAGE)
            self._detail("elastic_ips", "DescribeAddresses", "Addresses")

    def _detail(self, kind: str, operation: str, result: str, **params: Any) -> None:
        if kind in self._question.details:
            self.details[kind] = self._pool.submit(self.client.pages, operation, result, params)

    def _ask_images(self, image_ids: Iterable[str]) -> list[Future[Items]]:
        """By filter, because asking by id fails as a whole when one image is no longer there."""
        parts = portions(filter(None, image_ids))
        return [self._pool.submit(describe, self.client, "all_images", [api_filter("image-id", part)]) for part in parts]


def read(accounts: Iterable[Account], question: Question) -> Answer:
    """Ask everywhere at once. What fails is in `failures` and `gaps`; whether that matters is for the caller to decide."""
    answer = Answer()
    with ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix="inventory") as pool:
        opened = [(account, pool.submit(_open, account, question, pool)) for account in accounts]
        regions: list[_Region] = []
        for account, begun in opened:
            with _recorded(answer.failures, account.name or "the account"):
                regions += begun.result()
        for region in regions:
            with _recorded(answer.failures, region.place):
                _take(region, question, answer)
        for region in regions:
            with _recorded(answer.gaps, (region.place, "images")):
                answer.image_names.update((image["ImageId"], image.get("Name") or "") for part in region.images for image in part.result())
    answer.spent = {region.place: {"instances": len(region.found), **region.client.api()} for region in regions}
    return answer


def _open(account: Account, question: Question, pool: ThreadPoolExecutor) -> list[_Region]:
    whole = question.raw or question.choice.local
    return [_Region(account, client, question, pool) for client in open_account(account, question.regions, question.timeout, whole)]


@contextmanager
def _recorded(failures: dict[Any, SteadfastError], place: Any) -> Iterator[None]:
    try:
        yield
    except SteadfastError as error:
        failures[place] = error


def _take(region: _Region, question: Question, answer: Answer) -> None:
    """The instances of a region, and of its details what could be had. Raises SteadfastError only for the instances."""
    raws = region.instances.result()
    details: dict[str, Items] = {"volumes": [], "elastic_ips": [], "zone_ids": []}
    for kind, asked in region.details.items():
        with _recorded(answer.gaps, (region.place, kind)):
            details[kind] = asked.result()
    zones = {zone["ZoneName"]: zone.get("ZoneId", "") for zone in details["zone_ids"]}
    volumes = [facts.volume(raw, zones) for raw in details["volumes"]]
    addresses = [facts.elastic_ip(raw) for raw in details["elastic_ips"]]
    found = facts.instances(raws, region.client.region, zones, volumes, addresses)
    for raw, instance in zip(raws, found, strict=True):
        owner = raw.get("OwnerId") or ""
        for volume in instance["volumes"].values():
            volume["by_id"] = facts.by_id(volume["id"])
        region.found.append({**instance, "account_id": owner, "account": region.account.name or owner})
    answer.instances.extend(region.found)
    if question.raw:
        answer.raw.update((raw["InstanceId"], raw) for raw in raws)


def _meant(reservations: Iterable[Facts], choice: Choice) -> Iterator[Facts]:
    """Each instance once, although one that moves while pages are turned may be seen twice, with its reservation's own words."""
    seen: set[str] = set()
    for reservation in reservations:
        own = {name: reservation.get(name, "") for name in ("OwnerId", "RequesterId", "ReservationId")}
        for raw in reservation.get("Instances") or ():
            raw.update(own)
            if raw["InstanceId"] not in seen and (not choice.local or choice.takes(raw)):
                seen.add(raw["InstanceId"])
                yield raw
