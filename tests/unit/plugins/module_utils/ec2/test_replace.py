# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A new instance takes the place of an old one: only where allowed, in a safe order, and whatever interrupts it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2 import declare
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.declaration import Declaration
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.fleet import Fleet
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import Refused
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.execute import Limits
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.reconcile import Outcome, reconcile
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.wait import Pace

from tests.support.account import PUBLIC_KEY, Account, Api, Killed

LIMITS = Limits(workers=4, pace=Pace(first=0.0, gather=0.0), patience=1.0)
WEB = {
    "name": "web",
    "image": "ami-1",
    "instance_type": ["t3.micro"],
    "zone": ["us-east-1a", "us-east-1b"],
    "elastic_ip": True,
    "volumes": [{"name": "images", "size": 8}, {"name": "logs", "size": 1, "device": "/dev/sdz"}],
}
NEWER = {**WEB, "image": "ami-2", "on_change": {"image": "replace"}}


def fleet(*members: dict[str, Any], **options: Any) -> dict[str, Any]:
    keys = [{"name": name, "public_key": PUBLIC_KEY} for name in ("key", "other")]
    return {"name": "shop", "state": "present", "key_pairs": keys, "instances": list(members), **options}


def run(account: Account, options: dict[str, Any], check: bool = False, allow: int | None = None) -> Outcome:
    return reconcile(Fleet(declare.fleet(options), Api(account, allow), LIMITS), check)


def alone(account: Account, options: dict[str, Any], check: bool = False, allow: int | None = None) -> Outcome:
    """One instance without a fleet."""
    return reconcile(Fleet(Declaration(instances=(declare.instance(options),)), Api(account, allow), LIMITS), check)


def actions(outcome: Outcome) -> list[tuple[str, str, str]]:
    return [(change.action, change.kind, change.name) for change in outcome.plan.effective]


def attached(account: Account) -> dict[str, str]:
    """{device: volume id} of all live instances, without roots."""
    return {one["Device"]: one["VolumeId"] for one in account.volumes.values() if one["Device"] not in (None, "/dev/xvda")}


@pytest.mark.parametrize(
    "change",
    [
        {"image": "ami-2", "on_change": {"image": "replace"}},
        {"image": {"name": "debian-12-*", "owner": "136693071363"}, "on_change": {"image": "replace"}},
        {"key_pair": "other", "on_change": {"key_pair": "replace"}},
        {"instance_type": ["t3.large"], "on_change": {"instance_type": "replace"}},
        {"user_data": "#!/bin/sh\nfalse\n", "on_change": {"user_data": "replace"}},
        {"placement": {"tenancy": "dedicated"}, "on_change": {"tenancy": "replace"}},
        {"root_volume": {"encrypted": True}, "on_change": {"root_volume": "replace"}},
        {"private_ip": "10.0.0.99", "on_change": {"private_ip": "replace"}},
    ],
)
def test_a_new_one_takes_over_volumes_and_address(change: dict[str, Any]) -> None:
    """One change, called replace; the same volumes under the same device names, the same Elastic IP, and the old one gone."""
    account = Account()
    member = {**WEB, "key_pair": "key", "user_data": "#!/bin/sh\ntrue\n"}
    run(account, fleet(member))
    [old], volumes, addresses = account.live(), attached(account), set(account.addresses)
    options = fleet({**member, **change})
    predicted = run(account, options, check=True)
    assert actions(predicted) == [("replace", "instance", "web")]
    outcome = run(account, options)
    assert outcome.plan.to_result() == predicted.plan.to_result()
    [new] = account.live()
    assert new["InstanceId"] != old["InstanceId"]
    assert attached(account) == volumes
    assert set(account.addresses) == addresses
    assert [one["InstanceId"] for one in account.addresses.values()] == [new["InstanceId"]]
    assert not any(key.startswith(("steadfast:replaces", "steadfast:moves")) for key in new["Tags"])
    assert not run(account, options).plan.changed


def test_the_old_one_ends_only_when_the_new_one_has_everything() -> None:
    """Launched first; the old one stopped before its volumes leave it, and terminated last."""
    account = Account()
    run(account, fleet(WEB))
    before = len(account.calls)
    run(account, fleet(NEWER))
    writes = [call for call in account.calls[before:] if not call.startswith("Describe")]
    order = ["RunInstances", "StopInstances", "DetachVolume", "DetachVolume", "AttachVolume", "AttachVolume", "AssociateAddress"]
    assert writes == [*order, "TerminateInstances", "DeleteTags"]


def test_a_newer_image_replaces_only_where_that_is_allowed() -> None:
    """By name it is a note; with on_change.image replace it is a new instance; and the same image is no reason."""
    account = Account()
    by_name = {**WEB, "image": {"name": "debian-12-*", "owner": "136693071363"}}
    run(account, fleet(by_name))
    account.images = (*account.images, {**account.images[0], "ImageId": "ami-3", "CreationDate": "2026-01-01T00:00:00Z"})
    assert not run(account, fleet(by_name)).plan.changed
    allowed = {**by_name, "on_change": {"image": "replace"}}
    assert actions(run(account, fleet(allowed))) == [("replace", "instance", "web")]
    assert [one["ImageId"] for one in account.live()] == ["ami-3"]
    assert not run(account, fleet(allowed)).plan.changed


