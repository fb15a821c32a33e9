# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What exists without a fleet becomes a fleet's by its tags alone, and only where that is asked for."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2 import declare
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.declaration import Declaration
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.fleet import Fleet
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import Ambiguous
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.execute import Limits
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.reconcile import Outcome, reconcile
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.wait import Pace

from tests.support.account import PUBLIC_KEY, Account, Api, Killed

LIMITS = Limits(workers=4, pace=Pace(first=0.0, gather=0.0), patience=1.0)
WEB = {
    "name": "web",
    "image": "ami-1",
    "instance_type": ["t3.micro"],
    "key_pair": "key",
    "security_groups": ["front"],
    "elastic_ip": True,
    "volumes": [{"name": "images", "size": 8}, {"name": "logs", "size": 1, "device": "/dev/sdz"}],
}
SHOP = {
    "name": "shop",
    "state": "present",
    "key_pairs": [{"name": "key", "public_key": PUBLIC_KEY}],
    "security_groups": [{"name": "front", "rules": [{"ports": ["22"], "cidr": ["10.0.0.0/8"]}]}],
    "instances": [WEB],
}
ADOPT = {**SHOP, "adopt": True}


def run(account: Account, options: dict[str, Any], check: bool = False, allow: int | None = None) -> Outcome:
    return reconcile(Fleet(declare.fleet(options), Api(account, allow), LIMITS), check)


def every(account: Account) -> list[dict[str, Any]]:
    kinds = (account.instances, account.volumes, account.addresses, account.key_pairs, account.groups)
    return [one for kind in kinds for one in kind.values() if one.get("GroupName") != "default"]


def unowned() -> Account:
    """An account in which somebody made by hand what the fleet declares, with Name tags of their own taste."""
    account = Account()
    run(account, SHOP)
    for one in every(account):
        name = {"web-logs": "whatever", "web-root": "root of web"}.get(one["Tags"].get("Name", ""), one["Tags"].get("Name"))
        one["Tags"] = {"Name": name, "Team": "a"}
    return account


def test_only_tags_are_put_on_what_is_there() -> None:
    """Instance, volumes by name and by device, address, group and key pair; the plan shows the tags, and nothing else is done."""
    account = unowned()
    before, ids = len(account.calls), sorted(str(one) for one in (*account.instances, *account.volumes, *account.addresses))
    predicted = run(account, ADOPT, check=True).plan.to_result()
    outcome = run(account, ADOPT)
    assert outcome.plan.to_result() == predicted
    assert {(one["kind"], one["name"]) for one in predicted["plan"]} == {
        ("key_pair", "key"),
        ("security_group", "front"),
        ("instance", "web"),
        ("volume", "web/images"),
        ("volume", "web/logs"),
        ("elastic_ip", "web"),
    }
    for one in predicted["plan"]:
        assert [attribute["name"] for attribute in one["attributes"]] == ["tags"]
        assert one["attributes"][0]["after"]["steadfast:fleet"] == "shop"
        assert "adopted" in one["reasons"][0]
    assert {call for call in account.calls[before:] if not call.startswith("Describe")} == {"CreateTags"}
    assert sorted(str(one) for one in (*account.instances, *account.volumes, *account.addresses)) == ids
    assert not run(account, SHOP).plan.changed


def test_nothing_is_adopted_unasked() -> None:
    """Without adopt a fleet makes its own, and does not touch the stranger of the same name."""
    account = unowned()
    [stranger] = account.live()
    tags = dict(stranger["Tags"])
    planned = run(account, SHOP, check=True).plan
    assert ("create", "instance", "web") in [(one.action, one.kind, one.name) for one in planned.effective]
    assert stranger["Tags"] == tags


def test_two_that_could_be_meant_are_named_both() -> None:
    """Nobody guesses which of two is the one; nothing is changed."""
    account = unowned()
    [one] = account.live()
    twin = {**one, "InstanceId": "i-twin", "Tags": dict(one["Tags"])}
    account.instances["i-twin"], account.hidden["i-twin"] = twin, dict(account.hidden[one["InstanceId"]])
    before = len(account.calls)
    with pytest.raises(Ambiguous) as caught:
        run(account, ADOPT)
    assert one["InstanceId"] in caught.value.message
    assert "i-twin" in caught.value.message
    assert all(call.startswith("Describe") for call in account.calls[before:])


def test_what_another_fleet_owns_is_not_adopted() -> None:
    """The same Name tag in another fleet is another thing."""
    account = Account()
    run(account, {**SHOP, "name": "other"})
    planned = run(account, {**ADOPT, "key_pairs": [], "security_groups": []}, check=True).plan
    assert ("create", "instance", "web") in [(one.action, one.kind, one.name) for one in planned.effective]


def test_a_single_resource_is_adopted_into_a_fleet() -> None:
    """The module of one kind, with fleet and adopt."""
    account = unowned()
    declaration = Declaration(fleet="shop", adopt=True, instances=(declare.instance({"name": "web"}),))
    outcome = reconcile(Fleet(declaration, Api(account), LIMITS), False)
    assert [(one.action, one.kind, one.name) for one in outcome.plan.effective] == [("update", "instance", "web")]
    assert account.live()[0]["Tags"]["steadfast:name"] == "web"


@pytest.mark.parametrize("calls", range(8, 24))
def test_killed_anywhere_the_next_run_adopts_the_rest(calls: int) -> None:
    """Half adopted is no other state: what is owned is owned, and the rest follows."""
    account = unowned()
    with suppress(Killed):
        run(account, ADOPT, allow=calls)
    run(account, ADOPT)
    assert not run(account, SHOP).plan.changed
    assert len(account.live()) == 1
