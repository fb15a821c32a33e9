# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Launching an instance. Pure."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Tuple

from ...aws import tags as tag_words
from ...engine.errors import InvalidInput
from ...engine.plan import UNKNOWN, Change, Ref, Step
from ..context import Context
from ..declaration import Instance
from ..operations import ALTERNATIVES
from ..world import check_zone
from . import shown

#: IMDSv2 only, unless the declaration says otherwise. Only for new instances.
_METADATA_DEFAULT = {"http_tokens": "required"}
#: {attribute: the API's word} for what RunInstances takes as it is declared.
_PLAIN = {
    "subnet_id": "SubnetId",
    "private_ip": "PrivateIpAddress",
    "termination_protection": "DisableApiTermination",
    "stop_protection": "DisableApiStop",
    "shutdown_behavior": "InstanceInitiatedShutdownBehavior",
    "ebs_optimized": "EbsOptimized",
}

Image = Mapping[str, Any]


def create(desired: Instance, context: Context) -> Change:
    """An instance that does not exist yet."""
    where = f"{shown.KIND} {desired.name}"
    tags = context.new_tags(desired.name, desired.tags)
    zone = _zone(desired, context, where)
    request, after = launch(desired, context, tags, zone)
    new = Ref(shown.KIND, desired.name, "id")
    steps = [request, *shown.health(desired, new)]
    if desired.state == "stopped" and _market(desired).get("SpotOptions", {}).get("SpotInstanceType") == "one-time":
        do = "Declare another state, or spot: {interruption_behavior: stop}."
        raise InvalidInput("a one-time spot instance cannot be stopped", resource=where, do=do)
    if desired.state == "stopped":
        steps.append(Step("StopInstances", {"InstanceIds": [new]}))
    return Change(shown.KIND, desired.name, "create", None, after, ("does not exist yet",), tuple(steps))


def launch(
    desired: Instance, context: Context, tags: Mapping[str, str], zone: Optional[str], image: Optional[Image] = None
) -> Tuple[Step, Dict[str, Any]]:
    """The step that launches it, and what it will be like. Without a zone AWS chooses one."""
    where = f"{shown.KIND} {desired.name}"
    if desired.image is None or not desired.instance_types:
        missing = "image" if desired.image is None else "instance_type"
        raise InvalidInput(f"does not exist yet, and the declaration gives no {missing}", resource=where, do=f"Give {missing}.")
    image = image or context.world.newest_image(desired.image, where)
    user_data = shown.user_data(desired, context)
    if user_data is not None:
        tags = {**tags, tag_words.USER_DATA: shown.digest(user_data)}
    place = dict(shown.given(desired.placement))
    request = {
        "ImageId": image["ImageId"],
        **_request(desired, context, where),
        "UserData": user_data,
        "Placement": {
            **({"AvailabilityZone": zone} if zone and not desired.subnet_id else {}),
            **shown.to_api(place, shown.PLACEMENT_WORDS),
        },
        "BlockDeviceMappings": _root(desired, image, where),
        "InstanceMarketOptions": _market(desired),
        ALTERNATIVES: _alternatives(desired, context, zone, place),
        "MetadataOptions": shown.to_api(_metadata(desired), shown.METADATA_WORDS),
        "TagSpecifications": _specifications(context, desired, tags),
    }
    step = Step("RunInstances", {name: value for name, value in request.items() if value not in (None, {}, [])})
    return step, _after(desired, context, image, tags, zone)


def _market(desired: Instance) -> Dict[str, Any]:
    """How a spot instance is asked for; a request has to be persistent for an instance that is only stopped."""
    if desired.market != "spot":
        return {}
    spot = shown.given(desired.spot)
    behavior = spot.get("interruption_behavior", "terminate")
    options = {
        "SpotInstanceType": "one-time" if behavior == "terminate" else "persistent",
        "InstanceInterruptionBehavior": behavior,
        **({"MaxPrice": spot["max_price"]} if "max_price" in spot else {}),
    }
    return {"MarketType": "spot", "SpotOptions": options}


def _alternatives(desired: Instance, context: Context, zone: Optional[str], place: Mapping[str, Any]) -> List[Dict[str, Any]]:
    """What else is acceptable where there is no room, in order: the other zones, then the next types."""
    new = context.world.instance(desired.name) is None
    zones: List[Optional[str]] = [*context.acceptable_zones(desired.name)] if new and not desired.subnet_id else []
    pairs = [(kind, one) for kind in desired.instance_types for one in (zones or [zone])]
    words = shown.to_api(place, shown.PLACEMENT_WORDS)
    return [
        {"InstanceType": kind, **({"Placement": {"AvailabilityZone": one, **words}} if one and not desired.subnet_id else {})}
        for kind, one in pairs
        if (kind, one) != (desired.instance_types[0], zone)
    ]


