# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read the instances of one or more regions, with what belongs to them: a few calls per region, all at once. Read-only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from ..module_utils.aws.client import Client, Connection
from ..module_utils.ec2 import facts
from ..module_utils.engine.errors import SteadfastError

#: Calls in flight at once, over all regions.
WORKERS = 32
#: The API gives at most so many instances in one page, and takes at most so many values in one filter.
PAGE, FILTER_VALUES = 1000, 200
ALL = "all"

Facts = dict[str, Any]
Calls = dict[str, Future[list[Facts]]]


@dataclass(frozen=True)
class Question:
    """What is asked of each region. `images` asks for the names of the images too, which tell the login user."""

    regions: tuple[str, ...]
    filters: Mapping[str, Sequence[str]]
    images: bool


@dataclass(frozen=True)
class Answer:
    """What the regions said: instances in the form of facts.instance, image names by id, and the regions that failed."""

    instances: list[Facts]
    image_names: dict[str, str]
    failures: dict[str, SteadfastError]


def read(connection: Connection, question: Question) -> Answer:
    """Ask all regions at once. A region that fails is in `failures`; whether that matters is for the caller to decide."""
    clients = connect(connection, question.regions)
    answer = Answer([], {}, {})
    with ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix="inventory") as pool:
        asked = [(client, _ask(pool, client, question)) for client in clients]
        named: dict[str, list[Future[list[Facts]]]] = {}
        for client, calls in asked:
            with _recorded(answer.failures, client.region):
                found = _instances(client.region, calls)
                answer.instances.extend(found)
                if question.images:
                    named[client.region] = _ask_images(pool, client, {instance["image_id"] for instance in found})
        for region, answers in named.items():
            with _recorded(answer.failures, region):
                answer.image_names.update((image["ImageId"], image.get("Name") or "") for part in answers for image in part.result())
    return answer


@contextmanager
def _recorded(failures: dict[str, SteadfastError], region: str) -> Iterator[None]:
    try:
        yield
    except SteadfastError as error:
        failures[region] = error


def connect(connection: Connection, regions: tuple[str, ...]) -> list[Client]:
    """One client per region, in order; no region means the configured one, and `all` those that the account has enabled."""
    first = Client(connection if regions in ((), (ALL,)) else replace(connection, region=regions[0]))
    if regions == (ALL,):
        regions = tuple(sorted(region["RegionName"] for region in first.call("DescribeRegions", {})["Regions"]))
    others = {name: Client(replace(connection, region=name), session=first.session) for name in regions if name != first.region}
    return [others.get(name, first) for name in dict.fromkeys(regions or (first.region,))]


def _ask(pool: ThreadPoolExecutor, client: Client, question: Question) -> Calls:
    chosen = [{"Name": name, "Values": list(values)} for name, values in sorted(question.filters.items())]
    attached = [{"Name": "attachment.status", "Values": ["attaching", "attached", "detaching"]}]
    requests = {
        "instances": ("DescribeInstances", "Reservations", {"Filters": chosen, "MaxResults": PAGE}),
        "volumes": ("DescribeVolumes", "Volumes", {"Filters": attached, "MaxResults": PAGE}),
        "addresses": ("DescribeAddresses", "Addresses", {}),
        "zones": ("DescribeAvailabilityZones", "AvailabilityZones", {}),
    }
    return {kind: pool.submit(client.pages, *request) for kind, request in requests.items()}


def _instances(region: str, calls: Calls) -> list[Facts]:
    reservations = calls["instances"].result()
    zones = {zone["ZoneName"]: zone.get("ZoneId", "") for zone in calls["zones"].result()}
    raws = [raw for reservation in reservations for raw in reservation.get("Instances", ())]
    volumes = [facts.volume(raw, zones) for raw in calls["volumes"].result()]
    addresses = [facts.elastic_ip(raw) for raw in calls["addresses"].result()]
    return list(facts.instances(raws, region, zones, volumes, addresses))


def _ask_images(pool: ThreadPoolExecutor, client: Client, image_ids: Iterable[str]) -> list[Future[list[Facts]]]:
    """By filter, because asking by id fails as a whole when one image is no longer there."""
    ids = sorted(filter(None, image_ids))
    parts = [ids[start : start + FILTER_VALUES] for start in range(0, len(ids), FILTER_VALUES)]
    return [pool.submit(client.pages, "DescribeImages", "Images", {"Filters": [{"Name": "image-id", "Values": part}]}) for part in parts]
