# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What goes wrong on AWS on a bad day: a fleet gets there all the same, or the task says what it was and the next one goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.aws.client import Client
from ansible_collections.steadfast.ec2.plugins.module_utils.aws.connection import Connection
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2 import declare, definitions
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.fleet import Fleet
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import CallFailed, SteadfastError
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.execute import Limits
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.reconcile import Outcome, reconcile

from tests.support.sandbox import Sandbox

MEMBERS = 50
NO_FAULTS: dict[str, Any] = {
    **dict.fromkeys(("throttle", "throttle_share", "lose_responses", "lose_share", "reset_connections", "read_lag", "slow"), 0),
    **dict.fromkeys(("fail_launches", "fail_volumes", "expired_credentials", "clock_skew"), 0),
}


def shop(directory: Path, members: int) -> dict[str, Any]:
    """Members with a volume and an address each, a key pair and a group."""
    return {
        "name": "shop",
        "state": "present",
        "key_pairs": [{"name": "shop", "private_key_file": str(directory / "shop.pem")}],
        "security_groups": [{"name": "shop", "rules": [{"ports": ["22"], "cidr": ["my_ip"]}, {"ports": ["80"], "group": ["shop"]}]}],
        "instances": [
            {
                "name": "web",
                "count": members,
                "image": {"name": "debian-12-amd64-*", "owner": "136693071363"},
                "instance_type": "t3.micro",
                "zone": ["us-east-1a"],
                "key_pair": "shop",
                "security_groups": ["shop"],
                "elastic_ip": True,
                "volumes": [{"name": "images", "size": 1}],
            }
        ],
    }


def run(sandbox: Sandbox, options: dict[str, Any], limits: Limits | None = None) -> tuple[Outcome, int]:
    """One task, and the number of its calls."""
    client = Client(Connection("us-east-1", access_key="sandbox", secret_key="sandbox", endpoint_url=sandbox.endpoint))
    since = sandbox.call_count
    outcome = reconcile(Fleet(declare.fleet(options), client, limits or Limits()), False)
    return outcome, sandbox.call_count - since


def in_account(sandbox: Sandbox) -> Counter[str]:
    """Everything that is there, whoever owns it; root volumes among the volumes."""
    ec2 = sandbox.client()
    reservations = ec2.describe_instances()["Reservations"]
    states = [one["State"]["Name"] for reservation in reservations for one in reservation["Instances"]]
    groups = [one["GroupName"] for one in ec2.describe_security_groups()["SecurityGroups"]]
    return Counter(
        instances=len([state for state in states if state not in ("shutting-down", "terminated")]),
        volumes=len([one for one in ec2.describe_volumes()["Volumes"] if one["State"] != "deleting"]),
        addresses=len(ec2.describe_addresses()["Addresses"]),
        groups=groups.count("shop"),
        keys=len(ec2.describe_key_pairs()["KeyPairs"]),
    )


@pytest.fixture
def faulty(sandbox: Sandbox) -> Iterator[Sandbox]:
    """An empty account; whatever the test does to it is taken back."""
    yield sandbox
    sandbox.faults(**NO_FAULTS)


def test_a_fleet_gets_there_in_bad_weather(faulty: Sandbox, tmp_path: Path) -> None:
    """One call in twenty throttled, one answer in fifty lost, reads two seconds late: nothing twice, nothing failed, no flood of calls."""
    complete = Counter(instances=MEMBERS, volumes=2 * MEMBERS, addresses=MEMBERS, groups=1, keys=1)
    options = shop(tmp_path, MEMBERS)
    _outcome, calm = run(faulty, options)
    assert in_account(faulty) == complete
    faulty.reset()
    (tmp_path / "shop.pem").unlink()
    faulty.faults(throttle_share=0.05, lose_share=0.02, read_lag=2)
    since = faulty.call_count
    _outcome, stormy = run(faulty, options)
    faulty.faults(**NO_FAULTS)
    weather = faulty.calls(since)
    assert [one for one in weather if one["error"] == "RequestLimitExceeded"] and [one for one in weather if one.get("lost")]
    assert in_account(faulty) == complete
    assert stormy <= 2 * calm
    assert not run(faulty, options)[0].plan.changed


