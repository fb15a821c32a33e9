# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Snapshots and images: check → apply → apply → check, and what is never deleted, never made twice, never half done."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.sandbox import Sandbox, eventually

from .conftest import Playbook, Step
from .stories import ACCOUNT, GOLD, SNAP, VOLUME, WEB


def test_what_is_in_use_or_protected_is_never_deleted(playbook: Playbook) -> None:
    """By an image, an instance, a launch template, or by its tag: refused where it is named, kept and noted by retention."""
    ec2 = playbook.sandbox.client()
    protected = {"steadfast:protected": "true"}
    setup = [
        VOLUME,
        ("snapshot", {**SNAP, "name": "data-1", "series": "s"}),
        ("snapshot", {**SNAP, "name": "data-2", "series": "s", "tags": protected}),
        ("snapshot", {**SNAP, "name": "data-3", "series": "s"}),
        ("instance", WEB),
        ("image", {**GOLD, "name": "used", "series": "i"}),
        ("image", {**GOLD, "name": "templated", "series": "i"}),
        ("image", {**GOLD, "name": "newest", "series": "i"}),
    ]
    # The time of an image has whole seconds, and of two from one second none is the newest.
    tasks = [*_tasks(setup[:-1]), {"ansible.builtin.pause": {"seconds": 1}}, *_tasks(setup[-1:])]
    answers = playbook.run(tasks)
    made = {options["name"]: answer.result for (_kind, options), answer in zip(setup, [*answers[:-2], answers[-1]], strict=True)}
    assert [result.get("msg") for result in made.values()] == [None] * len(setup)
    used, templated = made["used"]["image"]["id"], made["templated"]["image"]["id"]
    disk = [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": made["data-1"]["snapshot"]["id"]}}]
    ec2.register_image(Name="restored", RootDeviceName="/dev/xvda", BlockDeviceMappings=disk)
    ec2.create_launch_template(LaunchTemplateName="blue", LaunchTemplateData={"ImageId": templated})
    ec2.run_instances(ImageId=used, InstanceType="t3.micro", MinCount=1, MaxCount=1)
    refused = [(kind, {"name": name, "state": "absent"}) for kind, name in _PROTECTED]
    kept = [("snapshot", {"series": "s", "keep": {"newest": 1}}), ("image", {"series": "i", "keep": {"newest": 1}})]
    answers = playbook.run(_tasks([*refused, *kept]))
    for (_kind, name), answer in zip(_PROTECTED, answers, strict=False):
        assert answer.result["failed"], name
        assert _PROTECTED[_kind, name] in answer.result["msg"]
    for answer in answers[-2:]:
        assert (answer.result["changed"], len(answer.result["notes"])) == (False, 2)
    assert [answer.writes for answer in answers] == [[]] * 6


#: {(kind, name): what the refusal says}
_PROTECTED = {
    ("snapshot", "data-1"): "found image ami-",
    ("snapshot", "data-2"): "steadfast:protected=true",
    ("image", "used"): "found instance i-",
    ("image", "templated"): "found launch template blue",
}


def _tasks(steps: list[Step]) -> list[dict[str, Any]]:
    return [{f"steadfast.ec2.{module}": options} for module, options in steps]


@pytest.mark.long
def test_a_lost_answer_makes_nothing_twice(playbook: Playbook) -> None:
    """CreateSnapshot has no token: its tags tell that it was carried out. An image is known by its name."""
    sandbox = playbook.sandbox
    assert [answer.result.get("msg") for answer in playbook.run(_tasks([VOLUME, ("instance", WEB)]))] == [None, None]
    for module, options in (("snapshot", SNAP), ("image", GOLD), ("image", {"name": "copy", "copy_from": {"image": "web-gold"}})):
        sandbox.faults(lose_responses=1)
        [answer] = playbook.run(_tasks([(module, options)]))
        assert (answer.result.get("msg"), answer.result["changed"]) == (None, True), (module, answer.result)
    ec2 = sandbox.client()
    assert sorted(one["Name"] for one in ec2.describe_images(Owners=["self"])["Images"]) == ["copy", "web-gold"]
    assert len(ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]) == 3


