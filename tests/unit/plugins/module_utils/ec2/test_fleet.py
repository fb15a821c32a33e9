# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a fleet does and what it leaves alone, on an account in memory."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.aws import tags
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2 import declare, view
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.declaration import Declaration
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.fleet import Fleet
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.execute import Limits
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.reconcile import Outcome, reconcile
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.wait import Pace

from tests.support.account import PUBLIC_KEY, Account, Api, Killed

LIMITS = Limits(workers=4, pace=Pace(first=0.0, gather=0.0), patience=1.0)
WEB = {"name": "web", "image": {"name": "debian-12-*", "owner": "136693071363"}, "instance_type": "t3.micro"}
FULL = {
    "name": "shop",
    "state": "present",
    "tags": {"Project": "moso"},
    "key_pairs": [{"name": "key", "public_key": PUBLIC_KEY}],
    "security_groups": [{"name": "front", "rules": [{"ports": ["22"], "cidr": ["my_ip"]}]}],
    "instances": [
        {
            **WEB,
            "count": 2,
            "key_pair": "key",
            "security_groups": ["front"],
            "zone": ["use1-az1", "use1-az2"],
            "elastic_ip": True,
            "volumes": [{"name": "images", "size": 8}, {"name": "logs", "size": 1}],
        }
    ],
}


def run(account: Account, options: dict[str, Any], check: bool = False) -> Outcome:
    return reconcile(Fleet(declare.fleet(options), Api(account), LIMITS), check)


def kinds(outcome: Outcome) -> list[tuple[str, str, str]]:
    return [(change.action, change.kind, change.name) for change in outcome.plan.effective]


def notes(outcome: Outcome) -> str:
    return "\n".join(outcome.plan.to_result()["notes"])


def test_check_mode_plans_everything_on_an_empty_account() -> None:
    """Parts that refer to each other are planned before any of them exists; what AWS decides is unknown."""
    plan = run(Account(), FULL, check=True).plan
    assert plan.summary() == "Plan: 10 to create."
    [instance] = [one for one in plan.to_result()["plan"] if one["name"] == "web-1" and one["kind"] == "instance"]
    shown = {one["name"]: one["after"] for one in instance["attributes"]}
    assert shown["id"] == shown["public_ip"] == "(known after apply)"
    assert (shown["zone"], shown["image_id"], shown["state"]) == ("us-east-1a", "ami-2", "running")


def test_a_fresh_fleet_takes_no_more_calls_than_it_must() -> None:
    """Five calls for each member with a volume and an address, and at most twenty in all for the rest."""
    account = Account(quick=True)
    count = 20
    member = {**FULL["instances"][0], "count": count, "volumes": [{"name": "images", "size": 8}]}
    limits = Limits(pace=Pace(first=0.05, gather=5.0))
    reconcile(Fleet(declare.fleet({**FULL, "instances": [member]}), Api(account), limits), False)
    assert len(account.calls) <= 5 * count + 20


@pytest.mark.parametrize("count", [1, 30])
def test_nothing_to_do_takes_at_most_eight_calls(count: int) -> None:
    """The same few calls whatever the size."""
    account = Account()
    options = {**FULL, "instances": [{**FULL["instances"][0], "count": count}]}
    run(account, options)
    before = len(account.calls)
    assert not run(account, options).plan.changed
    assert len(account.calls) - before <= 8


def test_members_are_spread_over_zones_in_turn() -> None:
    """The first to the first zone, the second to the second, by name or by id."""
    account = Account()
    run(account, FULL)
    zones = {one["Tags"]["Name"]: one["Placement"]["AvailabilityZone"] for one in account.live()}
    assert zones == {"web-1": "us-east-1a", "web-2": "us-east-1b"}


