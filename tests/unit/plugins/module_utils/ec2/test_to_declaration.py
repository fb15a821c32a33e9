# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What exists, written back as a declaration: applying it changes nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2 import declare, definitions, look_up, to_declaration
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.fleet import Fleet
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.to_declaration import Found
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.reconcile import reconcile
from hypothesis import example, given, settings
from hypothesis import strategies as some

from tests.support.account import Account, Api

from .test_fleet import FULL
from .test_properties import LIMITS, TRIES, fleets, run


def described(account: Account, complete: bool = False, filters: Any = (), name: str = "shop") -> Found:
    return to_declaration.fleet(look_up.for_fleet(Api(account), filters, name), name, complete)


def options(found: Found) -> dict[str, Any]:
    """The declaration as the module fleet would get it."""
    return {"state": "present", **found.declaration}


def changes(account: Account, found: Found) -> Any:
    """What applying the description would do. Nothing is caught: a refusal is a failure too."""
    return reconcile(Fleet(declare.fleet(options(found)), Api(account), LIMITS), True).plan.to_result()["plan"]


def test_a_declaration_comes_back_as_it_was_written() -> None:
    """Up to order and to what AWS chose: the image's id, and device names."""
    account = Account()
    run(account, FULL)
    [web] = FULL["instances"]
    volumes = [{"name": "images", "size": 8, "device": "/dev/sdf"}, {"name": "logs", "size": 1, "device": "/dev/sdg"}]
    assert described(account).declaration == {
        **{name: value for name, value in FULL.items() if name != "state"},
        "security_groups": [{"name": "front", "rules": [{"ports": ["22"], "cidr": ["127.0.0.1/32"]}]}],
        "instances": [{**web, "image": "ami-2", "zone": ["us-east-1a", "us-east-1b"], "volumes": volumes}],
    }


@TRIES
@given(first=fleets(), second=fleets())
def test_applying_what_is_described_changes_nothing(first: dict[str, Any], second: dict[str, Any]) -> None:
    """Whatever the account went through, short or complete."""
    account = Account()
    run(account, first)
    run(account, second)
    for complete in (False, True):
        assert changes(account, described(account, complete)) == []


@TRIES
@given(declared=fleets())
def test_what_is_described_makes_the_same_again(declared: dict[str, Any]) -> None:
    """On an empty account it makes what was there, and that is described by the same words."""
    account, again = Account(), Account()
    # What only a call for each instance tells is not described.
    untold = ("termination_protection", "shutdown_behavior", "cpu_credits")
    members = [{name: value for name, value in one.items() if name not in untold} for one in declared["instances"]]
    run(account, {**declared, "instances": members})
    found = described(account)
    run(again, options(found))
    assert again.summary() == account.summary()
    assert described(again).declaration == found.declaration


def test_what_belongs_to_another_fleet_is_left_out_and_named() -> None:
    """Selected by a filter, but not this fleet's to have."""
    account = Account()
    run(account, FULL)
    everything = [{"Name": "tag:Project", "Values": ["moso"]}]
    found = described(account, filters=everything, name="other")
    assert found.declaration == {"name": "other"}
    assert "instance web-1" in "\n".join(found.notes)
    assert "belongs to the fleet shop" in "\n".join(found.notes)


def _disowned(account: Account) -> None:
    for kind in (account.instances, account.volumes, account.addresses, account.groups, account.key_pairs):
        for one in kind.values():
            one["Tags"] = {key: value for key, value in one["Tags"].items() if not key.startswith("steadfast:")}


def test_what_belongs_to_nobody_is_to_be_adopted() -> None:
    """The same declaration as of a fleet's own, with adopt: true."""
    account = Account()
    run(account, FULL)
    own = described(account).declaration
    _disowned(account)
    selected = [{"Name": "tag:Project", "Values": ["moso"]}]
    assert described(account, filters=selected).declaration == {**own, "adopt": True}


@pytest.mark.parametrize("complete", [False, True])
def test_user_data_never_come_back(complete: bool) -> None:
    """Neither the text nor its digest; a note says that there are some."""
    account = Account()
    run(account, {**FULL, "instances": [{**FULL["instances"][0], "user_data": "password: hunter2"}]})
    found = described(account, complete)
    assert "hunter2" not in json.dumps([found.declaration, found.notes])
    assert "user_data" not in json.dumps(found.declaration)
    assert "user data" in "\n".join(found.notes)


def test_instances_of_one_name_or_none_are_left_out_and_named() -> None:
    """A fleet could not tell them apart."""
    account = Account()
    run(account, {**FULL, "instances": [{**FULL["instances"][0], "count": 3}]})
    _disowned(account)
    first, second, third = account.live()
    second["Tags"]["Name"] = first["Tags"]["Name"]
    del third["Tags"]["Name"]
    found = described(account, filters=[{"Name": "tag:Project", "Values": ["moso"]}])
    assert "instances" not in found.declaration
    assert "share this name" in "\n".join(found.notes)
    assert "no Name tag" in "\n".join(found.notes)


