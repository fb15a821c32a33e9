# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What must hold for every declaration and every state of the account, tried with random ones on an account in memory."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import replace
from typing import Any

from ansible_collections.steadfast.ec2.plugins.module_utils.ec2 import declare
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.declaration import Declaration, ElasticIp, Instance, SecurityGroup, Volume
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.fleet import Fleet
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import Refused
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.execute import Limits
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.reconcile import Outcome, reconcile
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.wait import Pace
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as some

from tests.support.account import PUBLIC_KEY, Account, Api, Killed

LIMITS = Limits(workers=4, pace=Pace(first=0.0, gather=0.0), patience=5.0)
TAGS = some.none() | some.dictionaries(some.sampled_from(["Project", "Owner"]), some.sampled_from(["a", "b"]), max_size=2)
ZONES = {"web": "us-east-1a", "db": "use1-az2", "job": None}
TRIES = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def run(account: Account, options: dict[str, Any], check: bool = False, allow: int | None = None) -> Outcome:
    """One task: read, plan, apply, read back. What is refused is no case for these tests: it changes nothing."""
    try:
        return reconcile(Fleet(declare.fleet(options), Api(account, allow), LIMITS), check)
    except Refused:
        reject()


@some.composite
def rules(draw: Any, groups: list[str]) -> dict[str, Any]:
    source = draw(
        some.sampled_from([{"cidr": ["my_ip"]}, {"cidr": ["10.0.0.0/8", "2001:db8::/32"]}, *({"group": [one]} for one in groups)])
    )
    description = draw(some.sampled_from([None, "office"]))
    return {"ports": draw(some.sampled_from([["22"], ["80", "443"], ["8000-8010"]])), "description": description, **source}


@some.composite
def fleets(draw: Any) -> dict[str, Any]:
    """Options of the module fleet; sizes and zones are such that one can follow any other."""
    group_names = draw(some.lists(some.sampled_from(["front", "back", "admin"]), unique=True))
    key = draw(some.booleans())
    groups = []
    for name in group_names:
        found = draw(some.none() | some.lists(rules(group_names), max_size=3, unique_by=lambda one: (str(one["ports"]), str(one))))
        unique = {(str(one["ports"]), str(one.get("cidr")), str(one.get("group"))): one for one in found or ()}
        groups.append({"name": name, "rules": None if found is None else list(unique.values()), "tags": draw(TAGS)})
    instances = [
        draw(members(name, group_names, key)) for name in draw(some.lists(some.sampled_from(["web", "db", "job"]), unique=True, max_size=3))
    ]
    return {
        "name": "shop",
        "state": "present",
        "tags": draw(TAGS),
        "key_pairs": [{"name": "key", "public_key": PUBLIC_KEY}] if key else [],
        "security_groups": groups,
        "instances": instances,
        "prune": draw(some.booleans()),
        "delete_volumes": draw(some.booleans()),
    }


@some.composite
def options(draw: Any) -> dict[str, Any]:
    """Options of an instance that are changed in place, or with a restart."""
    return {
        "iam_instance_profile": draw(some.sampled_from([None, "", "web", "db"])),
        "monitoring": draw(some.sampled_from([None, True, False])),
        "shutdown_behavior": draw(some.sampled_from([None, "stop", "terminate"])),
        "termination_protection": draw(some.sampled_from([None, None, True, False])),
        "cpu_credits": draw(some.sampled_from([None, "standard"])),
        "ebs_optimized": draw(some.sampled_from([None, True, False])),
        "root_volume": draw(some.sampled_from([None, {"size": 8}, {"delete_on_termination": True}])),
    }


@some.composite
def members(draw: Any, name: str, groups: list[str], key: bool) -> dict[str, Any]:
    volumes = draw(some.lists(some.sampled_from(["images", "logs"]), unique=True))
    return {
        "name": name,
        "count": draw(some.sampled_from([None, 0, 1, 2])) if name == "web" else None,
        "image": draw(some.sampled_from([{"name": "debian-12-amd64-*", "owner": "136693071363"}, "ami-1", "ami-2"])),
        "instance_type": draw(some.sampled_from(["t3.micro", "t3.small"])),
        "on_change": {"instance_type": draw(some.sampled_from(["restart", "replace"])), "ebs_optimized": "restart", "image": "replace"},
        **draw(options()),
        "zone": [ZONES[name]] if ZONES[name] else None,
        "state": draw(some.sampled_from(["present", "running", "stopped", "absent"])),
        "security_groups": draw(some.none() | some.just(groups[:2])) or None,
        "elastic_ip": draw(some.sampled_from([None, True, False])),
        "volumes": [
            {"name": one, "size": 8, "type": draw(some.sampled_from(["gp3", "io2"])), "tags": draw(TAGS), "state": "present"}
            for one in volumes
        ],
        "tags": draw(TAGS),
    }


