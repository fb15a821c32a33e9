# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a plan has to know about instances that DescribeInstances does not tell; most plans have no such question. Pure."""

from __future__ import annotations

from typing import Dict, Iterable, Set

from ...aws import tags as tag_words
from ..context import Context
from ..declaration import Instance
from ..world import Facts
from . import shown

#: {what is asked: ids of instances}
Questions = Dict[str, Set[str]]


def questions(context: Context, ending: Iterable[Facts]) -> Questions:
    """What to ask: declared attributes that need a call of their own, and whether what is to end may end."""
    asked: Questions = {}
    for desired in context.declaration.instances:
        actual = context.world.instance(desired.name) if desired.state != "absent" else None
        if actual is not None:
            for name in _about(desired, actual, context):
                asked.setdefault(name, set()).add(actual["id"])
    for actual in ending:
        asked.setdefault("termination_protection", set()).add(actual["id"])
    return asked


def _about(desired: Instance, actual: Facts, context: Context) -> Iterable[str]:
    yield from (name for name in shown.DETAILS if getattr(desired, name) is not None)
    profile = desired.iam_instance_profile
    if profile is not None and actual["iam_instance_profile"] not in (None, profile.rsplit("/", 1)[-1]):
        yield "profile_association"
    if tag_words.USER_DATA not in actual["tags"] and (desired.user_data is not None or desired.user_data_file):
        yield "user_data"
    if shown.given(desired.root_volume) and context.world.root_volume(actual["id"]) is None:
        yield "root_volume"
