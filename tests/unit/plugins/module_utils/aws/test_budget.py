# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How fast the API is asked: no faster than it allows, and as fast as it turns out to allow."""

from __future__ import annotations

import threading

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.aws.budget import LIMITS, Budget, limit_of
from hypothesis import given
from hypothesis import strategies as some


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def budget(published: bool = True) -> tuple[Budget, Time]:
    time = Time()
    return Budget(published, time.clock, time.sleep), time


#: From Amazon's own tables; see budget.py.
PUBLISHED = [
    ("RunInstances", 5, 2),
    ("CreateVolume", 100, 5),
    ("AttachVolume", 50, 5),
    ("CopyImage", 100, 1),
    ("DescribeVolumes", 100, 20),
    ("AllocateAddress", 50, 5),
]


@pytest.mark.parametrize(("operation", "burst", "rate"), PUBLISHED)
def test_the_published_limits(operation: str, burst: float, rate: float) -> None:
    """What Amazon publishes for an operation of its own, for reading, and for changing."""
    assert (limit_of(operation).burst, limit_of(operation).rate) == (burst, rate)


@pytest.mark.parametrize("operation", [*LIMITS, "DescribeInstances", "AllocateAddress"])
def test_a_burst_is_not_held_back(operation: str) -> None:
    """As many requests as the bucket holds go at once."""
    one, time = budget()
    for _ in range(int(limit_of(operation).burst)):
        one.take(operation)
    assert time.now == 0.0
    assert one.take(operation) > 0


def test_operations_have_buckets_of_their_own() -> None:
    """Launches that wait do not hold back tags."""
    one, _time = budget()
    for _ in range(20):
        one.take("RunInstances")
    assert one.take("CreateTags") == 0.0


@given(requests=some.integers(1, 200), operation=some.sampled_from(["RunInstances", "CreateTags", "DescribeVolumes"]))
def test_a_server_with_these_limits_refuses_next_to_nothing(requests: int, operation: str) -> None:
    """Against a bucket as published: what is refused, because the budget tried to go faster, is about a tenth."""
    one, time = budget()
    limit = limit_of(operation)
    level, then, refused = limit.burst, 0.0, 0
    for _ in range(requests):
        while True:
            one.take(operation)
            level, then = min(limit.burst, level + (time.now - then) * limit.rate), time.now
            if level >= 1:
                level -= 1
                break
            refused += 1
            one.throttled(operation)
    assert refused <= 3 + requests / 10


def test_a_higher_limit_is_found_out() -> None:
    """An account that is allowed more gets it: the rate grows while requests are held back and none is refused."""
    one, time = budget()
    for _ in range(200):
        one.take("RunInstances")
    assert time.now < 200 / limit_of("RunInstances").rate / 2


def test_other_endpoints_are_not_limited_until_they_throttle() -> None:
    """Amazon's limits are not those of a local endpoint; what it says itself is believed."""
    one, time = budget(published=False)
    for _ in range(1000):
        one.take("RunInstances")
    assert time.now == 0.0
    one.throttled("RunInstances")
    assert one.rate("RunInstances") == pytest.approx(1000 * 0.7)
    assert one.take("RunInstances") > 0
    assert one.rate("CreateTags") is None


def test_a_rate_never_falls_to_nothing() -> None:
    """However often it is throttled, requests go on."""
    one, _time = budget()
    for _ in range(1000):
        one.throttled("RunInstances")
    assert one.rate("RunInstances") == pytest.approx(0.04)


def test_threads_share_one_budget() -> None:
    """Ten threads get together what one would get."""
    pauses: list[float] = []
    one = Budget(True, lambda: 0.0, pauses.append)
    threads = [threading.Thread(target=one.take, args=("RunInstances",)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pauses) == 5
    assert len(set(pauses)) == 5


@pytest.mark.parametrize("processes", [2, 10, 20])
def test_processes_that_know_nothing_of_each_other_share_one_limit(processes: int) -> None:
    """Each has a budget of its own, as forks have: the answers of the API bring all of them down, and all of them come through."""
    limit = limit_of("AttachVolume")
    each = [budget() for _ in range(processes)]
    left = [60] * processes
    level, then, refused = limit.burst, 0.0, 0
    while any(left):
        # the one whose clock is behind goes next
        number = min((one for one in range(processes) if left[one]), key=lambda one: each[one][1].now)
        one, time = each[number]
        one.take("AttachVolume")
        now = max(time.now, then)
        level, then, time.now = min(limit.burst, level + (now - then) * limit.rate), now, now
        if level >= 1:
            level -= 1
            left[number] -= 1
        else:
            refused += 1
            one.throttled("AttachVolume")
    assert refused <= 60 * processes / 2
    assert then <= 2 * 60 * processes / limit.rate
