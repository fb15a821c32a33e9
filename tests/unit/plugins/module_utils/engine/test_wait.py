# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Waiting without a clock: when to look, and what a look means."""

from __future__ import annotations

from typing import Any

from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import CallFailed, TimedOut
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.wait import Pace, Wait, Waits

PACE = Pace(first=1.0, growth=2.0, most=5.0, gather=2.0)


def ready(seen: Any) -> bool:
    if seen == "broken":
        raise CallFailed("broke", code="Broken")
    return bool(seen == "ready")


def wait(identity: str, kind: str = "instance") -> Wait:
    return Wait(kind, identity, "ready", ready, str)


def test_looks_become_rarer_up_to_a_limit() -> None:
    """1, 2, 4, then every 5 seconds."""
    assert [PACE.delay(looks) for looks in range(5)] == [1.0, 2.0, 4.0, 5.0, 5.0]


def test_nothing_to_wait_for_means_no_look() -> None:
    """Without a wait there is no next look."""
    assert Waits(PACE).seconds_left(0.0, idle=True) is None


def test_a_look_is_put_off_while_calls_may_begin_further_waits() -> None:
    """One look for many: while calls are in flight it is put off, but not for ever."""
    waits = Waits(PACE)
    waits.add("a", wait("i-1"), now=10.0, seconds=60)
    assert waits.seconds_left(10.0, idle=True) == 1.0
    assert waits.seconds_left(10.0, idle=False) == 3.0
    assert waits.seconds_left(14.0, idle=False) == 0.0


def test_kinds_are_looked_at_separately() -> None:
    """What is looked at is listed by kind, each once."""
    waits = Waits(PACE)
    for key, one in enumerate((wait("i-2"), wait("i-1"), wait("i-1"), wait("vol-1", "volume"))):
        waits.add(key, one, now=0.0, seconds=60)
    assert waits.wanted() == {"instance": ["i-1", "i-2"], "volume": ["vol-1"]}


def test_what_is_ready_is_over_and_what_is_not_stays() -> None:
    """A look settles what is ready; what it did not show is waited for further."""
    waits = Waits(PACE)
    waits.add("a", wait("i-1"), now=0.0, seconds=60)
    waits.add("b", wait("i-2"), now=0.0, seconds=60)
    assert waits.settle({"instance": {"i-1": "ready"}}, now=1.0) == [("a", None)]
    assert waits.wanted() == {"instance": ["i-2"]}


def test_what_can_no_longer_get_there_ends_at_once() -> None:
    """A state without a way back is an error before the time is over."""
    waits = Waits(PACE)
    waits.add("a", wait("i-1"), now=0.0, seconds=60)
    [(key, error)] = waits.settle({"instance": {"i-1": "broken"}}, now=1.0)
    assert key == "a"
    assert isinstance(error, CallFailed)
    assert not waits


def test_time_over_is_an_error_with_the_last_state() -> None:
    """At the deadline the last look decides; if it is not ready, what it saw is told."""
    waits = Waits(PACE)
    waits.add("a", wait("i-1"), now=0.0, seconds=10)
    [(_key, error)] = waits.settle({"instance": {"i-1": "pending"}}, now=10.0)
    assert isinstance(error, TimedOut)
    assert error.found == "pending"
    assert error.resource == "instance i-1"


def test_ready_at_the_last_moment_is_no_error() -> None:
    """What is ready when the time is over got there."""
    waits = Waits(PACE)
    waits.add("a", wait("i-1"), now=0.0, seconds=10)
    assert waits.settle({"instance": {"i-1": "ready"}}, now=99.0) == [("a", None)]
