# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every option of an instance: sent at launch, compared afterwards, changed in place where AWS can, refused where it cannot."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2 import declare
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.declaration import Declaration
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.fleet import Fleet
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import CallFailed, InvalidInput, NotFound, Refused
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.execute import Limits
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.reconcile import Outcome, reconcile
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.wait import Pace

from tests.support.account import Account, Api

LIMITS = Limits(workers=4, pace=Pace(first=0.0, gather=0.0), patience=0.2)
WEB = {"name": "web", "image": "ami-1", "instance_type": ["t3.micro"]}


def run(account: Account, options: dict[str, Any], check: bool = False) -> Outcome:
    """One instance without a fleet."""
    return reconcile(Fleet(Declaration(instances=(declare.instance(options),)), Api(account), LIMITS), check)


def writes(account: Account, options: dict[str, Any]) -> list[str]:
    """The calls that change something when `options` are applied."""
    before = len(account.calls)
    run(account, options)
    assert not run(account, options).plan.changed
    return [call for call in account.calls[before:] if not call.startswith("Describe")]


#: (option, at launch, later, the calls that change it while the instance runs)
IN_PLACE = [
    ("iam_instance_profile", "web", "db", ["ReplaceIamInstanceProfileAssociation"]),
    ("iam_instance_profile", "", "arn:aws:iam::1:instance-profile/x/db", ["AssociateIamInstanceProfile"]),
    ("iam_instance_profile", "web", "", ["DisassociateIamInstanceProfile"]),
    ("termination_protection", False, True, ["ModifyInstanceAttribute"]),
    ("termination_protection", True, False, ["ModifyInstanceAttribute"]),
    ("stop_protection", False, True, ["ModifyInstanceAttribute"]),
    ("shutdown_behavior", "stop", "terminate", ["ModifyInstanceAttribute"]),
    ("monitoring", False, True, ["MonitorInstances"]),
    ("monitoring", True, False, ["UnmonitorInstances"]),
    ("cpu_credits", "unlimited", "standard", ["ModifyInstanceCreditSpecification"]),
    ("root_volume", {"size": 8}, {"size": 16, "type": "io2", "iops": 500}, ["ModifyVolume"]),
    ("root_volume", {"delete_on_termination": True}, {"delete_on_termination": False}, ["ModifyInstanceAttribute"]),
]


@pytest.mark.parametrize(("option", "first", "second", "calls"), IN_PLACE)
def test_what_aws_changes_in_place(option: str, first: Any, second: Any, calls: list[str]) -> None:
    """Given at launch it takes no further call; another value is one call; the same value none; left out, it stays."""
    account = Account()
    assert writes(account, {**WEB, option: first}) == ["RunInstances"]
    assert writes(account, {**WEB, option: second}) == calls
    assert not run(account, WEB).plan.changed


@pytest.mark.parametrize(
    ("option", "first", "second", "words"),
    [
        ("private_ip", "10.0.0.5", "10.0.0.6", "another private_ip"),
        ("placement", {"tenancy": "default"}, {"tenancy": "dedicated"}, "another tenancy"),
        ("root_volume", {"size": 16}, {"size": 8}, "cannot shrink"),
        ("root_volume", {"encrypted": True}, {"encrypted": False}, "encryption of its root volume"),
        ("subnet_id", "subnet-a", "subnet-b", "another subnet_id"),
    ],
)
def test_what_is_fixed_at_launch(option: str, first: Any, second: Any, words: str) -> None:
    """Refused before anything happens, unless it is to be ignored, and then it is said."""
    account = Account()
    run(account, {**WEB, option: first})
    with pytest.raises(Refused) as caught:
        run(account, {**WEB, option: second})
    assert words in caught.value.message
    policy = "tenancy" if option == "placement" else option
    outcome = run(account, {**WEB, option: second, "on_change": {policy: "ignore"}})
    assert not outcome.plan.changed
    assert words in str(outcome.plan.to_result()["notes"])


@pytest.mark.parametrize(
    ("option", "first", "second"),
    [
        ("ebs_optimized", False, True),
        ("placement", {"group": "near"}, {"group": "far", "partition": 2}),
        ("instance_type", ["t3.micro"], ["t3.small"]),
        ("user_data", "#!/bin/sh\ntrue\n", "#!/bin/sh\nfalse\n"),
    ],
)
def test_what_needs_a_stop(option: str, first: Any, second: Any) -> None:
    """Refused on a running instance, done with a stop and a start where that is allowed, done at once on a stopped one."""
    account = Account()
    run(account, {**WEB, option: first})
    with pytest.raises(Refused) as caught:
        run(account, {**WEB, option: second})
    assert f"{{{option}: restart}}" in caught.value.message
    calls = writes(account, {**WEB, option: second, "on_change": {option: "restart"}})
    assert [call for call in calls if call in ("StopInstances", "StartInstances")] == ["StopInstances", "StartInstances"]
    assert [one["State"]["Name"] for one in account.live()] == ["running"]


def test_a_root_volume_smaller_than_its_image_is_refused() -> None:
    """AWS would refuse the launch; the plan does it before anything is made."""
    account = Account()
    with pytest.raises(InvalidInput) as caught:
        run(account, {**WEB, "root_volume": {"size": 4}})
    assert "8 GiB in ami-1" in caught.value.message


