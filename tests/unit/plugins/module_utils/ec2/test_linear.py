# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A plan for ten times the members is ten times the work, not a hundred times."""

from __future__ import annotations

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
