# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Faults happen when they are asked for, and only then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sandbox.faults import FaultBox, Faults
from sandbox.trouble import SandboxError


def _date(seconds_ago: float) -> str:
    """A date as requests carry it."""
    return f"{datetime.now(UTC) - timedelta(seconds=seconds_ago):%Y%m%dT%H%M%SZ}"


def test_nothing_is_wrong_unless_asked_for() -> None:
    """The sandbox is kind by default."""
    box = FaultBox()
    assert not any(box.throttles("r", "a") for _ in range(1000))
    assert not box.loses(write=True)
    assert not box.lacks_capacity("us-east-1a", "t3.micro")
    assert box.refuses("r", "a", _date(0)) is None
    assert not box.counts_down("reset_connections")


def test_a_bucket_empties_and_fills_again() -> None:
    """Each action of each region has its own, as on AWS."""
    box = FaultBox()
    box.set(Faults(throttle=2, throttle_burst=3))
    assert [box.throttles("r", "a", now=0) for _ in range(5)] == [False, False, False, True, True]
    assert box.throttles("r", "b", now=0) is False
    assert box.throttles("other", "a", now=0) is False
    assert [box.throttles("r", "a", now=1) for _ in range(3)] == [False, False, True]


def test_responses_of_writes_get_lost_as_often_as_asked_for() -> None:
    """Reads are never lost: repeating them shows nothing."""
    box = FaultBox()
    box.set(Faults(lose_responses=2))
    assert [box.loses(write=False), box.loses(write=True), box.loses(write=True), box.loses(write=True)] == [False, True, True, False]


@pytest.mark.parametrize(
    ("lacking", "refused"),
    [("us-east-1a", True), ("t3.micro", True), ("us-east-1a/t3.micro", True), ("us-east-1a/t3.large, us-east-1b", False)],
)
def test_capacity_lacks_by_zone_type_or_both(lacking: str, refused: bool) -> None:
    """Several entries with commas between them."""
    box = FaultBox()
    box.set(Faults(no_capacity=lacking))
    assert box.lacks_capacity("us-east-1a", "t3.micro") is refused


def test_values_come_as_text_from_the_command_line() -> None:
    """They take the type of the fault; nonsense is refused with a reason."""
    assert Faults().changed({"throttle": "5", "lose_responses": "2"}) == Faults(throttle=5.0, lose_responses=2)
    with pytest.raises(SandboxError, match="not a value"):
        Faults().changed({"throttle": "much"})
    with pytest.raises(SandboxError, match="no such fault: rain"):
        Faults().changed({"rain": "1"})


def test_a_share_is_about_that_share_and_the_same_in_every_run() -> None:
    """One call in twenty, by dice that always fall alike."""
    runs = []
    for _ in range(2):
        box = FaultBox()
        box.set(Faults(throttle_share=0.05, lose_share=0.02))
        runs.append([(box.refuses("r", "a", "") is not None, box.loses(True)) for _ in range(2000)])
    assert runs[0] == runs[1]
    assert 60 <= sum(refused for refused, _lost in runs[0]) <= 140
    assert 20 <= sum(lost for _refused, lost in runs[0]) <= 60


def test_what_happens_to_the_next_n_counts_down() -> None:
    """Launches, volumes, connections: two of them, then no more."""
    box = FaultBox()
    for fault in ("fail_launches", "fail_volumes", "reset_connections"):
        box.set(Faults().changed({fault: 2}))
        assert [box.counts_down(fault) for _ in range(4)] == [True, True, False, False]


@pytest.mark.parametrize(
    ("skew", "ago", "refused"), [(600, 0, False), (1000, 0, True), (-1000, 0, True), (600, 400, True), (0, 9999, False)]
)
def test_a_date_may_be_a_quarter_of_an_hour_off(skew: float, ago: float, refused: bool) -> None:
    """Beyond that, a request has expired; without a skew nobody looks."""
    box = FaultBox()
    box.set(Faults(clock_skew=skew))
    answer = box.refuses("r", "a", _date(ago))
    assert (answer is not None) is refused
    assert answer is None or answer[1] == "RequestExpired"


def test_expired_credentials_are_refused_whatever_the_call() -> None:
    """With the code that EC2 has for it."""
    box = FaultBox()
    box.set(Faults(expired_credentials=1))
    answer = box.refuses("r", "DescribeInstances", "")
    assert answer is not None
    assert answer[1] == "RequestExpired"
