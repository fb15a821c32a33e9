# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which instances are meant: one filter is left to the API, several are put into one question and told apart here. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ..module_utils.ec2.describe import FILTER_VALUES
from ..module_utils.engine.errors import InvalidInput

Raw = Mapping[str, Any]
#: {name of the API: values}, of which all names have to fit, each by one of its values.
Filter = Mapping[str, Sequence[str]]

STATE = "instance-state-name"

#: Where an instance of DescribeInstances has what a filter of that call is about; lists on the way are gone through.
PATHS: Mapping[str, tuple[str, ...]] = {
    "affinity": ("Placement", "Affinity"),
    "architecture": ("Architecture",),
    "availability-zone": ("Placement", "AvailabilityZone"),
    "availability-zone-id": ("Placement", "AvailabilityZoneId"),
    "block-device-mapping.device-name": ("BlockDeviceMappings", "DeviceName"),
    "block-device-mapping.status": ("BlockDeviceMappings", "Ebs", "Status"),
    "block-device-mapping.volume-id": ("BlockDeviceMappings", "Ebs", "VolumeId"),
    "block-device-mapping.delete-on-termination": ("BlockDeviceMappings", "Ebs", "DeleteOnTermination"),
    "boot-mode": ("BootMode",),
    "client-token": ("ClientToken",),
    "dns-name": ("PublicDnsName",),
    "ebs-optimized": ("EbsOptimized",),
    "ena-support": ("EnaSupport",),
    "host-id": ("Placement", "HostId"),
    "hypervisor": ("Hypervisor",),
    "iam-instance-profile.arn": ("IamInstanceProfile", "Arn"),
    "iam-instance-profile.id": ("IamInstanceProfile", "Id"),
    "image-id": ("ImageId",),
    "instance-id": ("InstanceId",),
    "instance-lifecycle": ("InstanceLifecycle",),
    "instance-state-code": ("State", "Code"),
    "instance-state-name": ("State", "Name"),
    "instance-type": ("InstanceType",),
    "instance.group-id": ("SecurityGroups", "GroupId"),
    "instance.group-name": ("SecurityGroups", "GroupName"),
    "ip-address": ("PublicIpAddress",),
    "ipv6-address": ("Ipv6Address",),
    "kernel-id": ("KernelId",),
    "key-name": ("KeyName",),
    "launch-index": ("AmiLaunchIndex",),
    "metadata-options.http-endpoint": ("MetadataOptions", "HttpEndpoint"),
    "metadata-options.http-tokens": ("MetadataOptions", "HttpTokens"),
    "monitoring-state": ("Monitoring", "State"),
    "network-interface.addresses.association.public-ip": ("NetworkInterfaces", "PrivateIpAddresses", "Association", "PublicIp"),
    "network-interface.addresses.private-ip-address": ("NetworkInterfaces", "PrivateIpAddresses", "PrivateIpAddress"),
    "network-interface.group-id": ("NetworkInterfaces", "Groups", "GroupId"),
    "network-interface.group-name": ("NetworkInterfaces", "Groups", "GroupName"),
    "network-interface.ipv6-addresses.ipv6-address": ("NetworkInterfaces", "Ipv6Addresses", "Ipv6Address"),
    "network-interface.mac-address": ("NetworkInterfaces", "MacAddress"),
    "network-interface.network-interface-id": ("NetworkInterfaces", "NetworkInterfaceId"),
    "network-interface.private-dns-name": ("NetworkInterfaces", "PrivateDnsName"),
    "network-interface.status": ("NetworkInterfaces", "Status"),
    "network-interface.subnet-id": ("NetworkInterfaces", "SubnetId"),
    "network-interface.vpc-id": ("NetworkInterfaces", "VpcId"),
    "owner-id": ("OwnerId",),
    "placement-group-name": ("Placement", "GroupName"),
    "platform": ("Platform",),
    "platform-details": ("PlatformDetails",),
    "private-dns-name": ("PrivateDnsName",),
    "private-ip-address": ("PrivateIpAddress",),
    "product-code": ("ProductCodes", "ProductCodeId"),
    "reason": ("StateTransitionReason",),
    "requester-id": ("RequesterId",),
    "reservation-id": ("ReservationId",),
    "root-device-name": ("RootDeviceName",),
    "root-device-type": ("RootDeviceType",),
    "source-dest-check": ("SourceDestCheck",),
    "spot-instance-request-id": ("SpotInstanceRequestId",),
    "state-reason-code": ("StateReason", "Code"),
    "state-reason-message": ("StateReason", "Message"),
    "subnet-id": ("SubnetId",),
    "tag-key": ("Tags", "Key"),
    "tag-value": ("Tags", "Value"),
    "tenancy": ("Placement", "Tenancy"),
    "virtualization-type": ("VirtualizationType",),
    "vpc-id": ("VpcId",),
}


