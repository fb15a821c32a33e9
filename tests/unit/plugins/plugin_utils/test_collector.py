# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How often Python looks for garbage while an inventory is made."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.plugin_utils.collector import rarely_collecting


@pytest.fixture(autouse=True)
def thresholds() -> Iterator[None]:
    """Those of Python itself, whatever another test has done."""
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*before)


def searches(objects: int) -> int:
    """How often garbage is searched for while so many objects are made and kept."""
    seen: list[str] = []

    def note(phase: str, info: dict[str, Any]) -> None:
        if phase == "start":
            seen.append(phase)

    gc.collect()
    gc.callbacks.append(note)
    try:
        kept = [[number] for number in range(objects)]
    finally:
        gc.callbacks.remove(note)
    assert len(kept) == objects
    return len(seen)


def test_many_objects_are_made_without_a_search_for_each_few_hundred() -> None:
    """Without it there would be dozens; and with very many objects there still are some."""
    assert searches(40_000) > 10
    with rarely_collecting():
        assert searches(40_000) <= 1
        assert searches(200_000) >= 2


def test_afterwards_it_is_as_before_also_after_an_error() -> None:
    """The rest of a play is none of its business."""
    with pytest.raises(ValueError, match="in the middle"), rarely_collecting():
        assert gc.get_threshold()[0] > 700
        raise ValueError("in the middle")
    assert gc.get_threshold() == (700, 10, 10)


def test_what_is_switched_off_stays_off() -> None:
    """A threshold of 0 means never."""
    gc.set_threshold(0, 10, 10)
    with rarely_collecting():
        assert gc.get_threshold() == (0, 10, 10)
