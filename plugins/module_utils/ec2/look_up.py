# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Look up what exists, by ids, names, fleet, tags and filters, in as few calls as the API allows. Read-only."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, List, Mapping, Sequence, Tuple

from ..aws import tags as tag_words
from ..aws.client import CONCURRENCY, Client
from . import facts
from .instance.shown import DETAILS
from .read import FILTER_VALUES
from .read_details import with_details
from .world import World

Raw = List[Dict[str, Any]]
Filters = List[Dict[str, Any]]
Calls = Dict[str, Callable[[], Raw]]


@dataclass(frozen=True)
class Kind:
    """How the resources of one kind are asked for. Names are those inside a fleet where a fleet is given."""

    operation: str
    result: str
    id_filter: str
    name_filter: str = "tag:Name"
    extra: Tuple[Tuple[str, Any], ...] = ()


KINDS: Mapping[str, Kind] = {
    "key_pairs": Kind("DescribeKeyPairs", "KeyPairs", "key-pair-id", "key-name", (("IncludePublicKey", True),)),
    "security_groups": Kind("DescribeSecurityGroups", "SecurityGroups", "group-id", "group-name"),
    "instances": Kind("DescribeInstances", "Reservations", "instance-id"),
    "volumes": Kind("DescribeVolumes", "Volumes", "volume-id"),
    "elastic_ips": Kind("DescribeAddresses", "Addresses", "allocation-id"),
    "snapshots": Kind("DescribeSnapshots", "Snapshots", "snapshot-id", extra=(("OwnerIds", ["self"]),)),
    "images": Kind("DescribeImages", "Images", "image-id", "name", (("Owners", ["self"]),)),
    "all_images": Kind("DescribeImages", "Images", "image-id", "name"),
    "zones": Kind("DescribeAvailabilityZones", "AvailabilityZones", "zone-id", "zone-name"),
    "instance_types": Kind("DescribeInstanceTypes", "InstanceTypes", "instance-type", "instance-type"),
    "offerings": Kind("DescribeInstanceTypeOfferings", "InstanceTypeOfferings", "instance-type", "instance-type"),
    "subnets": Kind("DescribeSubnets", "Subnets", "subnet-id"),
}


def selection(kind: str, options: Mapping[str, Any]) -> Tuple[Filters, bool]:
    """The filters that `ids`, `names`, `fleet`, `tags` and `filters` of a module mean, and whether there are any."""
    how = KINDS[kind]
    found: Dict[str, List[str]] = {}
    if options.get("ids") is not None:
        found[how.id_filter] = [str(one) for one in options["ids"]]
    if options.get("fleet") is not None:
        found[f"tag:{tag_words.FLEET}"] = [str(options["fleet"])]
    if options.get("names") is not None:
        by_member = options.get("fleet") is not None and how.name_filter == "tag:Name"
        found[f"tag:{tag_words.MEMBER}" if by_member else how.name_filter] = [str(one) for one in options["names"]]
    for key, value in (options.get("tags") or {}).items():
        found[f"tag:{key}"] = _values(value)
    for key, value in (options.get("filters") or {}).items():
        word = key if key.startswith("tag:") else key.replace("_", "-")
        found[word] = _values(value)
    return [{"Name": name, "Values": values} for name, values in sorted(found.items())], bool(found)


def _values(value: Any) -> List[str]:
    several = value if isinstance(value, (list, tuple)) else [value]
    return [str(one).lower() if isinstance(one, bool) else str(one) for one in several]


def describe(client: Client, kind: str, filters: Sequence[Mapping[str, Any]], **more: Any) -> Raw:
    """Everything of `kind` that passes `filters`; the longest list of values is asked for in parts where it is too long."""
    how = KINDS[kind]
    if any(not one["Values"] for one in filters):
        return []
    longest = max(filters, key=lambda one: len(one["Values"]), default=None)
    if longest is None:
        return client.pages(how.operation, how.result, {**dict(how.extra), **more})
    others = [one for one in filters if one is not longest]
    found: Raw = []
    for start in range(0, len(longest["Values"]), FILTER_VALUES):
        part = {"Name": longest["Name"], "Values": longest["Values"][start : start + FILTER_VALUES]}
        found += client.pages(how.operation, how.result, {**dict(how.extra), **more, "Filters": [part, *others]})
    return found


def at_once(calls: Calls) -> Dict[str, Raw]:
    """The answers of several calls that are made at the same time."""
    with ThreadPoolExecutor(max_workers=CONCURRENCY, thread_name_prefix="look-up") as pool:
        started = {name: pool.submit(call) for name, call in calls.items()}
        return {name: future.result() for name, future in started.items()}