def test_an_image_is_chosen_by_filters() -> None:
    """The API's own filters, with or without a name; the newest of what they find."""
    account = Account()
    filters = {"filters": {"image_id": ["ami-1"]}, "owner": "136693071363"}
    run(account, fleet({**WEB, "image": filters}))
    assert [one["ImageId"] for one in account.live()] == ["ami-1"]
    assert not run(account, fleet({**WEB, "image": filters})).plan.changed


def test_a_replacement_counts_as_a_deletion() -> None:
    """max_deletions counts every instance that would go."""
    account = Account()
    run(account, fleet({**WEB, "count": 3}))
    with pytest.raises(Refused) as caught:
        run(account, fleet({**NEWER, "count": 3}, max_deletions=2))
    assert "web-3" in caught.value.message
    assert "TerminateInstances" not in account.calls


@pytest.mark.parametrize("protection", ["termination_protection", "stop_protection", "tag"])
def test_what_is_protected_is_not_replaced(protection: str) -> None:
    """Neither with the API's protection nor with the tag; the declaration can lift the API's."""
    account = Account()
    option: dict[str, Any] = {"tags": {"steadfast:protected": "true"}} if protection == "tag" else {protection: True}
    run(account, fleet({**WEB, **option}))
    before = len(account.calls)
    with pytest.raises(Refused) as caught:
        run(account, fleet({**NEWER, **option}))
    assert "protected" in caught.value.message
    assert all(call.startswith("Describe") for call in account.calls[before:])
    if protection != "tag":
        run(account, fleet({**NEWER, protection: False}))
        assert [one["ImageId"] for one in account.live()] == ["ami-2"]


def test_volumes_cannot_leave_their_zone() -> None:
    """Another zone is refused while there are volumes; without any it is a new instance there."""
    account = Account()
    moved = {"zone": ["us-east-1c"], "on_change": {"zone": "replace"}}
    run(account, fleet(WEB))
    with pytest.raises(Refused) as caught:
        run(account, fleet({**WEB, **moved}))
    assert "zone" in caught.value.message
    bare = {**WEB, "name": "bare", "volumes": []}
    run(account, fleet(WEB, bare))
    run(account, fleet(WEB, {**bare, **moved}))
    zones = {one["Tags"]["Name"]: one["Placement"]["AvailabilityZone"] for one in account.live()}
    assert zones == {"web": "us-east-1a", "bare": "us-east-1c"}


def test_what_is_not_declared_is_as_the_old_one_had_it() -> None:
    """A replacement changes what is declared and nothing else: groups, profile, type, key, user data, state, foreign tags."""
    account = Account()
    group = account.add_group("front", "front", {})
    first = {"security_groups": ["front"], "iam_instance_profile": "db", "key_pair": "key", "user_data": "#!/bin/sh\n", "monitoring": True}
    account.key_pairs["key"] = {"KeyName": "key", "KeyPairId": "key-1", "Tags": {}}
    alone(account, {**WEB, **first, "instance_type": ["t3.large"], "shutdown_behavior": "terminate", "state": "stopped"})
    account.live()[0]["Tags"]["Cost"] = "42"
    [root] = account.volumes.values()
    root["Size"] = 30
    alone(account, {"name": "web", "image": "ami-2", "on_change": {"image": "replace"}})
    [new] = account.live()
    assert (new["InstanceType"], new["KeyName"], new["Groups"], new["ImageId"]) == ("t3.large", "key", [group], "ami-2")
    assert new["IamInstanceProfile"]["Arn"].endswith("/db")
    assert new["State"]["Name"] == "stopped"
    assert new["Tags"]["Cost"] == "42"
    hidden = account.hidden[new["InstanceId"]]
    assert (hidden["UserData"], hidden["InstanceInitiatedShutdownBehavior"]) == (b"#!/bin/sh\n", "terminate")
    assert [one["Size"] for one in account.volumes.values()] == [30]


def test_an_address_that_stays_is_free_before_it_is_taken() -> None:
    """With a declared private address the old one has to go first."""
    account = Account()
    run(account, fleet({**WEB, "private_ip": "10.0.0.50"}))
    before = len(account.calls)
    run(account, fleet({**NEWER, "private_ip": "10.0.0.50"}))
    writes = [call for call in account.calls[before:] if call in ("RunInstances", "TerminateInstances")]
    assert writes == ["TerminateInstances", "RunInstances"]


@pytest.mark.parametrize("calls", range(4, 60))
@pytest.mark.parametrize("apply", [run, alone])
def test_killed_anywhere_it_is_finished_by_the_next_run(calls: int, apply: Any) -> None:
    """Also for one instance without a fleet, whose volumes the task does not declare: none stays behind, nothing is made twice."""
    account = Account()
    run(account, fleet(WEB, tags={}) if apply is run else {**fleet(WEB), "name": "x"})
    if apply is alone:
        for kind in (account.instances, account.volumes, account.addresses):
            for one in kind.values():
                one["Tags"] = {"Name": one["Tags"]["Name"]}
    volumes, addresses = attached(account), set(account.addresses)
    options = fleet(NEWER) if apply is run else {name: value for name, value in NEWER.items() if name not in ("volumes", "elastic_ip")}
    with suppress(Killed):
        apply(account, options, allow=calls)
    apply(account, options)
    [new] = account.live()
    assert new["ImageId"] == "ami-2"
    assert attached(account) == volumes
    assert set(account.addresses) == addresses
    assert [one.get("InstanceId") for one in account.addresses.values()] == [new["InstanceId"]]
    assert not apply(account, options, check=True).plan.changed
