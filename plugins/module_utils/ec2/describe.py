# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ask the API for what passes filters: how each kind is asked for, in parts where a list is long, and several at once. Read-only."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, List, Mapping, Sequence, Tuple

from ..aws.client import CONCURRENCY, Client
from ..aws.listing import Listing

#: The API takes at most so many values in one filter.
FILTER_VALUES = 200

Raw = List[Dict[str, Any]]
Filter = Mapping[str, Any]
Calls = Dict[str, Callable[[], Any]]


@dataclass(frozen=True)
class Kind:
    """How the resources of one kind are asked for. Names are those inside a fleet where a fleet is given."""

    operation: str
    result: str
    id_filter: str
    name_filter: str = "tag:Name"
    extra: Tuple[Tuple[str, Any], ...] = ()
    #: How ids begin, where things are referred to by id or name.
    id_prefix: str = ""


KINDS: Mapping[str, Kind] = {
    "key_pairs": Kind("DescribeKeyPairs", "KeyPairs", "key-pair-id", "key-name", (("IncludePublicKey", True),), "key-"),
    "security_groups": Kind("DescribeSecurityGroups", "SecurityGroups", "group-id", "group-name", id_prefix="sg-"),
    "rules": Kind("DescribeSecurityGroupRules", "SecurityGroupRules", "security-group-rule-id", id_prefix="sgr-"),
    "interfaces": Kind("DescribeNetworkInterfaces", "NetworkInterfaces", "network-interface-id", id_prefix="eni-"),
    "instances": Kind("DescribeInstances", "Reservations", "instance-id", id_prefix="i-"),
    "volumes": Kind("DescribeVolumes", "Volumes", "volume-id", id_prefix="vol-"),
    "volume_modifications": Kind("DescribeVolumesModifications", "VolumesModifications", "volume-id"),
    "elastic_ips": Kind("DescribeAddresses", "Addresses", "allocation-id", id_prefix="eipalloc-"),
    "snapshots": Kind("DescribeSnapshots", "Snapshots", "snapshot-id", extra=(("OwnerIds", ["self"]),), id_prefix="snap-"),
    "images": Kind("DescribeImages", "Images", "image-id", "name", (("Owners", ["self"]),), "ami-"),
    "all_snapshots": Kind("DescribeSnapshots", "Snapshots", "snapshot-id", id_prefix="snap-"),
    "all_images": Kind("DescribeImages", "Images", "image-id", "name", id_prefix="ami-"),
    "zones": Kind("DescribeAvailabilityZones", "AvailabilityZones", "zone-id", "zone-name"),
    "instance_types": Kind("DescribeInstanceTypes", "InstanceTypes", "instance-type", "instance-type"),
    "offerings": Kind("DescribeInstanceTypeOfferings", "InstanceTypeOfferings", "instance-type", "instance-type"),
    "subnets": Kind("DescribeSubnets", "Subnets", "subnet-id"),
    "prefix_lists": Kind("DescribeManagedPrefixLists", "PrefixLists", "prefix-list-id", "prefix-list-name", id_prefix="pl-"),
    "credits": Kind("DescribeInstanceCreditSpecifications", "InstanceCreditSpecifications", "instance-id"),
    "profiles": Kind("DescribeIamInstanceProfileAssociations", "IamInstanceProfileAssociations", "instance-id"),
}


def api_filter(name: str, values: Iterable[Any]) -> Dict[str, Any]:
    """A filter as the API takes it; the same values are the same request, whatever order they come in."""
    return {"Name": name, "Values": sorted(values)}


def portions(values: Iterable[str], size: int = FILTER_VALUES) -> List[List[str]]:
    """`values` in order, in parts that one request takes."""
    ordered = sorted(values)
    return [ordered[start : start + size] for start in range(0, len(ordered), size)]


def describe(client: Listing, kind: str, filters: Sequence[Filter], **more: Any) -> Raw:
    """Everything of `kind` that passes `filters`; the longest list of values is asked for in parts where it is too long."""
    how = KINDS[kind]
    if any(not one["Values"] for one in filters):
        return []
    longest = max(filters, key=lambda one: len(one["Values"]), default=None)
    if longest is None:
        return client.pages(how.operation, how.result, {**dict(how.extra), **more})
    others = [one for one in filters if one is not longest]
    found: Raw = []
    for part in portions(longest["Values"]):
        request = {**dict(how.extra), **more, "Filters": [api_filter(longest["Name"], part), *others]}
        found += client.pages(how.operation, how.result, request)
    return found


def asking(client: Client, kind: str, filters: Sequence[Filter]) -> Callable[[], Raw]:
    """`describe`, to be called later."""
    return lambda: describe(client, kind, filters)


def at_once(calls: Calls) -> Dict[str, Any]:
    """The answers of several calls that are made at the same time."""
    with ThreadPoolExecutor(max_workers=CONCURRENCY, thread_name_prefix="describe") as pool:
        started = {name: pool.submit(call) for name, call in calls.items()}
        return {name: future.result() for name, future in started.items()}