def hold_declared(account: Account, options: dict[str, Any]) -> None:
    """What the declaration names is there as it says, found out without any code of the collection: a plan is not its own judge."""
    live = {one["Tags"]["Name"]: one for one in account.live()}
    groups = {one["GroupName"]: one for one in account.groups.values()}
    volumes = {one["Tags"].get("steadfast:name"): one for one in account.volumes.values()}
    addresses = {one["Tags"]["Name"]: one for one in account.addresses.values()}
    assert {one["name"] for one in options["security_groups"]} <= set(groups)
    assert {one["name"] for one in options["key_pairs"]} <= {one["KeyName"] for one in account.key_pairs.values()}
    for declared in options["instances"]:
        count = declared["count"]
        names = [declared["name"]] if count is None else [f"{declared['name']}-{number + 1}" for number in range(count)]
        for name in names:
            if declared["state"] == "absent":
                assert name not in live
                continue
            found = live[name]
            assert found["InstanceType"] == declared["instance_type"]
            assert declared["state"] == "present" or found["State"]["Name"] == declared["state"]
            # a tag of the member counts where the fleet has the same one
            assert {**(options["tags"] or {}), **(declared["tags"] or {})}.items() <= found["Tags"].items()
            for volume in declared["volumes"]:
                assert volumes[f"{name}/{volume['name']}"]["InstanceId"] == found["InstanceId"]
            if declared["elastic_ip"] is not None:
                assert (addresses.get(name, {}).get("InstanceId") == found["InstanceId"]) is declared["elastic_ip"]


@TRIES
@given(first=fleets(), second=fleets())
def test_after_apply_nothing_is_left_to_do(first: dict[str, Any], second: dict[str, Any]) -> None:
    """Whatever was there and whatever is declared: after one run, everything is as declared, and the next plans nothing."""
    account = Account()
    for options in (first, second):
        run(account, options)
        hold_declared(account, options)
        assert not run(account, options, check=True).plan.changed


@TRIES
@given(first=fleets(), second=fleets())
def test_check_mode_says_what_apply_does_and_writes_nothing(first: dict[str, Any], second: dict[str, Any]) -> None:
    """The plan of check mode is the plan that is applied, word by word, and only Describe calls are made for it."""
    account = Account()
    for options in (first, second):
        before = len(account.calls)
        predicted = run(account, options, check=True).plan.to_result()
        assert all(call.startswith("Describe") for call in account.calls[before:])
        assert run(account, options).plan.to_result() == predicted


@TRIES
@given(options=fleets(), seed=some.integers())
def test_the_order_of_a_declaration_does_not_matter(options: dict[str, Any], seed: int) -> None:
    """Lists in a declaration are sets: any order gives the same plan."""
    shuffler = random.Random(seed)  # noqa: S311 - not for secrets
    mixed = {**options}
    for kind in ("security_groups", "instances"):
        mixed[kind] = shuffler.sample(options[kind], len(options[kind]))
    mixed["instances"] = [{**one, "volumes": shuffler.sample(one["volumes"], len(one["volumes"]))} for one in mixed["instances"]]
    account = Account()
    assert run(account, mixed, check=True).plan == run(account, options, check=True).plan


@TRIES
@given(options=fleets())
def test_what_is_not_declared_is_not_touched(options: dict[str, Any]) -> None:
    """A declaration of names alone, with every attribute left out, never changes anything that exists."""
    account = Account()
    run(account, options)
    full = declare.fleet(options)
    bare = Declaration(
        fleet=full.fleet,
        whole=True,
        security_groups=tuple(SecurityGroup(one.name) for one in full.security_groups if one.state == "present"),
        instances=tuple(Instance(one.name) for one in full.instances if one.state != "absent"),
        volumes=tuple(Volume(one.name) for one in full.volumes if one.state == "present"),
        elastic_ips=tuple(ElasticIp(one.name) for one in full.elastic_ips if one.state == "present"),
        key_pairs=tuple(replace(one, public_key=None) for one in full.key_pairs),
    )
    assert not reconcile(Fleet(bare, Api(account), LIMITS), True).plan.changed


@TRIES
@given(first=fleets(), second=fleets(), calls=some.integers(0, 40))
def test_a_run_that_is_killed_anywhere_is_finished_by_the_next(first: dict[str, Any], second: dict[str, Any], calls: int) -> None:
    """Killed after any call and run again: the same end as without, so nothing twice and nothing forgotten."""
    straight, interrupted = Account(), Account()
    for options in (first, second):
        run(straight, options)
    run(interrupted, first)
    with suppress(Killed):
        run(interrupted, second, allow=calls)
    run(interrupted, second)
    assert interrupted.summary() == straight.summary()