@pytest.mark.parametrize("fleet", ["shop", None])
def test_a_group_whose_answer_was_lost_is_not_a_stranger(faulty: Sandbox, fleet: str | None) -> None:
    """It is there already when it is asked for again, and not visible for two seconds more."""
    options = {"name": "web", "description": "web servers", "rules": [{"ports": ["80"], "cidr": ["0.0.0.0/0"]}], "fleet": fleet}
    connection = {"region": "us-east-1", "access_key": "sandbox", "secret_key": "sandbox", "endpoint_url": faulty.endpoint}
    params = {**options, **connection, "state": "present", "adopt": False, "purge_tags": True, "wait_timeout": 60}
    faulty.faults(lose_responses=1, read_lag=2)
    assert definitions.SECURITY_GROUP.run(params, False)["changed"]
    faulty.faults(**NO_FAULTS)
    assert not definitions.SECURITY_GROUP.run(params, True)["changed"]


def test_reset_connections_are_tried_again(faulty: Sandbox, tmp_path: Path) -> None:
    """A connection that is reset before anything happened costs one more request."""
    faulty.faults(reset_connections=3)
    run(faulty, shop(tmp_path, 2))
    assert in_account(faulty) == Counter(instances=2, volumes=4, addresses=2, groups=1, keys=1)


def test_slow_states_are_waited_for(faulty: Sandbox, tmp_path: Path) -> None:
    """What takes longer takes longer, and a wait that is over too soon fails with the last state; the next run goes on from there."""
    faulty.faults(slow=3)
    with pytest.raises(SteadfastError, match=r"pending|creating"):
        run(faulty, shop(tmp_path, 2), Limits(wait_timeout=0.5))
    run(faulty, shop(tmp_path, 2))
    assert in_account(faulty) == Counter(instances=2, volumes=4, addresses=2, groups=1, keys=1)


def test_a_launch_that_fails_is_told_and_made_good_by_the_next_run(faulty: Sandbox, tmp_path: Path) -> None:
    """The reason is AWS's own, the rest of the fleet is made, and the next run launches only what is missing."""
    faulty.faults(fail_launches=1)
    with pytest.raises(CallFailed, match="ended instead of starting"):
        run(faulty, shop(tmp_path, 3))
    assert in_account(faulty)["instances"] == 2
    run(faulty, shop(tmp_path, 3))
    assert in_account(faulty) == Counter(instances=3, volumes=6, addresses=3, groups=1, keys=1)


def test_expired_credentials_end_the_task_with_what_to_do(faulty: Sandbox, tmp_path: Path) -> None:
    """One refused call, no retries, nothing made."""
    faulty.faults(expired_credentials=1)
    with pytest.raises(CallFailed, match="log in again") as caught:
        run(faulty, shop(tmp_path, 1))
    assert caught.value.code == "RequestExpired"


def test_credentials_that_expire_half_way_lose_nothing(faulty: Sandbox, tmp_path: Path) -> None:
    """What was made is told and stays; with new credentials the next run finishes it."""
    options = shop(tmp_path, 2)
    run(faulty, options)
    faulty.faults(expired_credentials=1)
    with pytest.raises(CallFailed):
        run(faulty, {**options, "tags": {"Project": "moso"}})
    faulty.faults(**NO_FAULTS)
    assert run(faulty, {**options, "tags": {"Project": "moso"}})[0].plan.changed
    assert not run(faulty, {**options, "tags": {"Project": "moso"}})[0].plan.changed


def test_a_clock_that_is_off_is_named(faulty: Sandbox, tmp_path: Path) -> None:
    """Twenty minutes are too much, and the advice names the clock; five are not."""
    faulty.faults(clock_skew=300)
    run(faulty, shop(tmp_path, 1))
    faulty.faults(clock_skew=1200)
    with pytest.raises(CallFailed, match="clock"):
        run(faulty, shop(tmp_path, 1))
