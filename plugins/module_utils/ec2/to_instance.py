# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an instance has beside its image, type and place, as options of a declaration. Pure."""

from __future__ import annotations

from typing import Any, Callable, Dict, Mapping, Optional

from .instance import shown
from .world import Facts, World

Options = Dict[str, Any]
#: write(options, name, value, usual): writes `value` unless it is None, or the usual one where only differences are wanted.
Write = Callable[[Options, str, Any, Any], None]

#: What a new instance gets anyway: the collection's own default, and those of AWS.
_METADATA_DEFAULTS = {
    "http_tokens": "required",
    "http_endpoint": "enabled",
    "http_put_response_hop_limit": 1,
    "http_protocol_ipv6": "disabled",
    "instance_metadata_tags": "disabled",
}
#: Performance that can be declared, by type of volume, with what AWS gives without it (None: it has to be declared).
_PERFORMANCE: Mapping[str, Mapping[str, Optional[int]]] = {
    "gp3": {"iops": 3000, "throughput": 125},
    "io1": {"iops": None},
    "io2": {"iops": None},
}
_DETAILS = {"termination_protection": False, "stop_protection": False, "shutdown_behavior": "stop"}


def write_instance(options: Options, fact: Facts, world: World, with_root: bool, write: Write) -> None:
    """Add the options of one instance to `options`. A private address is none of them: AWS chooses it."""
    raw = world.raw.get(str(fact["id"]), {})
    write(options, "iam_instance_profile", fact["iam_instance_profile"], None)
    write(options, "monitoring", fact["monitoring"], False)
    write(options, "ebs_optimized", fact["ebs_optimized"], False)
    write(options, "market", shown.market(raw), "on_demand")
    parts: Dict[str, Options] = {"metadata_options": {}, "placement": {}, "root_volume": {}}
    metadata = shown.metadata(raw)
    for name, usual in _METADATA_DEFAULTS.items():
        write(parts["metadata_options"], name, metadata.get(name), usual)
    for name, value in shown.placement(raw).items():
        write(parts["placement"], name, value, "default" if name == "tenancy" else None)
    root = world.root_volume(str(fact["id"]))
    if root is not None and with_root:
        _write_root(parts["root_volume"], root, raw, world, write)
    options.update({name: part for name, part in parts.items() if part})
    details = world.details.get(str(fact["id"]), {})
    for name, usual in _DETAILS.items():
        write(options, name, details.get(name), usual)
    write(options, "cpu_credits", details.get("cpu_credits"), "standard" if str(fact["instance_type"]).startswith("t2.") else "unlimited")


def write_performance(options: Options, volume: Facts, write: Write) -> None:
    """The performance of a volume, as far as its type lets one declare it."""
    for name, usual in _PERFORMANCE.get(str(volume["type"]), {}).items():
        write(options, name, volume[name], usual)


def _write_root(options: Options, root: Facts, raw: Mapping[str, Any], world: World, write: Write) -> None:
    """The volume that it starts from; usual is what its image says, if that still is there."""
    image: Mapping[str, Any] = next((one for one in world.images if one["ImageId"] == raw.get("ImageId")), {})
    mappings = image.get("BlockDeviceMappings") or ()
    usual: Mapping[str, Any] = next((one.get("Ebs") or {} for one in mappings if one.get("DeviceName") == raw.get("RootDeviceName")), {})
    write(options, "size", root["size"], usual.get("VolumeSize"))
    write(options, "type", root["type"], usual.get("VolumeType"))
    write_performance(options, root, write)
    write(options, "encrypted", root["encrypted"], bool(usual.get("Encrypted")))
    write(options, "kms_key_id", root["kms_key_id"], None)
    write(options, "delete_on_termination", root["delete_on_termination"], True)
