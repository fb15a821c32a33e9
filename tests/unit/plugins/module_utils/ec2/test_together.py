# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is the same for many members is one call, whatever their number."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2 import declare
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.fleet import Fleet
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import CallFailed, PartlyApplied
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.execute import Limits
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.reconcile import reconcile
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.wait import Pace

from tests.support.account import Account, Api

LIMITS = Limits(pace=Pace(first=0.0, gather=0.0), patience=5.0)
MEMBERS = 20


def shop(**changes: Any) -> dict[str, Any]:
    """A fleet of equal members, each with a volume and an address."""
    member = {
        "name": "web",
        "count": MEMBERS,
        "image": {"name": "debian-12-amd64-*", "owner": "136693071363"},
        "instance_type": "t3.micro",
        "zone": ["us-east-1a"],
        "elastic_ip": True,
        "volumes": [{"name": "images", "size": 8, "state": "present"}],
        **changes.pop("member", {}),
    }
    return {"name": "shop", "state": "present", "instances": [member], **changes}


def writes(account: Account, options: dict[str, Any], api: type[Api] = Api) -> Counter[str]:
    """What one run does to the account, beside looking."""
    before = len(account.calls)
    reconcile(Fleet(declare.fleet(options), api(account), LIMITS), False)
    return Counter(call for call in account.calls[before:] if not call.startswith("Describe"))


@pytest.fixture
def account() -> Account:
    """An account in which the shop runs."""
    account = Account()
    writes(account, shop())
    return account


def test_equal_tags_are_one_call(account: Account) -> None:
    """A tag for the whole fleet reaches every instance, interface, volume and address by one CreateTags, and leaves by one DeleteTags."""
    assert writes(account, shop(tags={"Project": "moso"})) == Counter(CreateTags=1)
    assert writes(account, shop(tags={})) == Counter(DeleteTags=1)


def test_stop_start_and_terminate_take_lists(account: Account) -> None:
    """Twenty members are stopped by one call, started by one, and terminated by one."""
    assert writes(account, shop(member={"state": "stopped"})) == Counter(StopInstances=1)
    assert writes(account, shop(member={"state": "running"})) == Counter(StartInstances=1)
    gone = writes(account, {"name": "shop", "state": "absent"})
    assert gone["TerminateInstances"] == 1
    assert not account.live()


class Stubborn(Api):
    """One instance may not be terminated, and with it no request that names it."""

    def _TerminateInstances(self, params: Any) -> Any:  # noqa: N802 - the operation's name
        if min(one["InstanceId"] for one in self.account.live()) in params["InstanceIds"]:
            raise CallFailed("it is protected", code="OperationNotPermitted")
        super()._TerminateInstances(params)


def test_one_that_is_refused_does_not_keep_the_others(account: Account) -> None:
    """The rest of the batch goes, and the error names the one that stays."""
    kept = min(one["InstanceId"] for one in account.live())
    with pytest.raises((CallFailed, PartlyApplied)) as caught:
        writes(account, {"name": "shop", "state": "absent"}, Stubborn)
    assert [one["InstanceId"] for one in account.live()] == [kept]
    assert any(one["kind"] == "instance" for one in caught.value.details["failed_changes"])