def instances(client: Client, filters: Sequence[Mapping[str, Any]]) -> World:
    """Instances with their volumes and addresses; what is selected decides whether those are asked for by instance or at once."""
    calls: Calls = {"instances": lambda: describe(client, "instances", filters)}
    if not filters:
        calls.update({kind: _asking(client, kind, ()) for kind in ("volumes", "elastic_ips")})
    found = at_once(calls)
    found.update(at_once(belonging(client, found)))
    return world(client.region, None, found)


def belonging(client: Client, found: Mapping[str, Raw]) -> Calls:
    """The calls for what belongs to the instances in `found` and was not asked for yet."""
    calls: Calls = {}
    raws = _instances(found.get("instances", ()))
    ids = [raw["InstanceId"] for raw in raws]
    for kind, word in (("volumes", "attachment.instance-id"), ("elastic_ips", "instance-id")):
        if kind not in found and ids:
            calls[kind] = _asking(client, kind, [{"Name": word, "Values": ids}])
    if any(not (raw.get("Placement") or {}).get("AvailabilityZoneId") for raw in raws):
        calls["zones"] = _asking(client, "zones", ())
    return calls


def for_fleet(client: Client, filters: Sequence[Mapping[str, Any]], fleet: str, details: bool = False) -> World:
    """What `fleet` owns (no `filters`), or the instances that pass `filters` and what belongs to them.

    `details`: also what is told of one instance at a time only, a few calls for each.
    """
    own = [{"Name": f"tag:{tag_words.FLEET}", "Values": [fleet]}]
    owned = ("key_pairs", "security_groups", "instances", "volumes", "elastic_ips")
    if filters:
        found = at_once({"instances": lambda: describe(client, "instances", filters)})
    else:
        found = at_once({kind: _asking(client, kind, own) for kind in owned})
    more = at_once({**belonging(client, {"instances": found["instances"]}), **_referred(client, found)})
    for kind, raws in more.items():
        found[kind] = [*found.get(kind, ()), *raws]
    seen = world(client.region, fleet, found)
    live = {str(fact["id"]) for fact in seen.instances if fact["state"] not in facts.GONE}
    return with_details(client, seen, dict.fromkeys((*DETAILS, "user_data"), live)) if details and live else seen


def _referred(client: Client, found: Mapping[str, Raw]) -> Calls:
    """Key pairs, groups, subnets and images that instances use and that were not found yet."""
    live = [raw for raw in _instances(found["instances"]) if raw["State"]["Name"] not in facts.GONE]
    groups = {group["GroupId"] for raw in live for group in (facts.primary_interface(raw).get("Groups") or raw.get("SecurityGroups") or ())}
    wanted = {
        "key_pairs": {raw["KeyName"] for raw in live if raw.get("KeyName")} - {raw["KeyName"] for raw in found.get("key_pairs", ())},
        "security_groups": groups - {raw["GroupId"] for raw in found.get("security_groups", ())},
        "subnets": {raw["SubnetId"] for raw in live if raw.get("SubnetId")},
        "all_images": {raw["ImageId"] for raw in live},
    }
    words = {"key_pairs": "key-name", "security_groups": "group-id", "subnets": "subnet-id", "all_images": "image-id"}
    return {kind: _asking(client, kind, [{"Name": words[kind], "Values": sorted(values)}]) for kind, values in wanted.items() if values}


def _asking(client: Client, kind: str, filters: Sequence[Mapping[str, Any]]) -> Callable[[], Raw]:
    return lambda: describe(client, kind, filters)


def world(region: str, fleet: Any, found: Mapping[str, Raw]) -> World:
    """What was found, as facts."""
    zones = {zone["ZoneName"]: zone["ZoneId"] for zone in found.get("zones", ())}
    raws = _instances(found.get("instances", ()))
    volumes = _distinct([facts.volume(raw, zones) for raw in found.get("volumes", ())])
    addresses = _distinct([facts.elastic_ip(raw) for raw in found.get("elastic_ips", ())])
    return World(
        region=region,
        fleet=fleet,
        key_pairs=_distinct([facts.key_pair(raw) for raw in found.get("key_pairs", ())]),
        security_groups=_distinct([facts.security_group(raw) for raw in found.get("security_groups", ())]),
        instances=facts.instances(raws, region, zones, volumes, addresses),
        volumes=volumes,
        elastic_ips=addresses,
        raw={raw["InstanceId"]: raw for raw in raws},
        zones=zones,
        images=tuple(found.get("all_images", ())),
        subnets={raw["SubnetId"]: raw for raw in found.get("subnets", ())},
    )


def _instances(reservations: Iterable[Mapping[str, Any]]) -> Raw:
    every = {raw["InstanceId"]: raw for reservation in reservations for raw in reservation.get("Instances", ())}
    return list(every.values())


def _distinct(found: List[Dict[str, Any]]) -> Tuple[Dict[str, Any], ...]:
    return tuple({fact["id"]: fact for fact in found}.values())
