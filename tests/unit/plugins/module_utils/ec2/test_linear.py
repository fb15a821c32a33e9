# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A plan for ten times the members is ten times the work and the memory, not a hundred times."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.fleet import plan
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.read import Reader

from tests.benchmarks.plans import Answers, declared


class Counted(tuple[Any, ...]):
    """A tuple that knows how often it was gone through."""

    walks = 0

    def __iter__(self) -> Iterator[Any]:
        Counted.walks += 1
        return super().__iter__()


def walks(members: int) -> int:
    """How often a plan for so many members goes through all instances, volumes or addresses."""
    declaration = declared(members)
    client: Any = Answers(members)
    world = Reader(client, declaration).read()
    kinds = ("instances", "volumes", "elastic_ips")
    world = replace(world, **{kind: Counted(getattr(world, kind)) for kind in kinds})
    Counted.walks = 0
    assert not plan(declaration, world).changed
    return Counted.walks


def test_no_member_looks_at_all_others() -> None:
    """The lists are gone through as often for thirty members as for three."""
    assert walks(30) == walks(3)


def bytes_held(members: int) -> int:
    """What the state of so many members and their plan take, beside the answers of the API."""
    declaration = declared(members)
    client: Any = Answers(members)
    tracemalloc.start()
    try:
        before, _peak = tracemalloc.get_traced_memory()
        world = Reader(client, declaration).read()
        made = plan(declaration, world)
        held, _peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert not made.changed and len(world.instances) == members
    return held - before


def test_memory_grows_with_the_members_and_no_faster() -> None:
    """Ten times as many take ten times as much, give or take a part that is the same for all."""
    bytes_held(3)  # what is made once, at the first look
    assert bytes_held(300) < 11 * bytes_held(30)


def test_a_thousand_members_are_asked_for_in_a_few_calls() -> None:
    """No call for each member: eight at most, pages aside, and one plan that finds nothing to do."""
    client: Any = Answers(1000)
    asked: list[str] = []

    def pages(operation: str, result: str, params: Any) -> list[dict[str, Any]]:
        asked.append(operation)
        return Answers.pages(client, operation, result, params)

    client.pages = pages
    declaration = declared(1000)
    made = plan(declaration, Reader(client, declaration).read())
    assert not made.changed and len(made.changes) == 3002
    assert len(asked) <= 8
