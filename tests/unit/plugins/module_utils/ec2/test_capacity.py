# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where there is no room the next acceptable zone or type is taken; spot instances; waiting until an instance is healthy."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2 import declare
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.fleet import Fleet
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import CallFailed, InvalidInput, Refused, TimedOut
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.execute import Limits
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.reconcile import reconcile
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.wait import Pace

from tests.support.account import Account, Api, Killed

LIMITS = Limits(workers=4, pace=Pace(first=0.0, gather=0.0), patience=0.2)
WEB = {
    "name": "web",
    "image": "ami-1",
    "instance_type": ["t3.micro", "t3a.micro"],
    "zone": ["us-east-1a", "us-east-1b"],
    "volumes": [{"name": "images", "size": 8}],
}


def apply(account: Account, member: dict[str, Any], allow: int | None = None, limits: Limits = LIMITS) -> Fleet:
    options = {"name": "shop", "state": "present", "instances": [member]}
    target = Fleet(declare.fleet(options), Api(account, allow), limits)
    reconcile(target, False)
    again = reconcile(Fleet(declare.fleet(options), Api(account), limits), True)
    assert not again.plan.changed
    return target


def place(account: Account) -> list[tuple[str, str]]:
    return [(one["InstanceType"], one["Placement"]["AvailabilityZone"]) for one in account.live()]


@pytest.mark.parametrize(
    ("full", "taken"),
    [
        (set(), ("t3.micro", "us-east-1a")),
        ({"us-east-1a"}, ("t3.micro", "us-east-1b")),
        ({"t3.micro"}, ("t3a.micro", "us-east-1a")),
        ({"t3.micro", "us-east-1a"}, ("t3a.micro", "us-east-1b")),
    ],
)
def test_the_next_that_has_room_is_taken(full: set[str], taken: tuple[str, str]) -> None:
    """The other zones with the best type, then the next type; volumes follow; the notes say what was taken; later runs accept it."""
    account = Account()
    account.full = full
    notes = apply(account, WEB).notes
    assert place(account) == [taken]
    assert {one["AvailabilityZone"] for one in account.volumes.values()} == {taken[1]}
    assert bool(notes) == bool(full)
    assert all(taken[0] in note and taken[1] in note for note in notes)


def test_without_room_anywhere_the_error_names_all_that_was_tried() -> None:
    """At once, and not after minutes in one zone."""
    account = Account()
    account.full = {"us-east-1a", "us-east-1b"}
    with pytest.raises(CallFailed) as caught:
        apply(account, WEB)
    assert caught.value.code == "InsufficientInstanceCapacity"
    for kind, zone in (("t3.micro", "us-east-1a"), ("t3a.micro", "us-east-1b")):
        assert f"{kind} in {zone}" in caught.value.message
    assert account.calls.count("RunInstances") == 4


def test_an_instance_stays_with_the_volume_that_is_there() -> None:
    """A volume of its own decides the zone, so other zones are not tried; another type is."""
    account = Account()
    apply(account, WEB)
    reconcile(Fleet(declare.fleet({"name": "shop", "state": "absent"}), Api(account), LIMITS), False)
    account.full = {"t3.micro"}
    apply(account, {**WEB, "zone": ["us-east-1b", "us-east-1a"]})
    assert place(account) == [("t3a.micro", "us-east-1a")]


@pytest.mark.parametrize("calls", range(4, 18))
def test_room_that_comes_back_makes_no_second_one(calls: int) -> None:
    """Killed after the second choice was launched: the next run finds that one, although the first choice has room again."""
    account = Account()
    account.full = {"us-east-1a"}
    with suppress(Killed):
        apply(account, WEB, allow=calls)
    account.full = set()
    apply(account, WEB)
    assert len(account.live()) == 1


def test_a_spot_instance_is_asked_for_and_its_request_cancelled() -> None:
    """One market is not changed into the other without leave; the request goes before the instance."""
    account = Account()
    spot = {**WEB, "volumes": [], "market": "spot", "spot": {"max_price": "0.01", "interruption_behavior": "stop"}}
    apply(account, spot)
    assert account.live()[0]["InstanceLifecycle"] == "spot"
    on_demand = {**WEB, "volumes": [], "market": "on_demand"}
    with pytest.raises(Refused):
        apply(account, on_demand)
    apply(account, {**on_demand, "on_change": {"market": "replace"}})
    assert "InstanceLifecycle" not in account.live()[0]
    assert account.calls.index("CancelSpotInstanceRequests") < account.calls.index("TerminateInstances")


def test_a_spot_instance_lets_go_of_its_volumes_without_a_stop() -> None:
    """A one-time spot instance cannot be stopped: it is terminated, and its volumes are kept and move."""
    account = Account()
    apply(account, {**WEB, "market": "spot"})
    kept = {one["VolumeId"] for one in account.volumes.values() if one["Device"] != "/dev/xvda"}
    apply(account, {**WEB, "market": "on_demand", "on_change": {"market": "replace"}})
    assert "StopInstances" not in account.calls
    assert {one["VolumeId"] for one in account.volumes.values() if one["Device"] != "/dev/xvda"} == kept


def test_a_one_time_spot_instance_cannot_be_declared_stopped() -> None:
    """AWS would refuse to stop it after it was launched."""
    with pytest.raises(InvalidInput) as caught:
        apply(Account(), {**WEB, "market": "spot", "state": "stopped"})
    assert "cannot be stopped" in caught.value.message


def test_status_checks_are_waited_for() -> None:
    """After a launch, before a replacement takes anything from the old one, and as a failure where they never pass."""
    account = Account()
    healthy = {**WEB, "wait_for": "status_checks"}
    apply(account, healthy)
    assert account.hidden[account.live()[0]["InstanceId"]]["Looks"] > 2
    before = len(account.calls)
    apply(account, {**healthy, "image": "ami-2", "on_change": {"image": "replace"}})
    order = [call for call in account.calls[before:] if call in ("RunInstances", "DescribeInstanceStatus", "StopInstances")]
    assert order[0] == "RunInstances"
    assert order[-1] == "StopInstances"
    with pytest.raises(TimedOut) as caught:
        apply(Account(), {**healthy, "volumes": []}, limits=Limits(workers=4, pace=Pace(first=0.0, gather=0.0), wait_timeout=0.0))
    assert caught.value.do
