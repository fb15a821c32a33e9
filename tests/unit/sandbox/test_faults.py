# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Faults happen when they are asked for, and only then."""

from __future__ import annotations

import pytest

from sandbox.faults import FaultBox, Faults
from sandbox.trouble import SandboxError


def test_nothing_is_wrong_unless_asked_for() -> None:
    """The sandbox is kind by default."""
    box = FaultBox()
    assert not any(box.throttles("r", "a") for _ in range(1000))
    assert not box.loses(write=True)
    assert not box.lacks_capacity("us-east-1a", "t3.micro")


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
