# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read the instances of all accounts and regions, with what belongs to them: a few calls per region, all at once. Read-only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ..module_utils.aws.client import Client
from ..module_utils.ec2 import facts
from ..module_utils.engine.errors import SteadfastError
from .accounts import Account, open_account
from .choice import FILTER_VALUES, Choice

#: Calls in flight at once, over all accounts and regions.
WORKERS = 32
#: The API gives at most so many things in one page.
PAGE = 1000
#: What may be asked besides the instances, and how the API calls it.
DETAILS = ("volumes", "elastic_ips", "zone_ids", "images")

Facts = dict[str, Any]
Calls = dict[str, Future[list[Facts]]]


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


@dataclass
class _Region:
    """One region of one account while it is being asked."""

    account: Account
    client: Client
    calls: Calls
    found: list[Facts] = field(default_factory=list)

    @property
    def place(self) -> str:
        return self.account.place(self.client.region)


def read(accounts: Iterable[Account], question: Question) -> Answer:
    """Ask everywhere at once. What fails is in `failures` and `gaps`; whether that matters is for the caller to decide."""
    answer = Answer()
    with ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix="inventory") as pool:
        opened = [(account, pool.submit(_open, account, question)) for account in accounts]
        regions: list[_Region] = []
        for account, clients in opened:
            with _recorded(answer.failures, account.name or "the account"):
                regions += [_Region(account, client, _ask(pool, client, question)) for client in clients.result()]
        for region in regions:
            with _recorded(answer.failures, region.place):
                _take(region, question, answer)
        _take_images(pool, regions, question, answer)
    answer.spent = {region.place: {"instances": len(region.found), **region.client.api()} for region in regions}
    return answer


def _open(account: Account, question: Question) -> list[Client]:
    whole = question.raw or question.choice.local
    return list(open_account(account, question.regions, question.timeout, whole))


@contextmanager
def _recorded(failures: dict[Any, SteadfastError], place: Any) -> Iterator[None]:
    try:
        yield
    except SteadfastError as error:
        failures[place] = error


def _ask(pool: ThreadPoolExecutor, client: Client, question: Question) -> Calls:
    attached = [{"Name": "attachment.status", "Values": ["attaching", "attached", "detaching"]}]
    requests = {
        "instances": ("DescribeInstances", "Reservations", {"Filters": question.choice.request(), "MaxResults": PAGE}),
        "volumes": ("DescribeVolumes", "Volumes", {"Filters": attached, "MaxResults": PAGE}),
        "elastic_ips": ("DescribeAddresses", "Addresses", {}),
        "zone_ids": ("DescribeAvailabilityZones", "AvailabilityZones", {}),
    }
    return {kind: pool.submit(client.pages, *request) for kind, request in requests.items() if kind in ("instances", *question.details)}


def _take(region: _Region, question: Question, answer: Answer) -> None:
    """The instances of a region, and of its details what could be had. Raises SteadfastError only for the instances."""
    raws = list(_meant(region.calls["instances"].result(), question.choice))
    details: dict[str, list[Facts]] = {"volumes": [], "elastic_ips": [], "zone_ids": []}
    for kind in details:
        if kind in region.calls:
            with _recorded(answer.gaps, (region.place, kind)):
                details[kind] = region.calls[kind].result()
    zones = {zone["ZoneName"]: zone.get("ZoneId", "") for zone in details["zone_ids"]}
    volumes = [facts.volume(raw, zones) for raw in details["volumes"]]
    addresses = [facts.elastic_ip(raw) for raw in details["elastic_ips"]]
    found = facts.instances(raws, region.client.region, zones, volumes, addresses)
    for raw, instance in zip(raws, found, strict=True):
        owner = raw.get("OwnerId") or ""
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


def _take_images(pool: ThreadPoolExecutor, regions: Iterable[_Region], question: Question, answer: Answer) -> None:
    if "images" not in question.details:
        return
    asked = [(region, _ask_images(pool, region.client, {one["image_id"] for one in region.found})) for region in regions]
    for region, answers in asked:
        with _recorded(answer.gaps, (region.place, "images")):
            answer.image_names.update((image["ImageId"], image.get("Name") or "") for part in answers for image in part.result())


def _ask_images(pool: ThreadPoolExecutor, client: Client, image_ids: Iterable[str]) -> list[Future[list[Facts]]]:
    """By filter, because asking by id fails as a whole when one image is no longer there."""
    ids = sorted(filter(None, image_ids))
    parts = [ids[start : start + FILTER_VALUES] for start in range(0, len(ids), FILTER_VALUES)]
    return [pool.submit(client.pages, "DescribeImages", "Images", {"Filters": [{"Name": "image-id", "Values": part}]}) for part in parts]
