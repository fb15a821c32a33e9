# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Changing an instance in place where AWS can, and stopping it only where that was allowed. Pure."""

from __future__ import annotations

from typing import Any, Callable, List, Mapping, Tuple

from ...aws import tags as tag_words
from ...engine.errors import Refused
from ...engine.plan import Change, Step
from .. import facts
from ..context import Context, tag_steps, unchanged
from ..declaration import Instance
from ..world import Facts
from . import shown
from .differences import Draft, find_fixed, find_stopped
from .replace import replace, unfinished
from .root import plan_root

_MARK = {tag_words.RESTARTING: "true"}


def update(desired: Instance, actual: Facts, context: Context) -> Change:
    """What has to happen to one that exists; refuses what AWS cannot change and nobody allowed."""
    raw = context.world.raw.get(actual["id"], {})
    before = shown.shown(actual, context, raw)
    draft = Draft(desired, actual, context, dict(before))
    find_fixed(draft)
    find_stopped(draft)
    _plan_user_data(draft)
    _plan_groups(draft, raw)
    _plan_metadata(draft)
    _plan_running(draft)
    plan_root(draft)
    _plan_tags(draft, raw)
    if draft.replacing or unfinished(actual):
        return replace(draft)
    steps, action = _with_state(draft)
    if not steps:
        return unchanged(shown.KIND, desired.name, before, tuple(draft.notes))
    return Change(shown.KIND, desired.name, action, before, draft.after, tuple(draft.reasons), tuple(steps), notes=tuple(draft.notes))


def _plan_user_data(draft: Draft) -> None:
    content = shown.user_data(draft.desired, draft.context)
    if content is None:
        return
    actual = draft.actual
    wanted = shown.digest(content)
    found = actual["tags"].get(tag_words.USER_DATA) or draft.context.world.details.get(actual["id"], {}).get("user_data")
    if wanted == found:
        return
    policy = draft.policy("user_data")
    if policy == "ignore":
        draft.notes.append("was launched with other user data")
        return
    if policy == "replace":
        draft.replacing.append("its user data differ")
        return
    if policy == "refuse":
        raise Refused(
            "its user data differ, and user data run only at the first boot",
            resource=draft.where,
            wanted=f"sha256:{wanted[:12]}",
            found=f"sha256:{found[:12]}" if found else "none",
            do="Keep the old ones with on_change: {user_data: ignore}, or store the new ones with on_change: {user_data: restart}.",
        )
    draft.reasons.append("its user data differ" + (", and can be stored only while it is stopped" if draft.up else ""))
    draft.after["user_data"] = f"sha256:{wanted[:12]}"
    draft.stopped.append(Step("ModifyInstanceAttribute", {"InstanceId": actual["id"], "UserData": {"Value": content}}))
    draft.stopped += tag_steps([actual["id"]], {}, {tag_words.USER_DATA: wanted})


def _plan_groups(draft: Draft, raw: Mapping[str, Any]) -> None:
    desired, actual, context = draft.desired, draft.actual, draft.context
    if desired.security_groups is None:
        return
    wanted = {context.group_id(name, draft.where, actual["vpc_id"]) for name in desired.security_groups}
    if wanted == {group["id"] for group in actual["security_groups"]}:
        return
    interface = facts.primary_interface(raw).get("NetworkInterfaceId")
    order = sorted(wanted, key=str)
    draft.after["security_groups"] = shown.group_names(desired, context)
    draft.running.append(Step("ModifyNetworkInterfaceAttribute", {"NetworkInterfaceId": interface, "Groups": order}))
    draft.reasons.append("its security groups differ")


def _plan_metadata(draft: Draft) -> None:
    there = draft.after["metadata_options"]
    changed = {name: value for name, value in shown.given(draft.desired.metadata_options).items() if value != there.get(name)}
    if changed:
        draft.after["metadata_options"] = {**there, **changed}
        step = {"InstanceId": draft.actual["id"], **shown.to_api(changed, shown.METADATA_WORDS)}
        draft.running.append(Step("ModifyInstanceMetadataOptions", step))
        draft.reasons.append("its metadata options differ: " + ", ".join(sorted(changed)))


def _attribute(word: str) -> Callable[[str, Any], Step]:
    return lambda instance_id, value: Step("ModifyInstanceAttribute", {"InstanceId": instance_id, word: {"Value": value}})


