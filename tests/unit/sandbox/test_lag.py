# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What was just made is hidden from reads for as long as the fault says."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from sandbox.ec2.lag import Lag
from sandbox.errors import Ec2Error


class Clock:
    """A clock that stands until it is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_new_volume_appears_when_its_time_has_come() -> None:
    """Not in lists, and an error by its id, until then."""
    clock = Clock()
    lag = Lag(clock)
    old, new = SimpleNamespace(id="vol-old"), SimpleNamespace(id="vol-new")
    lag.made("CreateVolume", new, 2.0)
    assert lag.visible({"Volumes": [old, new], "NextToken": None}) == {"Volumes": [old], "NextToken": None}
    with pytest.raises(Ec2Error, match="vol-new"):
        lag.check({"VolumeIds": ["vol-new"]})
    lag.check({"Filters": [{"Name": "volume-id", "Values": ["vol-new"]}]})
    lag.check({"VolumeIds": ["vol-old"]})
    clock.now = 2.5
    assert lag.visible({"Volumes": [old, new]}) == {"Volumes": [old, new]}
    lag.check({"VolumeIds": ["vol-new"]})


def test_without_the_fault_nothing_is_hidden() -> None:
    """Zero seconds."""
    lag = Lag(Clock())
    lag.made("CreateVolume", SimpleNamespace(id="vol-new"), 0)
    lag.check({"VolumeIds": ["vol-new"]})


def test_reservations_lose_their_hidden_instances_only() -> None:
    """And vanish when none is left."""
    lag = Lag(Clock())
    one, two = SimpleNamespace(id="i-1"), SimpleNamespace(id="i-2")
    lag.made("RunInstances", SimpleNamespace(instances=[one]), 5)
    reservations = [{"ReservationId": "r-1", "Instances": [one]}, {"ReservationId": "r-2", "Instances": [one, two]}]
    assert lag.visible({"Reservations": reservations}) == {"Reservations": [{"ReservationId": "r-2", "Instances": [two]}]}
