# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a plan shows of an instance, and the words that the API has for it. Pure."""

from __future__ import annotations

import hashlib
from typing import Any, Dict, List, Mapping, Optional, Union

from ...aws import tags as tag_words
from ...engine.plan import Step
from ..context import Context, Id
from ..declaration import Instance
from ..world import Facts

KIND = "instance"
METADATA_WORDS = {
    "http_tokens": "HttpTokens",
    "http_endpoint": "HttpEndpoint",
    "http_put_response_hop_limit": "HttpPutResponseHopLimit",
    "http_protocol_ipv6": "HttpProtocolIpv6",
    "instance_metadata_tags": "InstanceMetadataTags",
}
PLACEMENT_WORDS = {"tenancy": "Tenancy", "group": "GroupName", "partition": "PartitionNumber"}
#: What ModifyVolume can change of a root volume, and what only a launch decides.
SIZE_WORDS = {"size": "Size", "type": "VolumeType", "iops": "Iops", "throughput": "Throughput"}
EBS_WORDS = {
    **SIZE_WORDS,
    "size": "VolumeSize",
    "encrypted": "Encrypted",
    "kms_key_id": "KmsKeyId",
    "delete_on_termination": "DeleteOnTermination",
}
#: What DescribeInstances does not tell, so that it is asked for only where it is declared.
DETAILS = ("termination_protection", "stop_protection", "shutdown_behavior", "cpu_credits")
_FACTS = (
    "id",
    "name",
    "state",
    "image_id",
    "instance_type",
    "key_pair",
    "zone",
    "subnet_id",
    "public_ip",
    "private_ip",
    "iam_instance_profile",
    "monitoring",
    "ebs_optimized",
)


def digest(user_data: Union[str, bytes]) -> str:
    """What stands for user data in a tag and in a diff; the text itself may hold secrets."""
    return hashlib.sha256(user_data.encode("utf-8") if isinstance(user_data, str) else user_data).hexdigest()


def user_data(desired: Instance, context: Context) -> Union[str, bytes, None]:
    """The declared user data, from wherever they were to come."""
    return context.world.user_data[desired.user_data_file] if desired.user_data_file else desired.user_data


def shown(actual: Facts, context: Context, raw: Optional[Mapping[str, Any]] = None) -> Dict[str, Any]:
    """The attributes of an instance that a plan shows and compares."""
    raw = context.world.raw.get(actual["id"], {}) if raw is None else raw
    root = context.world.root_volume(actual["id"])
    details = context.world.details.get(actual["id"], {})
    return {
        **{name: actual[name] for name in _FACTS},
        "security_groups": sorted(str(group["name"]) for group in actual["security_groups"]),
        "metadata_options": metadata(raw),
        "placement": placement(raw),
        "market": market(raw),
        "root_volume": {name: root[name] for name in EBS_WORDS if name != "kms_key_id"} if root else None,
        "user_data": shown_digest(actual["tags"]),
        "tags": visible(actual["tags"]),
        **{name: details[name] for name in DETAILS if name in details},
    }


def market(raw: Mapping[str, Any]) -> str:
    """Where an instance was bought."""
    return "spot" if raw.get("InstanceLifecycle") == "spot" else "on_demand"


def group_names(desired: Instance, context: Context) -> List[str]:
    """The names that people read, where a group may be declared by id."""
    return sorted(context.group_names.get(name, name) for name in desired.security_groups or ())


def metadata(raw: Mapping[str, Any]) -> Dict[str, Any]:
    """The metadata options in the words of the declaration."""
    there = raw.get("MetadataOptions") or {}
    return {name: there[word] for name, word in METADATA_WORDS.items() if word in there}


def placement(raw: Mapping[str, Any]) -> Dict[str, Any]:
    """The placement in the words of the declaration; what does not apply is left out."""
    there = raw.get("Placement") or {}
    return {name: there[word] for name, word in PLACEMENT_WORDS.items() if there.get(word)}


def to_api(options: Mapping[str, Any], words: Mapping[str, str]) -> Dict[str, Any]:
    """Options in the words of the API."""
    return {words[name]: value for name, value in options.items()}


def profile_to_api(name_or_arn: str) -> Dict[str, str]:
    """An instance profile by name or ARN."""
    return {"Arn" if name_or_arn.startswith("arn:") else "Name": name_or_arn}


def health(desired: Instance, instance_id: Id) -> List[Step]:
    """The step that waits for the status checks, where that is declared."""
    return [Step("DescribeInstanceStatus", {"InstanceIds": [instance_id]})] if desired.wait_for == "status_checks" else []


def given(options: Optional[Mapping[str, Any]]) -> Dict[str, Any]:
    """Those options that have a value."""
    return {name: value for name, value in (options or {}).items() if value is not None}


def visible(tags: Mapping[str, str]) -> Dict[str, str]:
    """The tags without those that are only bookkeeping."""
    bookkeeping = (tag_words.USER_DATA, tag_words.RESTARTING, tag_words.REPLACES)
    return {key: value for key, value in tags.items() if key not in bookkeeping and not key.startswith(tag_words.MOVES)}


def shown_digest(tags: Mapping[str, str]) -> Optional[str]:
    """What stands for the recorded user data."""
    found = tags.get(tag_words.USER_DATA)
    return f"sha256:{found[:12]}" if found else None
