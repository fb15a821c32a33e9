# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Background work keeps its order within a lane and lets lanes pass each other."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from sandbox.lanes import Lanes


@pytest.fixture
def lanes() -> Iterator[Lanes]:
    made = Lanes(workers=4)
    yield made
    made.close()


def test_jobs_of_a_lane_run_one_after_the_other_in_order(lanes: Lanes) -> None:
    """A stop that was asked for after a start happens after it, also when the start has a delay."""
    seen: list[int] = []
    lanes.submit("a", lambda: seen.append(0), delay=0.05)
    for number in range(1, 20):
        lanes.submit("a", lambda number=number: seen.append(number))
    assert lanes.wait(10)
    assert seen == list(range(20))


def test_a_lane_that_is_busy_does_not_hold_up_others(lanes: Lanes) -> None:
    """One machine that takes its time does not stop the others."""
    release = threading.Event()
    done = threading.Event()
    lanes.submit("slow", lambda: release.wait(10))
    lanes.submit("quick", done.set)
    assert done.wait(10)
    release.set()
    assert lanes.wait(10)


def test_a_job_that_fails_is_logged_and_the_lane_goes_on(lanes: Lanes, caplog: pytest.LogCaptureFixture) -> None:
    """An error in one step must not freeze an instance for good."""
    seen: list[str] = []
    lanes.submit("a", lambda: 1 / 0)  # type: ignore[arg-type,return-value]
    lanes.submit("a", lambda: seen.append("next"))
    assert lanes.wait(10)
    assert seen == ["next"]
    assert "a job of a failed" in caplog.text


def test_clear_forgets_what_waits_and_new_jobs_run_again(lanes: Lanes) -> None:
    """A reset must not be followed by effects of what was before."""
    seen: list[str] = []
    lanes.submit("a", lambda: seen.append("old"), delay=60)
    lanes.clear()
    lanes.submit("a", lambda: seen.append("new"))
    assert lanes.wait(10)
    assert seen == ["new"]


def test_held_lanes_start_nothing_until_a_step(lanes: Lanes) -> None:
    """One job for each step, in the order in which they are due; afterwards all go on."""
    seen: list[str] = []
    lanes.hold(True)
    lanes.submit("a", lambda: seen.append("second"), delay=0.2)
    lanes.submit("b", lambda: seen.append("first"), delay=0.1)
    lanes.submit("a", lambda: seen.append("third"), delay=0.3)
    assert not lanes.wait(0.5)
    assert seen == []
    assert lanes.step()
    assert seen == ["first"]
    assert lanes.step()
    assert seen == ["first", "second"]
    lanes.hold(False)
    assert lanes.wait(10)
    assert seen == ["first", "second", "third"]
    lanes.hold(True)
    assert not lanes.step()