@dataclass(frozen=True)
class Choice:
    """Instances that fit one of `included` (all, if there is none) and none of `excluded`."""

    included: tuple[Filter, ...]
    excluded: tuple[Filter, ...] = ()

    @classmethod
    def of(cls, filters: Any, included: Iterable[Any], excluded: Iterable[Any], states: Sequence[str]) -> Choice:
        """From the options; `states` count where a filter names none. Raises InvalidInput for what cannot be told apart here."""
        wanted = [_filter("filters", filters)] if filters else []
        wanted += [_one_of("include_filters", one) for one in included]
        unwanted = [_one_of("exclude_filters", one) for one in excluded]
        default = {STATE: tuple(states)}
        if not states:
            raise InvalidInput("no instance is in no state", resource="states", do="Name at least one.")
        choice = cls(tuple({**default, **one} for one in wanted or [{}]), tuple(unwanted))
        choice._check(len(wanted) > 1)
        return choice

    @property
    def local(self) -> bool:
        """Whether something is left to decide when the API has answered."""
        return len(self.included) > 1 or bool(self.excluded)

    def request(self) -> list[dict[str, Any]]:
        """The API's filters: all that every one of `included` has in common, so never too few instances."""
        first, *others = self.included
        common = [name for name in first if all(name in other for other in others)]
        values = {name: list(dict.fromkeys(value for one in self.included for value in one[name])) for name in sorted(common)}
        return [{"Name": name, "Values": found} for name, found in values.items() if not others or len(found) <= FILTER_VALUES]

    def takes(self, raw: Raw) -> bool:
        """Whether an instance, as the API gave it with its reservation's `OwnerId` and kin, is meant."""
        meant = len(self.included) == 1 or any(_fits(one, raw) for one in self.included)
        return meant and not any(_fits(one, raw) for one in self.excluded)

    def _check(self, several: bool) -> None:
        options = [("include_filters", one) for one in self.included if several]
        for option, one in (*options, *(("exclude_filters", one) for one in self.excluded)):
            for name in one:
                if not name.startswith("tag:") and name not in PATHS:
                    raise InvalidInput(
                        "only the API can decide about this filter, and it is asked only once",
                        resource=f"{option}: {name}",
                        found=f"known here: tag:KEY, {', '.join(PATHS)}",
                        do="Correct the name, or use the filter alone in filters.",
                    )


def _filter(option: str, one: Any) -> Filter:
    if not isinstance(one, Mapping):
        raise InvalidInput("a filter is a mapping of names to values", resource=option, found=repr(one))
    return {_name(str(name)): _values(option, str(name), value) for name, value in one.items()}


def _one_of(option: str, one: Any) -> Filter:
    found = _filter(option, one)
    if not found:
        raise InvalidInput("an empty filter fits every instance", resource=option, do="Leave it out, or name what it is about.")
    return found


def _name(name: str) -> str:
    """Underscores may stand for dashes, except in the key of a tag."""
    return name if name.startswith("tag:") else name.replace("_", "-")


def _values(option: str, name: str, value: Any) -> tuple[str, ...]:
    """The values of a filter, as the API takes them."""
    values = value if isinstance(value, (list, tuple)) else [value]
    if not values or any(isinstance(one, (dict, list)) or one is None for one in values):
        raise InvalidInput("a filter is a value or a list of values", resource=f"{option}: {name}", found=repr(value))
    return tuple(str(one).lower() if isinstance(one, bool) else str(one) for one in values)


def _fits(one: Filter, raw: Raw) -> bool:
    return all(any(_pattern(value)(found) for value in values for found in _found(name, raw)) for name, values in one.items())


def _found(name: str, raw: Raw) -> Iterator[str]:
    if name.startswith("tag:"):
        key = name.removeprefix("tag:")
        yield from (tag.get("Value", "") for tag in raw.get("Tags") or () if tag["Key"] == key)
    else:
        yield from _walk(raw, PATHS[name])


def _walk(value: Any, path: Sequence[str]) -> Iterator[str]:
    if isinstance(value, (list, tuple)):
        for one in value:
            yield from _walk(one, path)
    elif path:
        if isinstance(value, Mapping) and value.get(path[0]) is not None:
            yield from _walk(value[path[0]], path[1:])
    else:
        yield str(value).lower() if isinstance(value, bool) else str(value)


@lru_cache(maxsize=4096)
def _pattern(value: str) -> Any:
    """The API's wildcards: `*` for any text, `?` for one character, a backslash before one that means itself."""
    parts = re.findall(r"\\.|.", value, re.DOTALL)
    wild = {"*": ".*", "?": "."}
    return re.compile("".join(wild.get(part) or re.escape(part[-1]) for part in parts), re.DOTALL).fullmatch
