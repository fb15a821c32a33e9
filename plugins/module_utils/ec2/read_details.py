# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What DescribeInstances does not tell about instances: asked for only where a plan needs it, all at once. Read-only."""

from __future__ import annotations

import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Callable, Dict, List, Mapping, Set

from ..aws.client import CONCURRENCY, Client
from . import facts
from .describe import api_filter, describe, portions
from .world import World

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
        calls += [ask(client, some) for some in portions(asked.get(name, ()))]
    details: Found = {}
    with ThreadPoolExecutor(max_workers=CONCURRENCY, thread_name_prefix="details") as pool:
        for answer in pool.map(lambda call: call(), calls):
            for instance_id, found in answer.items():
                details.setdefault(instance_id, {}).update(found)
    # volumes that carry no tag of the fleet were not read with the others; addresses are asked for whoever owns them
    more_volumes = describe(client, "volumes", [api_filter("volume-id", asked.get("volumes", ()))])
    more_addresses = describe(client, "elastic_ips", [api_filter("instance-id", asked.get("addresses", ()))])
    volumes = {fact["id"]: fact for fact in (*world.volumes, *(facts.volume(raw, world.zones) for raw in more_volumes))}
    addresses = {fact["id"]: fact for fact in (*world.elastic_ips, *(facts.elastic_ip(raw) for raw in more_addresses))}
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
        answer = describe(client, "credits", [api_filter("instance-id", ids)])
        return {one["InstanceId"]: {"cpu_credits": one.get("CpuCredits")} for one in answer}

    return ask


def _associations(client: Client, ids: List[str]) -> Callable[[], Found]:
    def ask() -> Found:
        answer = describe(client, "profiles", [api_filter("instance-id", ids)])
        live = [one for one in answer if one.get("State") in ("associating", "associated")]
        return {one["InstanceId"]: {"profile_association": one["AssociationId"]} for one in live}

    return ask