def test_the_snapshots_of_an_image_are_no_snapshots_of_their_own(playbook: Playbook) -> None:
    """They carry its tags, but neither its name nor its series finds them, so nothing takes them for something declared."""
    steps = [
        VOLUME,
        ("instance", WEB),
        ("image", {**GOLD, "series": "s", "tags": {"Role": "web"}}),
        ("image", {**GOLD, "series": "t", "tags": {"Role": "db"}}),
        ("snapshot", {"name": "web-gold", "volume": "data", "series": "t", "keep": {"newest": 1}}),
    ]
    answers = playbook.run(_tasks(steps))
    assert [answer.result.get("msg") for answer in answers] == [None] * len(steps)
    assert answers[-1].result["summary"] == "Plan: 1 to create."
    found = playbook.sandbox.client().describe_snapshots(OwnerIds=["self"])["Snapshots"]
    [part] = [tags for one in found if "steadfast:image" in (tags := {tag["Key"]: tag["Value"] for tag in one["Tags"]})]
    assert part == {"Name": "web-gold", "Role": "db", "steadfast:image": "web-gold"}


@pytest.mark.long
def test_what_another_run_began_is_waited_for(playbook: Playbook) -> None:
    """A snapshot that is pending is not taken for one that is complete."""
    assert playbook.run(_tasks([VOLUME]))[0].result["changed"]
    with playbook.sandbox.held():
        begun, planned, late = playbook.run(
            [
                {"steadfast.ec2.snapshot": {**SNAP, "wait": False}},
                {"steadfast.ec2.snapshot": SNAP, "check_mode": True},
                {"steadfast.ec2.snapshot": {**SNAP, "wait_timeout": 1}},
            ]
        )
    assert begun.result["snapshot"]["state"] == "pending"
    assert [(one["before"], one["after"]) for one in planned.result["plan"][0]["attributes"]] == [("pending", "completed")]
    assert late.result["error"]["code"] == "TimedOut"
    eventually(lambda: _states(playbook.sandbox) == ["completed"])
    [now] = playbook.run(_tasks([("snapshot", SNAP)]))
    assert (now.result["changed"], now.result["snapshot"]["state"], now.writes) == (False, "completed", [])


def _states(sandbox: Sandbox) -> list[str]:
    return [one["State"] for one in sandbox.client().describe_snapshots(OwnerIds=["self"])["Snapshots"]]


def test_nothing_to_do_is_one_call_and_what_is_there_can_be_looked_up(playbook: Playbook) -> None:
    """The twins return what the modules return; with whom each is shared costs a call more, only if asked for."""
    steps = [VOLUME, ("snapshot", {**SNAP, "series": "s", "share_with": [ACCOUNT]}), ("instance", WEB), ("image", {**GOLD, "series": "s"})]
    asked: list[Step] = [
        ("snapshot", SNAP),
        ("image", GOLD),
        ("snapshot_info", {"series": "s", "sharing": True}),
        ("snapshot_info", {"names": ["nothing"]}),
        ("image_info", {"names": ["web-*"]}),
        ("image_info", {"owners": ["136693071363"]}),
    ]
    answers = playbook.run(_tasks([*steps, *asked]))
    snapshot, image = (_as_it_is(answers[place].result[kind]) for place, kind in ((1, "snapshot"), (3, "image")))
    same, same_image, shared, none, own, debian = answers[len(steps) :]
    assert [(len(answer.calls), answer.result["changed"]) for answer in (same, same_image)] == [(1, False), (1, False)]
    assert shared.result["snapshots"] == [snapshot]
    assert (snapshot["shared_with"], len(shared.calls)) == ([ACCOUNT], 2)
    assert none.result["snapshots"] == []
    assert own.result["images"] == [image]
    assert debian.result["images"][0]["name"].startswith("debian-12-")


def _as_it_is(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name != "planned"}
