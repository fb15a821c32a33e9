# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What belongs to nobody, described and applied: it is the fleet's then, and nothing else about it is another."""

from __future__ import annotations

import copy
from typing import Any

from ansible_collections.steadfast.ec2.plugins.module_utils.ec2 import declare
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.fleet import Fleet
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.reconcile import Outcome, reconcile
from hypothesis import given

from tests.support.account import Account, Api

from .test_fleet import FULL
from .test_properties import LIMITS, TRIES, fleets, run
from .test_to_declaration import described, options


def every(account: Account) -> list[dict[str, Any]]:
    """All that can be a fleet's."""
    kinds = (account.instances, account.volumes, account.addresses, account.key_pairs, account.groups)
    return [one for kind in kinds for one in kind.values()]


def disowned(account: Account) -> None:
    """As if it had been made by hand."""
    for one in every(account):
        one["Tags"] = {key: value for key, value in one["Tags"].items() if not key.startswith("steadfast:")}


def without_ownership(account: Account) -> list[dict[str, Any]]:
    """Everything but the tags by which a fleet knows its own."""
    found = copy.deepcopy(every(account))
    for one in found:
        one["Tags"] = {key: value for key, value in one["Tags"].items() if not key.startswith("steadfast:") and key != "Name"}
    return found


def applied(account: Account, declaration: dict[str, Any]) -> Outcome:
    """Nothing is caught: a refusal is a failure too."""
    return reconcile(Fleet(declare.fleet(declaration), Api(account), LIMITS), False)


@TRIES
@given(declared=fleets())
def test_whatever_is_described_is_taken_over_by_tags_alone(declared: dict[str, Any]) -> None:
    """Afterwards it is owned, described by the same words without adopt, and there is nothing left to do."""
    account = Account()
    run(account, declared)
    disowned(account)
    selected = [{"Name": "instance-id", "Values": sorted(one["InstanceId"] for one in account.live())}]
    found = described(account, filters=selected)
    before, calls = without_ownership(account), len(account.calls)
    applied(account, options(found))
    assert without_ownership(account) == before
    assert {call for call in account.calls[calls:] if not call.startswith("Describe")} <= {"CreateTags"}
    own = described(account).declaration
    assert own == {name: value for name, value in found.declaration.items() if name != "adopt"}
    assert not applied(account, options(found)).plan.changed


def test_names_of_ones_own_stay() -> None:
    """A volume that is called otherwise is found by its device, and keeps its Name tag; an address says so in a note."""
    account = Account()
    run(account, FULL)
    disowned(account)
    for one in account.volumes.values():
        one["Tags"]["Name"] = f"disk {one['Tags']['Name']}"
    for number, one in enumerate(account.addresses.values()):
        one["Tags"]["Name"] = f"entry {number}"
    names = {one["VolumeId"]: one["Tags"]["Name"] for one in account.volumes.values()}
    found = described(account, filters=[{"Name": "tag:Project", "Values": ["moso"]}])
    assert "its Name tag will read web-1" in "\n".join(found.notes)
    applied(account, options(found))
    assert {one["VolumeId"]: one["Tags"]["Name"] for one in account.volumes.values()} == names
    owned = [one["Tags"]["steadfast:name"] for one in account.volumes.values() if "steadfast:name" in one["Tags"]]
    assert len(owned) == 4
    assert len({one["Tags"]["steadfast:name"] for one in account.addresses.values()}) == 2