def test_everything_is_tagged_from_the_first_moment() -> None:
    """Fleet, name inside the fleet, a readable name and the declared tags, on every kind that has tags."""
    account = Account()
    run(account, FULL)
    for kind in (account.instances, account.volumes, account.addresses, account.key_pairs):
        for one in kind.values():
            assert one["Tags"]["steadfast:fleet"] == "shop"
            assert one["Tags"]["steadfast:name"].replace("/", "-") == one["Tags"]["Name"]
            assert one["Tags"]["Project"] == "moso"
    assert "CreateTags" not in account.calls
    assert {one["Tags"]["steadfast:name"] for one in account.volumes.values()} >= {"web-1/root", "web-1/images"}


def test_new_instances_require_imdsv2_and_old_ones_are_left_alone() -> None:
    """A secure default for what is new; what exists is changed only where that is declared."""
    account = Account()
    run(account, FULL)
    assert all(one["MetadataOptions"]["HttpTokens"] == "required" for one in account.live())
    account.live()[0]["MetadataOptions"]["HttpTokens"] = "optional"
    assert not run(account, FULL).plan.changed


def test_metadata_options_send_only_what_is_given() -> None:
    """Switching the endpoint on does not weaken a hardened instance."""
    account = Account()
    run(account, FULL)
    hardened = [{**FULL["instances"][0], "metadata_options": {"http_put_response_hop_limit": 2, "http_tokens": None}}]
    run(account, {**FULL, "instances": hardened})
    assert all(one["MetadataOptions"] == {"HttpTokens": "required", "HttpPutResponseHopLimit": 2} for one in account.live())


def test_a_newer_image_is_reported_and_nothing_is_replaced() -> None:
    """The image is chosen once; a newer one is a note."""
    account = Account()
    run(account, FULL)
    account.images = (*account.images, {**account.images[0], "ImageId": "ami-3", "CreationDate": "2026-01-01T00:00:00Z"})
    outcome = run(account, FULL)
    assert not outcome.plan.changed
    assert "ami-3" in notes(outcome)


def test_volumes_grow_in_one_call() -> None:
    """Size, type, iops and throughput go into one ModifyVolume."""
    account = Account()
    run(account, FULL)
    larger = {
        **FULL["instances"][0],
        "volumes": [{"name": "images", "size": 16, "iops": 4000, "throughput": 200}, {"name": "logs", "size": 1}],
    }
    outcome = run(account, {**FULL, "instances": [larger]})
    assert kinds(outcome) == [("update", "volume", "web-1/images"), ("update", "volume", "web-2/images")]
    assert account.calls.count("ModifyVolume") == 2


def test_a_free_device_name_is_chosen() -> None:
    """Volumes without a device name get free ones, in order of their names."""
    account = Account()
    run(account, FULL)
    devices = {one["Tags"]["Name"]: one["Device"] for one in account.volumes.values()}
    assert (devices["web-1-images"], devices["web-1-logs"]) == ("/dev/sdf", "/dev/sdg")


def test_another_type_restarts_only_where_allowed() -> None:
    """Stop, change, start; the plan calls it a restart."""
    account = Account()
    run(account, FULL)
    larger = {**FULL["instances"][0], "instance_type": "t3.small", "on_change": {"instance_type": "restart"}}
    outcome = run(account, {**FULL, "instances": [larger]})
    assert kinds(outcome) == [("restart", "instance", "web-1"), ("restart", "instance", "web-2")]
    assert {one["InstanceType"] for one in account.live()} == {"t3.small"}
    assert {one["State"]["Name"] for one in account.live()} == {"running"}


def test_a_restart_that_was_cut_short_is_finished_by_the_next_run() -> None:
    """Stopped only to be started again: the next run knows, although the declaration does not say that it is to run."""
    account = Account()
    run(account, FULL)
    larger = {**FULL, "instances": [{**FULL["instances"][0], "instance_type": "t3.small", "on_change": {"instance_type": "restart"}}]}
    for allowed in range(40):
        with suppress(Killed):
            reconcile(Fleet(declare.fleet(larger), Api(account, allowed), LIMITS), False)
    run(account, larger)
    assert [(one["State"]["Name"], one["InstanceType"]) for one in account.live()] == [("running", "t3.small")] * 2
    assert not any(tags.RESTARTING in one["Tags"] for one in account.live())


