# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Launching an instance. Pure."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional

from ...aws import tags as tag_words
from ...engine.errors import InvalidInput
from ...engine.plan import UNKNOWN, Change, Ref, Step
from ..context import Context
from ..declaration import Instance
from ..world import check_zone
from .shown import KIND, digest, given, group_names, shown_digest, to_api, visible

#: IMDSv2 only, unless the declaration says otherwise. Only for new instances.
_METADATA_DEFAULT = {"http_tokens": "required"}


def create(desired: Instance, context: Context) -> Change:
    """An instance that does not exist yet."""
    where = f"{KIND} {desired.name}"
    if desired.image is None or desired.instance_type is None:
        missing = "image" if desired.image is None else "instance_type"
        raise InvalidInput(f"does not exist yet, and the declaration gives no {missing}", resource=where, do=f"Give {missing}.")
    zone = _zone(desired, context, where)
    image = context.world.newest_image(desired.image, where)
    metadata = {**_METADATA_DEFAULT, **given(desired.metadata_options)}
    tags = context.new_tags(desired.name, desired.tags)
    if desired.user_data is not None:
        tags = {**tags, tag_words.USER_DATA: digest(desired.user_data)}
    request = {
        "ImageId": image["ImageId"],
        **_request(desired, context, where),
        "Placement": {"AvailabilityZone": zone} if zone and not desired.subnet_id else None,
        "MetadataOptions": to_api(metadata),
        "TagSpecifications": _specifications(context, desired, tags),
    }
    steps = [Step("RunInstances", {name: value for name, value in request.items() if value is not None})]
    if desired.state == "stopped":
        steps.append(Step("StopInstances", {"InstanceIds": [Ref(KIND, desired.name, "id")]}))
    after: Dict[str, Any] = {
        **dict.fromkeys(("id", "public_ip", "private_ip"), UNKNOWN),
        "name": desired.name,
        "state": "stopped" if desired.state == "stopped" else "running",
        "image_id": image["ImageId"],
        "instance_type": desired.instance_type,
        "key_pair": desired.key_pair,
        "security_groups": UNKNOWN if desired.security_groups is None else group_names(desired, context),
        "zone": zone or UNKNOWN,
        "subnet_id": desired.subnet_id or UNKNOWN,
        "metadata_options": metadata,
        "user_data": shown_digest(tags),
        "tags": visible(tags),
    }
    return Change(KIND, desired.name, "create", None, after, ("does not exist yet",), tuple(steps))


def _request(desired: Instance, context: Context, where: str) -> Dict[str, Any]:
    """What RunInstances is told word by word. Its token tells this life of the name from the past ones."""
    groups = desired.security_groups
    return {
        "InstanceType": desired.instance_type,
        "MinCount": 1,
        "MaxCount": 1,
        "KeyName": context.key_name(desired.key_pair, where) if desired.key_pair else None,
        "SecurityGroupIds": None if groups is None else [context.group_id(name, where) for name in groups],
        "SubnetId": desired.subnet_id,
        "UserData": desired.user_data,
        "ClientToken": " ".join([desired.name, *context.world.past_lives(desired.name)]),
    }


def _specifications(context: Context, desired: Instance, tags: Mapping[str, str]) -> List[Dict[str, Any]]:
    """Tags from the first moment on the instance, its root volume and its network interface."""
    root = {**tags, **context.identity(f"{desired.name}/root")}
    if context.declaration.fleet is None:
        root[tag_words.NAME] = f"{desired.name}-root"
    root.pop(tag_words.USER_DATA, None)
    interface = {key: value for key, value in tags.items() if key != tag_words.USER_DATA}
    kinds = (("instance", tags), ("volume", root), ("network-interface", interface))
    return [tag_words.specification(kind, own) for kind, own in kinds if own]


def _zone(desired: Instance, context: Context, where: str) -> Optional[str]:
    """Where a new instance goes. A volume that exists already decides; a zone that contradicts it is an error."""
    zone = context.zone_of_instance(desired.name)
    zone = None if isinstance(zone, Ref) else str(zone)
    if desired.subnet_id and desired.zones:
        wanted = [context.world.zone_name(one, where) for one in desired.zones]
        if zone not in wanted:
            raise InvalidInput(
                "its subnet lies in another zone",
                resource=where,
                wanted=", ".join(wanted),
                found=str(zone),
                do="Leave zone out, or choose a subnet in it.",
            )
    for volume, theirs in context.bound_volumes(desired.name):
        check_zone(zone, theirs, where, f"its volume {volume}")
    return zone