#: {attribute: the step that sets it while the instance runs}
_RUNNING: Mapping[str, Callable[[str, Any], Step]] = {
    "termination_protection": _attribute("DisableApiTermination"),
    "stop_protection": _attribute("DisableApiStop"),
    "shutdown_behavior": _attribute("InstanceInitiatedShutdownBehavior"),
    "monitoring": lambda instance_id, value: Step("MonitorInstances" if value else "UnmonitorInstances", {"InstanceIds": [instance_id]}),
    "cpu_credits": lambda instance_id, value: Step(
        "ModifyInstanceCreditSpecification", {"InstanceCreditSpecifications": [{"InstanceId": instance_id, "CpuCredits": value}]}
    ),
}


def _plan_running(draft: Draft) -> None:
    """What is set while the instance runs, one call for each."""
    for name, step in _RUNNING.items():
        wanted, found = getattr(draft.desired, name), draft.after.get(name)
        if wanted not in (None, found):
            draft.after[name] = wanted
            draft.running.append(step(draft.actual["id"], wanted))
            draft.reasons.append(f"{name} {found} is to be {wanted}")
    _plan_profile(draft)


def _plan_profile(draft: Draft) -> None:
    wanted, found = draft.desired.iam_instance_profile, draft.actual["iam_instance_profile"]
    if wanted is None or wanted.rsplit("/", 1)[-1] == (found or ""):
        return
    association = draft.context.world.details.get(draft.actual["id"], {}).get("profile_association")
    profile = shown.profile_to_api(wanted)
    if not wanted:
        step = Step("DisassociateIamInstanceProfile", {"AssociationId": association})
    elif association:
        step = Step("ReplaceIamInstanceProfileAssociation", {"AssociationId": association, "IamInstanceProfile": profile})
    else:
        step = Step("AssociateIamInstanceProfile", {"InstanceId": draft.actual["id"], "IamInstanceProfile": profile})
    draft.after["iam_instance_profile"] = wanted.rsplit("/", 1)[-1] or None
    draft.running.append(step)
    draft.reasons.append(f"iam_instance_profile {found} is to be {wanted or 'none'}")


def _plan_tags(draft: Draft, raw: Mapping[str, Any]) -> None:
    actual = draft.actual
    wanted = draft.context.tags(actual, draft.desired.tags, draft.desired.name)
    if wanted == actual["tags"]:
        return
    draft.after["tags"] = shown.visible(wanted)
    draft.reasons.append("its tags differ")
    interface = facts.primary_interface(raw).get("NetworkInterfaceId")
    draft.running += tag_steps([actual["id"], *([interface] if interface else [])], actual["tags"], wanted)


def _with_state(draft: Draft) -> Tuple[List[Step], str]:
    """All steps in order, with the stop and start that they and the declared state need."""
    actual, up = draft.actual, draft.up
    ids, marked = {"InstanceIds": [actual["id"]]}, tag_words.RESTARTING in actual["tags"]
    if marked:
        draft.reasons.append("a run that was to restart it ended before it did")
    should_run = {"running": True, "restarted": True, "stopped": False}.get(draft.desired.state, up or marked)
    passing = up and should_run and bool(draft.stopped)
    steps = list(draft.running)
    if passing and not marked:
        steps += tag_steps([actual["id"]], {}, _MARK)
    if up and (draft.stopped or not should_run):
        _refuse_stop(draft)
        steps.append(Step("StopInstances", ids))
    steps += draft.stopped
    if should_run and (draft.stopped or not up):
        steps += [Step("StartInstances", ids), *shown.health(draft.desired, actual["id"])]
    elif draft.desired.state == "restarted":
        steps += [Step("RebootInstances", ids), *shown.health(draft.desired, actual["id"])]
        draft.reasons.append("is to be restarted")
    if passing or marked:
        steps += tag_steps([actual["id"]], _MARK, {})
    if should_run != up:
        draft.after["state"] = "running" if should_run else "stopped"
        draft.reasons.append(f"is {actual['state']}, and is to be {draft.after['state']}")
    restarts = up and should_run and any(step.verb in ("StopInstances", "RebootInstances") for step in steps)
    return steps, "restart" if restarts else "update"


def _refuse_stop(draft: Draft) -> None:
    """What is protected against stops is not stopped, unless the declaration lifts that."""
    if draft.after.get("stop_protection"):
        raise Refused(
            "has to stop for this, and is protected against it",
            resource=draft.where,
            found="stop_protection true",
            do="Lift it with stop_protection: false if it is really meant.",
        )
