# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Instances: found by their tags, changed in place where AWS can, stopped only where that was allowed. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ..aws import tags as tag_words
from ..engine.errors import InvalidInput, Refused
from ..engine.plan import UNKNOWN, Change, Ref, Step
from . import facts
from .context import Context, protect, tag_steps, unchanged
from .declaration import Instance
from .world import Facts, check_zone

KIND = "instance"
#: IMDSv2 only, unless the declaration says otherwise. Only for new instances.
_METADATA_DEFAULT = {"http_tokens": "required"}
_METADATA_WORDS = {
    "http_tokens": "HttpTokens",
    "http_endpoint": "HttpEndpoint",
    "http_put_response_hop_limit": "HttpPutResponseHopLimit",
    "http_protocol_ipv6": "HttpProtocolIpv6",
    "instance_metadata_tags": "InstanceMetadataTags",
}
_MARK = {tag_words.RESTARTING: "true"}
_UP = ("pending", "running")
_DOWN = ("stopping", "stopped")


@dataclass
class _Draft:
    """A change in the making: what can be done while it runs, and what needs it stopped."""

    after: Dict[str, Any]
    running: List[Step] = field(default_factory=list)
    stopped: List[Step] = field(default_factory=list)
    reasons: List[str] = field(default_factory=list)
    notes: List[str] = field(default_factory=list)


def plan(desired: Instance, context: Context) -> Change:
    """What has to happen to one instance."""
    actual = context.world.instance(desired.name)
    if actual is None:
        return _create(desired, context)
    return _update(desired, actual, context)


def delete(actual: Facts, name: str, context: Context) -> Change:
    """Terminate it. Volumes attached to it afterwards stay."""
    protect(KIND, name, actual["tags"])
    step = Step("TerminateInstances", {"InstanceIds": [actual["id"]]})
    return Change(KIND, name, "delete", _shown(actual, context), None, ("is declared absent",), (step,))


def digest(user_data: str) -> str:
    """What stands for user data in a tag and in a diff; the text itself may hold secrets."""
    return hashlib.sha256(user_data.encode("utf-8")).hexdigest()


