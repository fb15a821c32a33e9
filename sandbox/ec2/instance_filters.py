# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filters of DescribeInstances."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Callable, Dict, List, Mapping

from moto.ec2.utils import simple_aws_filter_to_re

from sandbox.errors import Ec2Error

Getter = Callable[[Any], Any]


def _nics(get: Getter) -> Getter:
    return lambda instance: [get(nic) for nic in instance.nics.values()]


def _blocks(get: Callable[[str, Any], Any]) -> Getter:
    return lambda instance: [get(name, block) for name, block in instance.block_device_mapping.items()]


GETTERS: Dict[str, Getter] = {
    "architecture": lambda i: i.architecture,
    "availability-zone": lambda i: i.availability_zone,
    "availability-zone-id": lambda i: i.availability_zone_id,
    "block-device-mapping.delete-on-termination": _blocks(lambda _, block: block.delete_on_termination),
    "block-device-mapping.device-name": _blocks(lambda name, _: name),
    "block-device-mapping.status": _blocks(lambda _, block: block.status),
    "block-device-mapping.volume-id": _blocks(lambda _, block: block.volume_id),
    "client-token": lambda i: i.client_token,
    "dns-name": lambda i: i.public_dns_name,
    "group-id": lambda i: [group.id for group in i.security_groups],
    "group-name": lambda i: [group.name for group in i.security_groups],
    "hypervisor": lambda i: i.hypervisor,
    "image-id": lambda i: i.image_id,
    "instance-id": lambda i: i.id,
    "instance-lifecycle": lambda i: i.lifecycle,
    "instance-state-code": lambda i: i.state_code,
    "instance-state-name": lambda i: i.state,
    "instance-type": lambda i: i.instance_type,
    "instance.group-id": lambda i: [group.id for group in i.security_groups],
    "instance.group-name": lambda i: [group.name for group in i.security_groups],
    "ip-address": lambda i: i.public_ip,
    "key-name": lambda i: i.key_name,
    "launch-index": lambda i: i.ami_launch_index,
    "launch-time": lambda i: f"{i.launch_time:%Y-%m-%dT%H:%M:%S}.000Z",
    "metadata-options.http-endpoint": lambda i: i.metadata_options.http_endpoint,
    "metadata-options.http-tokens": lambda i: i.metadata_options.http_tokens,
    "monitoring-state": lambda i: i.monitoring_state,
    "network-interface.addresses.association.public-ip": _nics(lambda nic: nic.public_ip),
    "network-interface.addresses.private-ip-address": _nics(lambda nic: nic.private_ip_address),
    "network-interface.group-id": lambda i: [g.id for nic in i.nics.values() for g in nic.group_set],
    "network-interface.network-interface-id": _nics(lambda nic: nic.id),
    "network-interface.private-dns-name": lambda i: i.private_dns_name,
    "network-interface.subnet-id": _nics(lambda nic: nic.subnet_id),
    "network-interface.vpc-id": _nics(lambda nic: nic.vpc_id),
    "owner-id": lambda i: i.owner_id,
    "platform": lambda i: i.platform,
    "private-dns-name": lambda i: i.private_dns_name,
    "private-ip-address": lambda i: i.private_ip,
    "product-code": lambda i: i.product_codes,
    "root-device-name": lambda i: i.root_device_name,
    "root-device-type": lambda i: i.root_device_type,
    "source-dest-check": lambda i: i.source_dest_check,
    "state-reason-code": lambda i: i.state_reason.code if i.state_reason else None,
    "subnet-id": lambda i: i.subnet_id,
    "tenancy": lambda i: i.placement.tenancy,
    "virtualization-type": lambda i: i.virtualization_type,
    "vpc-id": lambda i: i.vpc_id,
}


def passes(instance: Any, filters: Mapping[str, List[str]]) -> bool:
    """Whether an instance passes all filters. `*` and `?` in a value match as in a file name."""
    return all(_passes(instance, name, values) for name, values in filters.items())


def _passes(instance: Any, name: str, values: List[str]) -> bool:
    if name.startswith("tag:") or name in ("tag-key", "tag-value"):
        tags = instance.ec2_backend.tags.get(instance.id, {})
        if name == "tag-key":
            found: List[Any] = list(tags)
        elif name == "tag-value":
            found = list(tags.values())
        else:
            found = [tags[name[4:]]] if name[4:] in tags else []
    elif name in GETTERS:
        value = GETTERS[name](instance)
        found = value if isinstance(value, list) else [value]
    else:
        raise Ec2Error("InvalidParameterValue", f"The filter '{name}' is invalid")
    return any(matches(_text(entry), value) for entry in found if entry is not None for value in values)


def matches(text: str, pattern: str) -> bool:
    """Whether `text` is what `pattern` says."""
    if not set("*?") & set(pattern):
        return text == pattern
    return bool(_compiled(pattern).match(text))


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> "re.Pattern[str]":
    return re.compile(simple_aws_filter_to_re(pattern))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
