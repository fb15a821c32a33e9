# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a plan has to know about instances that DescribeInstances does not tell; most plans have no such question. Pure."""

from __future__ import annotations

from typing import Dict, Iterable, Set

from ...aws import tags as tag_words
from .. import facts
from ..context import Context
from ..declaration import Instance
from ..world import Facts
from . import shown
from .differences import Draft, find_fixed, find_stopped
from .replace import unfinished

#: {what is asked: ids of instances, and under "volumes" of volumes}
Questions = Dict[str, Set[str]]


def questions(context: Context, ending: Iterable[Facts]) -> Questions:
    """What to ask: declared attributes that need a call of their own, and whether what is to end may end."""
    asked: Questions = {}
    for desired in context.declaration.instances:
        actual = context.world.instance(desired.name) if desired.state != "absent" else None
        if actual is not None:
            for name in _about(desired, actual, context):
                asked.setdefault(name, set()).add(actual["id"])
            if shown.given(desired.root_volume) or desired.on_change:
                asked.setdefault("volumes", set()).update(facts.device_names(context.world.raw.get(actual["id"], {})))
            if replaces(desired, actual, context):
                for old in (*context.world.predecessors(desired.name), actual):
                    _about_old(old, asked)
    for actual in ending:
        asked.setdefault("termination_protection", set()).add(actual["id"])
    known = {fact["id"] for fact in context.world.volumes}
    asked["volumes"] = asked.get("volumes", set()) - known
    return {name: ids for name, ids in asked.items() if ids}


def _about_old(old: Facts, asked: Questions) -> None:
    """What a new one takes over from it, and whether it may go at all."""
    for name in (*shown.DETAILS, "user_data_content", "addresses"):
        asked.setdefault(name, set()).add(old["id"])
    moving = {value for key, value in old["tags"].items() if key.startswith(tag_words.MOVES)}
    asked.setdefault("volumes", set()).update(moving)


def _about(desired: Instance, actual: Facts, context: Context) -> Iterable[str]:
    yield from (name for name in shown.DETAILS if getattr(desired, name) is not None)
    profile = desired.iam_instance_profile
    if profile is not None and actual["iam_instance_profile"] not in (None, profile.rsplit("/", 1)[-1]):
        yield "profile_association"
    if tag_words.USER_DATA not in actual["tags"] and (desired.user_data is not None or desired.user_data_file):
        yield "user_data"


def replaces(desired: Instance, actual: Facts, context: Context) -> bool:
    """Whether a new instance is to take the place of `actual`, as far as that can be told before all answers are there."""
    if unfinished(actual):
        return True
    if "replace" not in desired.on_change.values():
        return False
    draft = Draft(desired, actual, context, shown.shown(actual, context))
    find_fixed(draft)
    find_stopped(draft)
    return bool(draft.replacing) or "replace" in (draft.policy("user_data"), draft.policy("root_volume"))
