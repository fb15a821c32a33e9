# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What DescribeInstances does not tell about instances: asked for only where a plan needs it, all at once. Read-only."""

from __future__ import annotations

import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Callable, Dict, Iterable, List, Mapping, Set

from ..aws.client import CONCURRENCY, Client
from . import facts
from .world import World

#: The API takes at most so many values in one filter.
FILTER_VALUES = 200

Found = Dict[str, Dict[str, Any]]


def _user_data(value: Any) -> str:
    """The digest alone: the text may hold secrets, and is not kept."""
    return hashlib.sha256(base64.b64decode(value)).hexdigest() if value else ""


#: {name: (the attribute to ask for, its place in the answer, what is kept of it)}: one call for each instance.
_ATTRIBUTES: Mapping[str, Any] = {
    "termination_protection": ("disableApiTermination", "DisableApiTermination", bool),
    "stop_protection": ("disableApiStop", "DisableApiStop", bool),
    "shutdown_behavior": ("instanceInitiatedShutdownBehavior", "InstanceInitiatedShutdownBehavior", lambda value: value),
    "user_data": ("userData", "UserData", _user_data),
    # For a new instance that takes the place of this one; shown nowhere.
    "user_data_content": ("userData", "UserData", lambda value: base64.b64decode(value) if value else b""),
}


def with_details(client: Client, world: World, asked: Mapping[str, Set[str]]) -> World:
    """`world`, and the answers to what was asked: {what: ids of instances}."""
    if not asked:
        return world
    calls: List[Callable[[], Found]] = [
        _attribute(client, name, instance_id) for name in _ATTRIBUTES for instance_id in sorted(asked.get(name, ()))
    ]
    for name, ask in (("cpu_credits", _credits), ("profile_association", _associations)):
        calls += [ask(client, some) for some in _portions(asked.get(name, ()))]
    details: Found = {}
    with ThreadPoolExecutor(max_workers=CONCURRENCY, thread_name_prefix="details") as pool:
        for answer in pool.map(lambda call: call(), calls):
            for instance_id, found in answer.items():
                details.setdefault(instance_id, {}).update(found)
    volumes = {fact["id"]: fact for fact in (*world.volumes, *_volumes(client, world, asked.get("volumes", ())))}
    addresses = {fact["id"]: fact for fact in (*world.elastic_ips, *_addresses(client, asked.get("addresses", ())))}
    return replace(world, details=details, volumes=tuple(volumes.values()), elastic_ips=tuple(addresses.values()))


def _attribute(client: Client, name: str, instance_id: str) -> Callable[[], Found]:
    attribute, place, kept = _ATTRIBUTES[name]

    def ask() -> Found:
        answer = client.call("DescribeInstanceAttribute", {"InstanceId": instance_id, "Attribute": attribute})
        value = (answer.get(place) or {}).get("Value")
        return {instance_id: {name: kept(value)}}

    return ask


def _credits(client: Client, ids: List[str]) -> Callable[[], Found]:
    def ask() -> Found:
        request = {"Filters": [{"Name": "instance-id", "Values": ids}]}
        answer = client.pages("DescribeInstanceCreditSpecifications", "InstanceCreditSpecifications", request)
        return {one["InstanceId"]: {"cpu_credits": one.get("CpuCredits")} for one in answer}

    return ask


def _associations(client: Client, ids: List[str]) -> Callable[[], Found]:
    def ask() -> Found:
        request = {"Filters": [{"Name": "instance-id", "Values": ids}]}
        answer = client.pages("DescribeIamInstanceProfileAssociations", "IamInstanceProfileAssociations", request)
        live = [one for one in answer if one.get("State") in ("associating", "associated")]
        return {one["InstanceId"]: {"profile_association": one["AssociationId"]} for one in live}

    return ask


def _volumes(client: Client, world: World, ids: Iterable[str]) -> List[Dict[str, Any]]:
    """Volumes of instances that were not read with the others, because they carry no tag of the fleet."""
    requests = [{"Filters": [{"Name": "volume-id", "Values": some}]} for some in _portions(ids)]
    return [facts.volume(one, world.zones) for request in requests for one in client.pages("DescribeVolumes", "Volumes", request)]


def _addresses(client: Client, ids: Iterable[str]) -> List[Dict[str, Any]]:
    """Addresses of instances, whoever owns them."""
    requests = [{"Filters": [{"Name": "instance-id", "Values": some}]} for some in _portions(ids)]
    return [facts.elastic_ip(one) for request in requests for one in client.pages("DescribeAddresses", "Addresses", request)]


def _portions(values: Iterable[str]) -> List[List[str]]:
    ordered = sorted(values)
    return [ordered[start : start + FILTER_VALUES] for start in range(0, len(ordered), FILTER_VALUES)]