def test_what_is_protected_against_termination_is_refused_in_the_plan() -> None:
    """Not by an error of the API half-way; the declaration can lift it."""
    account = Account()
    run(account, {**WEB, "termination_protection": True})
    for check in (True, False):
        with pytest.raises(Refused) as caught:
            run(account, {"name": "web", "state": "absent"}, check)
        assert "protected against termination" in caught.value.message
    assert "TerminateInstances" not in account.calls
    run(account, {"name": "web", "state": "absent", "termination_protection": False})
    assert account.live() == []


def test_a_protected_member_keeps_the_fleet_from_going() -> None:
    """A fleet declared absent is refused as a whole while one of its instances is protected."""
    account = Account()
    members = [{**WEB, "termination_protection": True}, {**WEB, "name": "other"}]
    options = {"name": "shop", "state": "present", "instances": members}
    reconcile(Fleet(declare.fleet(options), Api(account), LIMITS), False)
    with pytest.raises(Refused):
        reconcile(Fleet(declare.fleet({"name": "shop", "state": "absent"}), Api(account), LIMITS), False)
    assert len(account.live()) == 2


def test_what_is_protected_against_stops_is_not_stopped() -> None:
    """Neither for a state nor for a restart, unless the same declaration lifts the protection."""
    account = Account()
    run(account, {**WEB, "stop_protection": True})
    for options in ({"state": "stopped"}, {"instance_type": ["t3.small"], "on_change": {"instance_type": "restart"}}):
        with pytest.raises(Refused) as caught:
            run(account, {"name": "web", "stop_protection": True, **options})
        assert "protected against it" in caught.value.message
    run(account, {"name": "web", "stop_protection": False, "state": "stopped"})
    assert account.live()[0]["State"]["Name"] == "stopped"


def test_an_instance_profile_that_is_not_known_yet_is_tried_again() -> None:
    """IAM tells EC2 about a new profile some seconds later; a wrong name fails with the API's words."""
    account = Account()
    with pytest.raises(CallFailed) as caught:
        run(account, {**WEB, "iam_instance_profile": "lost"})
    assert "Invalid IAM Instance Profile" in caught.value.message
    assert account.calls.count("RunInstances") > 1


def test_user_data_come_plain_in_base64_or_from_a_file(tmp_path: Path) -> None:
    """The same content is the same, however it is given; bytes that are no text arrive as they are."""
    account = Account()
    text = "#!/bin/sh\necho hunter2\n"
    file = tmp_path / "first-boot"
    file.write_text(text)
    run(account, {**WEB, "user_data_file": str(file)})
    for same in ({"user_data": text}, {"user_data_base64": base64.b64encode(text.encode()).decode()}, {"user_data_file": str(file)}):
        assert not run(account, {**WEB, **same}).plan.changed
    other = base64.b64encode(b"\x1f\x8b\xff").decode()
    outcome = run(account, {**WEB, "name": "packed", "user_data_base64": other})
    assert [one["UserData"] for one in account.hidden.values()] == [text.encode(), b"\x1f\x8b\xff"]
    assert other not in str(outcome.plan.to_result())


def test_user_data_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    """A missing file and broken base64 fail before the first change."""
    account = Account()
    with pytest.raises(NotFound) as missing:
        run(account, {**WEB, "user_data_file": str(tmp_path / "lost")})
    assert "lost" in missing.value.message
    with pytest.raises(InvalidInput) as broken:
        run(account, {**WEB, "user_data_base64": "no base64!"})
    assert "not base64" in broken.value.message
    assert account.live() == []


def test_user_data_that_no_tag_records_are_compared_with_the_api() -> None:
    """An instance that somebody else launched: what it has is asked for, so a difference is never passed over."""
    account = Account()
    run(account, {**WEB, "user_data": "old"})
    for key in [key for key in account.live()[0]["Tags"] if key.startswith("steadfast:")]:
        del account.live()[0]["Tags"][key]
    assert not run(account, {**WEB, "user_data": "old"}).plan.changed
    with pytest.raises(Refused):
        run(account, {**WEB, "user_data": "new"})


def test_groups_of_an_instance_with_several_interfaces_are_set_on_the_first() -> None:
    """A second interface does not keep the groups of the first from being declared."""
    account = Account()
    run(account, WEB)
    second = {"NetworkInterfaceId": "eni-second", "Attachment": {"DeviceIndex": 1}, "Groups": []}
    account.live()[0]["MoreInterfaces"] = [second]
    group = account.add_group("front", "front", {})
    assert writes(account, {**WEB, "security_groups": ["front"]}) == ["ModifyNetworkInterfaceAttribute"]
    assert account.live()[0]["Groups"] == [group]


def test_questions_are_asked_only_where_something_is_declared() -> None:
    """Attributes that cost a call for each instance are read only for those that declare them."""
    account = Account()
    run(account, WEB)
    before = len(account.calls)
    run(account, {**WEB, "monitoring": False, "iam_instance_profile": "", "ebs_optimized": False, "root_volume": {"size": 8}})
    assert "DescribeInstanceAttribute" not in account.calls[before:]
    assert len(account.calls) - before <= 6