def test_count_zero_means_none() -> None:
    """With prune, count 0 terminates what is there; it never launches anything."""
    account = Account()
    none = {**FULL, "instances": [{**FULL["instances"][0], "count": 0}], "prune": True}
    run(account, none)
    assert account.live() == []
    run(account, FULL)
    run(account, none)
    assert account.live() == []


def test_what_is_no_longer_declared_is_named_and_kept() -> None:
    """Without prune nothing is deleted; a note names what is left over."""
    account = Account()
    run(account, FULL)
    outcome = run(account, {**FULL, "instances": [{**FULL["instances"][0], "count": 1}]})
    assert not outcome.plan.changed
    assert "instance web-2" in notes(outcome)
    assert "prune" in notes(outcome)


def test_a_volume_that_somebody_attached_is_told_and_left_alone() -> None:
    """It is no change, whatever prune says; what is deleted with its instance came with the image, and is not told."""
    account = Account()
    run(account, FULL)
    instance = next(one for one in account.live() if one["Tags"]["Name"] == "web-1")
    api, zone = Api(account), instance["Placement"]["AvailabilityZone"]
    stranger = api.call("CreateVolume", {"AvailabilityZone": zone, "Size": 1, "VolumeType": "gp3", "ClientToken": "by hand"})["VolumeId"]
    account.volumes[stranger]["State"] = "available"
    api.call("AttachVolume", {"VolumeId": stranger, "InstanceId": instance["InstanceId"], "Device": "/dev/sdz"})
    outcome = run(account, {**FULL, "prune": True})
    assert not outcome.plan.changed
    (told,) = outcome.plan.undeclared
    assert (told.kind, told.name, told.before) == ("volume", stranger, {"instance": "web-1", "device": "/dev/sdz"})
    account.volumes[stranger]["DeleteOnTermination"] = True
    assert run(account, FULL).plan.undeclared == ()


def test_prune_keeps_volumes_that_may_hold_data() -> None:
    """Instances and addresses go, volumes stay until their deletion is declared, for all or by name."""
    account = Account()
    run(account, FULL)
    smaller = {**FULL, "instances": [{**FULL["instances"][0], "count": 1}], "prune": True}
    outcome = run(account, smaller)
    assert kinds(outcome) == [("delete", "instance", "web-2"), ("delete", "elastic_ip", "web-2")]
    assert "volume web-2/images" in notes(outcome)
    outcome = run(account, {**smaller, "delete_volumes": ["web-2/logs"]})
    assert kinds(outcome) == [("delete", "volume", "web-2/logs")]


def test_a_volume_that_may_be_deleted_and_is_not_there_is_told() -> None:
    """A slip of the pen would go unnoticed; yet a name that is gone is no error, since the next run finds the volume deleted."""
    account = Account()
    run(account, FULL)
    smaller = {**FULL, "instances": [{**FULL["instances"][0], "count": 1}], "prune": True}
    outcome = run(account, {**smaller, "delete_volumes": ["web-1/images", "web-2/lgos", "web-2/logs"]})
    assert "volume web-2/lgos" in notes(outcome) and "delete_volumes" in notes(outcome)
    assert "web-1/images" not in notes(outcome) and "volume web-2/logs" not in notes(outcome)
    again = run(account, {**smaller, "delete_volumes": ["web-2/logs"]})
    assert not again.plan.changed
    assert "volume web-2/logs: delete_volumes names it" in notes(again)


def test_absent_takes_only_what_the_fleet_owns() -> None:
    """Everything of the fleet goes, in the order that AWS needs; a stranger's machine stays."""
    account = Account()
    run(account, {**FULL, "name": "other", "key_pairs": [], "security_groups": [], "instances": [WEB]})
    before = account.summary()
    run(account, FULL)
    run(account, {"name": "shop", "state": "absent", "delete_volumes": True})
    assert account.summary() == before