def _metadata(desired: Instance) -> Dict[str, Any]:
    return {**_METADATA_DEFAULT, **shown.given(desired.metadata_options)}


def _request(desired: Instance, context: Context, where: str) -> Dict[str, Any]:
    """What RunInstances is told word by word. Its token tells this life of the name from the past ones."""
    groups = desired.security_groups
    profile = desired.iam_instance_profile
    return {
        "InstanceType": desired.instance_types[0],
        "MinCount": 1,
        "MaxCount": 1,
        "KeyName": context.key_name(desired.key_pair, where) if desired.key_pair else None,
        "SecurityGroupIds": None if groups is None else [context.group_id(name, where) for name in groups],
        **{word: getattr(desired, name) for name, word in _PLAIN.items()},
        "IamInstanceProfile": shown.profile_to_api(profile) if profile else None,
        "Monitoring": None if desired.monitoring is None else {"Enabled": desired.monitoring},
        "CreditSpecification": {"CpuCredits": desired.cpu_credits} if desired.cpu_credits else None,
        "ClientToken": " ".join([desired.name, *context.world.past_lives(desired.name)]),
    }


def _root(desired: Instance, image: Image, where: str) -> List[Dict[str, Any]]:
    """What is to be otherwise about the root volume than the image has it."""
    wanted = shown.given(desired.root_volume)
    if not wanted:
        return []
    device = image.get("RootDeviceName")
    mappings = image.get("BlockDeviceMappings") or ()
    least = next(((one.get("Ebs") or {}).get("VolumeSize") for one in mappings if one.get("DeviceName") == device), None)
    if least and wanted.get("size") and wanted["size"] < least:
        raise InvalidInput(
            "its root volume is smaller than the image",
            resource=where,
            wanted=f"{wanted['size']} GiB",
            found=f"{least} GiB in {image['ImageId']}",
            do=f"Declare at least {least}, or leave size out.",
        )
    return [{"DeviceName": device, "Ebs": shown.to_api(wanted, shown.EBS_WORDS)}]


def _after(desired: Instance, context: Context, image: Image, tags: Mapping[str, str], zone: Optional[str]) -> Dict[str, Any]:
    """What the new instance will be like; what only AWS decides is unknown."""
    profile = desired.iam_instance_profile
    return {
        **dict.fromkeys(("id", "public_ip"), UNKNOWN),
        "name": desired.name,
        "state": "stopped" if desired.state == "stopped" else "running",
        "image_id": image["ImageId"],
        "instance_type": desired.instance_types[0],
        "key_pair": desired.key_pair,
        "security_groups": UNKNOWN if desired.security_groups is None else shown.group_names(desired, context),
        "zone": zone or UNKNOWN,
        "subnet_id": desired.subnet_id or UNKNOWN,
        "private_ip": desired.private_ip or UNKNOWN,
        "iam_instance_profile": profile.rsplit("/", 1)[-1] if profile else None,
        "monitoring": bool(desired.monitoring),
        "ebs_optimized": UNKNOWN if desired.ebs_optimized is None else desired.ebs_optimized,
        "metadata_options": _metadata(desired),
        "placement": {"tenancy": "default", **shown.given(desired.placement)},
        "root_volume": shown.given(desired.root_volume) or UNKNOWN,
        "market": desired.market or "on_demand",
        "user_data": shown.shown_digest(tags),
        "tags": shown.visible(tags),
        **{name: getattr(desired, name) for name in shown.DETAILS if getattr(desired, name) is not None},
    }


def _specifications(context: Context, desired: Instance, tags: Mapping[str, str]) -> List[Dict[str, Any]]:
    """Tags from the first moment on the instance, its root volume and its network interface."""
    root = {**tags, **context.identity(f"{desired.name}/root")}
    if context.declaration.fleet is None:
        root[tag_words.NAME] = f"{desired.name}-root"
    root = shown.visible(root)
    kinds = (("instance", tags), ("volume", root), ("network-interface", shown.visible(tags)))
    return [tag_words.specification(kind, own) for kind, own in kinds if own]


def _zone(desired: Instance, context: Context, where: str) -> Optional[str]:
    """Where a new instance goes. A volume that exists already decides; a zone that contradicts it is an error."""
    zone = next(iter(context.acceptable_zones(desired.name)), None)
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
