# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Changing an instance in place where AWS can, and stopping it only where that was allowed. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Tuple

from ...aws import tags as tag_words
from ...engine.errors import Refused
from ...engine.plan import Change, Step
from .. import facts
from ..context import Context, tag_steps, unchanged
from ..declaration import Instance
from ..world import Facts
from .shown import KIND, digest, given, group_names, metadata, shown, to_api, visible

_MARK = {tag_words.RESTARTING: "true"}
_UP = ("pending", "running")


@dataclass
class _Draft:
    """A change in the making: what can be done while it runs, and what needs it stopped."""

    after: Dict[str, Any]
    running: List[Step] = field(default_factory=list)
    stopped: List[Step] = field(default_factory=list)
    reasons: List[str] = field(default_factory=list)
    notes: List[str] = field(default_factory=list)


def update(desired: Instance, actual: Facts, context: Context) -> Change:
    """What has to happen to one that exists; refuses what AWS cannot change and nobody allowed."""
    where = f"{KIND} {desired.name}"
    raw = context.world.raw.get(actual["id"], {})
    before = shown(actual, context, raw)
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
    draft.after["security_groups"] = group_names(desired, context)
    draft.running.append(Step("ModifyNetworkInterfaceAttribute", {"NetworkInterfaceId": interface, "Groups": order}))
    draft.reasons.append("its security groups differ")


def _plan_metadata(desired: Instance, actual: Facts, raw: Mapping[str, Any], draft: _Draft) -> None:
    there = metadata(raw)
    changed = {name: value for name, value in given(desired.metadata_options).items() if value != there.get(name)}
    if changed:
        draft.after["metadata_options"] = {**there, **changed}
        draft.running.append(Step("ModifyInstanceMetadataOptions", {"InstanceId": actual["id"], **to_api(changed)}))
        draft.reasons.append("its metadata options differ: " + ", ".join(sorted(changed)))


def _plan_tags(desired: Instance, actual: Facts, raw: Mapping[str, Any], context: Context, draft: _Draft) -> None:
    wanted = context.tags(actual, desired.tags, desired.name)
    if wanted == actual["tags"]:
        return
    draft.after["tags"] = visible(wanted)
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