def test_a_kept_volume_comes_back_to_the_instance_made_anew() -> None:
    """Absent keeps the volumes; present finds them again by their tags and attaches them."""
    account = Account()
    run(account, FULL)
    kept = {one["VolumeId"] for one in account.volumes.values() if one["Device"] != "/dev/xvda"}
    run(account, {"name": "shop", "state": "absent"})
    outcome = run(account, FULL)
    assert ("update", "volume", "web-1/images") in kinds(outcome)
    assert {one["VolumeId"] for one in account.volumes.values() if one["Device"] != "/dev/xvda"} == kept


def test_an_address_moves_with_its_instance() -> None:
    """An instance made anew gets the same Elastic IP again, and none is allocated."""
    account = Account()
    run(account, FULL)
    addresses = set(account.addresses)
    account.live()[0]["State"]["Name"] = "terminated"
    for one in account.addresses.values():
        if one["Tags"]["Name"] == "web-1":
            del one["InstanceId"], one["AssociationId"]
    for one in account.volumes.values():
        if one["Tags"]["Name"].startswith("web-1"):
            one.update({"InstanceId": None, "Device": None, "State": "available"})
    run(account, FULL)
    assert set(account.addresses) == addresses
    assert all(one.get("InstanceId") for one in account.addresses.values())


def test_rules_are_authorised_before_others_are_revoked() -> None:
    """No moment in which neither the old nor the new rule holds."""
    account = Account()
    run(account, FULL)
    before = len(account.calls)
    run(account, {**FULL, "security_groups": [{"name": "front", "rules": [{"ports": ["2222"], "cidr": ["my_ip"]}]}]})
    writes = [call for call in account.calls[before:] if "SecurityGroup" in call and not call.startswith("Describe")]
    assert writes == ["AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress"]


def test_egress_stays_unless_declared() -> None:
    """A new group lets everything out, as AWS makes it; declared egress is exact."""
    account = Account()
    run(account, FULL)
    [group] = [one for one in account.groups.values() if one["GroupName"] == "front"]
    assert group["IpPermissionsEgress"][0]["IpProtocol"] == "-1"
    run(account, {**FULL, "security_groups": [{"name": "front", "egress_rules": [{"ports": ["443"], "cidr": ["0.0.0.0/0"]}]}]})
    assert [one["IpProtocol"] for one in group["IpPermissionsEgress"]] == ["tcp"]


def test_restarted_reboots_once_in_every_run() -> None:
    """A restart is an event: it happens in each run that declares it, and is no difference afterwards."""
    account = Account()
    run(account, FULL)
    restart = Declaration(instances=(declare.instance({"name": "web-1", "state": "restarted"}),))
    for _run in range(2):
        outcome = reconcile(Fleet(restart, Api(account), LIMITS), False)
        assert kinds(outcome) == [("restart", "instance", "web-1")]
    assert account.calls.count("RebootInstances") == 2


def test_user_data_are_compared_without_being_shown() -> None:
    """A difference is told by digest; the text is in no result."""
    account = Account()
    secret = "#!/bin/sh\necho hunter2\n"
    member = {**WEB, "user_data": secret}
    outcome = run(account, {**FULL, "instances": [member]})
    assert "hunter2" not in str(outcome.plan.to_result())
    changed = {**member, "user_data": "other", "on_change": {"user_data": "ignore"}}
    assert "other user data" in notes(run(account, {**FULL, "instances": [changed]}))


def test_results_name_what_is_there_and_what_is_only_planned() -> None:
    """In check mode a planned resource has null where AWS decides; afterwards it has facts."""
    account = Account()
    planned = view.result("fleet", declare.fleet(FULL), run(account, FULL, check=True))
    assert [(one["name"], one["id"], one["planned"]) for one in planned["instances"]] == [("web-1", None, True), ("web-2", None, True)]
    made = view.result("fleet", declare.fleet(FULL), run(account, FULL))
    assert [one["planned"] for one in made["instances"]] == [False, False]
    assert made["instances"][0]["volumes"]["images"]["size"] == 8
    assert made["instances"][0]["elastic_ip"] == "192.0.2.1"