def _create(desired: Instance, context: Context) -> Change:
    where = f"{KIND} {desired.name}"
    if desired.image is None or desired.instance_type is None:
        missing = "image" if desired.image is None else "instance_type"
        raise InvalidInput(f"does not exist yet, and the declaration gives no {missing}", resource=where, do=f"Give {missing}.")
    zone = _zone(desired, context, where)
    image = context.world.newest_image(desired.image, where)
    metadata = {**_METADATA_DEFAULT, **_given(desired.metadata_options)}
    tags = context.new_tags(desired.name, desired.tags)
    if desired.user_data is not None:
        tags = {**tags, tag_words.USER_DATA: digest(desired.user_data)}
    request = {
        "ImageId": image["ImageId"],
        **_request(desired, context, where),
        "Placement": {"AvailabilityZone": zone} if zone and not desired.subnet_id else None,
        "MetadataOptions": _to_api(metadata),
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
        "security_groups": UNKNOWN if desired.security_groups is None else _group_names(desired, context),
        "zone": zone or UNKNOWN,
        "subnet_id": desired.subnet_id or UNKNOWN,
        "metadata_options": metadata,
        "user_data": _shown_digest(tags),
        "tags": _visible(tags),
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


def _group_names(desired: Instance, context: Context) -> List[str]:
    """The names that people read, where a group may be declared by id."""
    return sorted(context.group_names.get(name, name) for name in desired.security_groups or ())


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


def _update(desired: Instance, actual: Facts, context: Context) -> Change:
    where = f"{KIND} {desired.name}"
    raw = context.world.raw.get(actual["id"], {})
    before = _shown(actual, context, raw)
    draft = _Draft(dict(before))
    _refuse_fixed(desired, actual, context, draft, where)
    _plan_type(desired, actual, draft, where)
    _plan_user_data(desired, actual, draft, where)
    _plan_groups(desired, actual, raw, context, draft, where)
    _plan_metadata(desired, actual, raw, draft)
    _plan_tags(desired, actual, raw, context, draft)
    steps, action = _with_state(desired, actual, draft)
    if not steps:
        return unchanged(KIND, desired.name, before, tuple(draft.notes))
    return Change(KIND, desired.name, action, before, draft.after, tuple(draft.reasons), tuple(steps), notes=tuple(draft.notes))


def _refuse_fixed(desired: Instance, actual: Facts, context: Context, draft: _Draft, where: str) -> None:
    """What is chosen at launch and never again."""
    new = "It is fixed at launch: declare what it has, or remove the instance and let it be made anew."
    zones = [context.world.zone_name(zone, where) for zone in desired.zones]
    if zones and actual["zone"] not in zones:
        raise Refused("is in another zone", resource=where, wanted=" or ".join(zones), found=str(actual["zone"]), do=new)
    for name in ("key_pair", "subnet_id"):
        wanted = getattr(desired, name)
        if wanted is not None and wanted != actual[name]:
            raise Refused(f"was launched with another {name}", resource=where, wanted=str(wanted), found=str(actual[name]), do=new)
    if desired.image is None:
        return
    if desired.image.id and desired.image.id != actual["image_id"]:
        if desired.on_change.get("image") == "ignore":
            draft.notes.append(
                f"was launched from {actual['image_id']}, the declaration names {desired.image.id}; on_change.image is ignore"
            )
            return
        raise Refused(
            "was launched from another image",
            resource=where,
            wanted=desired.image.id,
            found=str(actual["image_id"]),
            do=f"{new} on_change: {{image: ignore}} keeps it.",
        )
    if desired.image.name:
        newest = context.world.newest_image(desired.image, where)
        if newest["ImageId"] != actual["image_id"]:
            draft.notes.append(f"runs {actual['image_id']}; a newer image is there: {newest['ImageId']} ({newest.get('Name')})")


def _plan_type(desired: Instance, actual: Facts, draft: _Draft, where: str) -> None:
    wanted, found = desired.instance_type, actual["instance_type"]
    if wanted in (None, found):
        return
    if actual["state"] in _UP and desired.on_change.get("instance_type") != "restart":
        raise Refused(
            "another instance type needs a stop and a start",
            resource=where,
            wanted=str(wanted),
            found=str(found),
            do="Allow it with on_change: {instance_type: restart}; the public address changes unless it has an Elastic IP.",
        )
    draft.after["instance_type"] = wanted
    draft.stopped.append(Step("ModifyInstanceAttribute", {"InstanceId": actual["id"], "InstanceType": {"Value": wanted}}))
    draft.reasons.append(f"instance_type {found} is to be {wanted}")


def _plan_user_data(desired: Instance, actual: Facts, draft: _Draft, where: str) -> None:
    if desired.user_data is None:
        return
    wanted, found = digest(desired.user_data), actual["tags"].get(tag_words.USER_DATA)
    if wanted == found:
        return
    policy = desired.on_change.get("user_data", "refuse")
    if found is None or policy == "ignore":
        known = "was launched with other user data" if found else "was launched before its user data was recorded, so they are not compared"
        draft.notes.append(known)
        return
    if policy == "refuse":
        raise Refused(
            "its user data differ, and user data run only at the first boot",
            resource=where,
            wanted=f"sha256:{wanted[:12]}",
            found=f"sha256:{found[:12]}",
            do="Keep the old ones with on_change: {user_data: ignore}, or store the new ones with on_change: {user_data: restart}.",
        )
    if actual["state"] in _UP:
        draft.reasons.append("its user data can be stored only while it is stopped")
    draft.after["user_data"] = f"sha256:{wanted[:12]}"
    draft.stopped.append(Step("ModifyInstanceAttribute", {"InstanceId": actual["id"], "UserData": {"Value": desired.user_data}}))
    draft.stopped += tag_steps([actual["id"]], {}, {tag_words.USER_DATA: wanted})


def _plan_groups(desired: Instance, actual: Facts, raw: Mapping[str, Any], context: Context, draft: _Draft, where: str) -> None:
    if desired.security_groups is None:
        return
    wanted = {context.group_id(name, where, actual["vpc_id"]) for name in desired.security_groups}
    if wanted == {group["id"] for group in actual["security_groups"]}:
        return
    interface = facts.primary_interface(raw).get("NetworkInterfaceId")
    order = sorted(wanted, key=str)
    draft.after["security_groups"] = _group_names(desired, context)
    draft.running.append(Step("ModifyNetworkInterfaceAttribute", {"NetworkInterfaceId": interface, "Groups": order}))
    draft.reasons.append("its security groups differ")


def _plan_metadata(desired: Instance, actual: Facts, raw: Mapping[str, Any], draft: _Draft) -> None:
    there = _metadata(raw)
    changed = {name: value for name, value in _given(desired.metadata_options).items() if value != there.get(name)}
    if changed:
        draft.after["metadata_options"] = {**there, **changed}
        draft.running.append(Step("ModifyInstanceMetadataOptions", {"InstanceId": actual["id"], **_to_api(changed)}))
        draft.reasons.append("its metadata options differ: " + ", ".join(sorted(changed)))


def _plan_tags(desired: Instance, actual: Facts, raw: Mapping[str, Any], context: Context, draft: _Draft) -> None:
    wanted = context.tags(actual, desired.tags, desired.name)
    if wanted == actual["tags"]:
        return
    draft.after["tags"] = _visible(wanted)
    draft.reasons.append("its tags differ")
    interface = facts.primary_interface(raw).get("NetworkInterfaceId")
    draft.running += tag_steps([actual["id"], *([interface] if interface else [])], actual["tags"], wanted)


def _with_state(desired: Instance, actual: Facts, draft: _Draft) -> Tuple[List[Step], str]:
    """All steps in order, with the stop and start that they and the declared state need."""
    ids = {"InstanceIds": [actual["id"]]}
    up, marked = actual["state"] in _UP, tag_words.RESTARTING in actual["tags"]
    if marked:
        draft.reasons.append("a run that was to restart it ended before it did")
    should_run = {"running": True, "restarted": True, "stopped": False}.get(desired.state, up or marked)
    passing = up and should_run and bool(draft.stopped)
    steps = list(draft.running)
    if passing and not marked:
        steps += tag_steps([actual["id"]], {}, _MARK)
    if up and (draft.stopped or not should_run):
        steps.append(Step("StopInstances", ids))
    steps += draft.stopped
    if should_run and (draft.stopped or not up):
        steps.append(Step("StartInstances", ids))
    elif desired.state == "restarted":
        steps.append(Step("RebootInstances", ids))
        draft.reasons.append("is to be restarted")
    if passing or marked:
        steps += tag_steps([actual["id"]], _MARK, {})
    if should_run != up:
        draft.after["state"] = "running" if should_run else "stopped"
        draft.reasons.append(f"is {actual['state']}, and is to be {draft.after['state']}")
    restarts = up and should_run and any(step.verb in ("StopInstances", "RebootInstances") for step in steps)
    return steps, "restart" if restarts else "update"


def _metadata(raw: Mapping[str, Any]) -> Dict[str, Any]:
    there = raw.get("MetadataOptions") or {}
    return {name: there[word] for name, word in _METADATA_WORDS.items() if word in there}


def _to_api(metadata: Mapping[str, Any]) -> Dict[str, Any]:
    return {_METADATA_WORDS[name]: value for name, value in metadata.items()}


def _given(options: Optional[Mapping[str, Any]]) -> Dict[str, Any]:
    return {name: value for name, value in (options or {}).items() if value is not None}


def _visible(tags: Mapping[str, str]) -> Dict[str, str]:
    return {key: value for key, value in tags.items() if key not in (tag_words.USER_DATA, tag_words.RESTARTING)}


def _shown_digest(tags: Mapping[str, str]) -> Optional[str]:
    found = tags.get(tag_words.USER_DATA)
    return f"sha256:{found[:12]}" if found else None


def _shown(actual: Facts, context: Context, raw: Optional[Mapping[str, Any]] = None) -> Dict[str, Any]:
    raw = context.world.raw.get(actual["id"], {}) if raw is None else raw
    names = ("id", "name", "state", "image_id", "instance_type", "key_pair", "zone", "subnet_id", "public_ip", "private_ip")
    return {
        **{name: actual[name] for name in names},
        "security_groups": sorted(str(group["name"]) for group in actual["security_groups"]),
        "metadata_options": _metadata(raw),
        "user_data": _shown_digest(actual["tags"]),
        "tags": _visible(actual["tags"]),
    }
