# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a plan shows of an instance, and the words that the API has for it. Pure."""

from __future__ import annotations

import hashlib
from typing import Any, Dict, List, Mapping, Optional

from ...aws import tags as tag_words
from ..context import Context
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


def digest(user_data: str) -> str:
    """What stands for user data in a tag and in a diff; the text itself may hold secrets."""
    return hashlib.sha256(user_data.encode("utf-8")).hexdigest()


def shown(actual: Facts, context: Context, raw: Optional[Mapping[str, Any]] = None) -> Dict[str, Any]:
    """The attributes of an instance that a plan shows and compares."""
    raw = context.world.raw.get(actual["id"], {}) if raw is None else raw
    names = ("id", "name", "state", "image_id", "instance_type", "key_pair", "zone", "subnet_id", "public_ip", "private_ip")
    return {
        **{name: actual[name] for name in names},
        "security_groups": sorted(str(group["name"]) for group in actual["security_groups"]),
        "metadata_options": metadata(raw),
        "user_data": shown_digest(actual["tags"]),
        "tags": visible(actual["tags"]),
    }


def group_names(desired: Instance, context: Context) -> List[str]:
    """The names that people read, where a group may be declared by id."""
    return sorted(context.group_names.get(name, name) for name in desired.security_groups or ())


def metadata(raw: Mapping[str, Any]) -> Dict[str, Any]:
    """The metadata options in the words of the declaration."""
    there = raw.get("MetadataOptions") or {}
    return {name: there[word] for name, word in METADATA_WORDS.items() if word in there}


def to_api(metadata: Mapping[str, Any]) -> Dict[str, Any]:
    """Metadata options in the words of the API."""
    return {METADATA_WORDS[name]: value for name, value in metadata.items()}


def given(options: Optional[Mapping[str, Any]]) -> Dict[str, Any]:
    """Those options that have a value."""
    return {name: value for name, value in (options or {}).items() if value is not None}


def visible(tags: Mapping[str, str]) -> Dict[str, str]:
    """The tags without those that are only bookkeeping."""
    return {key: value for key, value in tags.items() if key not in (tag_words.USER_DATA, tag_words.RESTARTING)}


def shown_digest(tags: Mapping[str, str]) -> Optional[str]:
    """What stands for the recorded user data."""
    found = tags.get(tag_words.USER_DATA)
    return f"sha256:{found[:12]}" if found else None