def test_tags_that_volumes_lack_are_not_given_to_them() -> None:
    """A fleet hands its instances' tags down, so what only the instance has is left out, and nothing is purged."""
    account = Account()
    run(account, FULL)
    account.live()[0]["Tags"]["Role"] = "web"
    found = described(account)
    assert found.declaration["purge_tags"] is False
    assert changes(account, found) == []
    assert account.live()[0]["Tags"]["Role"] == "web"


def test_rules_of_every_form_come_back() -> None:
    """All protocols, numbers, ICMP messages, groups of other accounts, prefix lists."""
    account = Account()
    rules = [
        {"protocol": "50", "cidr": ["10.0.0.0/8"]},
        {"protocol": "all", "cidr": ["10.0.0.0/8"]},
        {"protocol": "icmp", "icmp_type": 8, "cidr": ["10.0.0.0/8", "10.1.0.0/16"], "description": "ping"},
        {"protocol": "icmp", "cidr": ["10.0.0.0/8"]},
        {"ports": ["22"], "prefix_list": ["pl-1"]},
    ]
    run(account, {**FULL, "security_groups": [{"name": "front", "rules": rules}]})
    found = described(account)
    assert changes(account, found) == []
    [group] = found.declaration["security_groups"]
    assert sorted(group["rules"], key=str) == sorted(rules, key=str)


def test_rules_that_options_cannot_say_are_left_alone() -> None:
    """TCP without ports, as the API can have it: the group is described without its rules, and a note says so."""
    account = Account()
    run(account, FULL)
    [group] = [one for one in account.groups.values() if one["GroupName"] == "front"]
    group["IpPermissions"].append({"IpProtocol": "tcp", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]})
    found = described(account)
    assert found.declaration["security_groups"] == [{"name": "front"}]
    assert "rules have one that cannot be declared" in "\n".join(found.notes)
    assert changes(account, found) == []


def test_a_fleet_of_any_size_is_described_in_a_few_calls() -> None:
    """No call for each resource."""
    account = Account()
    run(account, {**FULL, "instances": [{**FULL["instances"][0], "count": 30}]})
    before = len(account.calls)
    described(account)
    assert len(account.calls) - before <= 10
    assert all(call.startswith("Describe") for call in account.calls[before:])


#: What an instance can have beside what every one has: values other than those that a new one gets anyway.
EXTRAS: dict[str, Any] = {
    "root_volume": {"size": 20},
    "placement": {"group": "near"},
    "metadata_options": {"http_put_response_hop_limit": 3},
    "iam_instance_profile": "web",
    "monitoring": True,
    "ebs_optimized": True,
    "market": "spot",
    "termination_protection": True,
    "stop_protection": True,
    "shutdown_behavior": "terminate",
    "cpu_credits": "standard",
}
#: Of these, what AWS tells of one instance at a time only.
DETAILS = {"termination_protection", "stop_protection", "shutdown_behavior", "cpu_credits"}


@settings(deadline=None, max_examples=25)
@given(names=some.sets(some.sampled_from(sorted(EXTRAS))), count=some.integers(1, 2), complete=some.booleans())
@example(names=set(EXTRAS), count=1, complete=False)
def test_what_only_some_instances_have_comes_back_too(names: set[str], count: int, complete: bool) -> None:
    """Every option that was declared is described, with details also what is told of one instance at a time; applied, nothing changes."""
    account = Account(quick=True)
    extras = {name: EXTRAS[name] for name in names}
    run(account, {**FULL, "instances": [{**FULL["instances"][0], **extras, "count": count}]})
    for asked in (False, True):
        found = to_declaration.fleet(look_up.for_fleet(Api(account), (), "shop", asked), "shop", complete)
        [web] = found.declaration["instances"]
        for name in names - (set() if asked else DETAILS):
            there = {key: web[name][key] for key in extras[name]} if isinstance(extras[name], dict) else web[name]
            assert there == extras[name]
        assert not asked or complete or not set(EXTRAS) & set(web) - names
        assert changes(account, found) == []


def test_every_option_of_an_instance_is_described_or_has_a_reason() -> None:
    """A new option has to be described too, or to be named here with why it is not."""
    why_not = {
        "private_ip": "AWS chooses it",
        "user_data": "may hold secrets",
        "user_data_base64": "may hold secrets",
        "user_data_file": "may hold secrets",
        "spot": "only a launch is told",
        "wait_for": "how to wait, nothing that an instance has",
        "on_change": "what may be done, nothing that an instance has",
    }
    always = {"name", "image", "instance_type", "key_pair", "security_groups", "zone", "subnet_id"}
    assert set(definitions._INSTANCE) == always | set(EXTRAS) | set(why_not)


def test_the_root_volume_is_written_where_its_image_is_gone() -> None:
    """Nothing else says what is usual then."""
    account = Account()
    run(account, FULL)
    assert "root_volume" not in described(account).declaration["instances"][0]
    account.images = ()
    found = described(account)
    assert found.declaration["instances"][0]["root_volume"] == {"size": 8, "type": "gp3"}
