# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every module, every kind of change: check → apply → apply → check gives changed yes, yes, no, no; and the permissions that it took."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.loaders
import pytest
import yaml

from tests.support import permissions
from tests.support.sandbox import CHECKOUT, Sandbox

from .conftest import Playbook
from .recorder import Recorder, make_profiles, recording
from .stories import BACKUPS, BY_PLAYBOOK, MORE, REST, STORIES

PAGE = CHECKOUT / "docs" / "iam.md"
#: A fleet is made of these, so it needs what they need.
PARTS = ("key_pair", "security_group", "instance", "volume", "elastic_ip")
#: What is called only for what the sandbox does not show: it has spot instances, but no requests for them.
UNSEEN = {"instance": {"CancelSpotInstanceRequests"}}


@pytest.fixture(scope="module")
def recorder(ec2_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorder]:
    """One for all tests here, so that what the stories called is known when the page of permissions is looked at."""
    with recording(ec2_sandbox, tmp_path_factory.mktemp("home")) as found:
        yield found


@pytest.mark.parametrize("story", STORIES)
def test_four_ways(story: str, recorder: Recorder) -> None:
    """changed = yes, yes, no, no; the diffs of check and apply are equal; checks write nothing; no warnings."""
    recorder.four_ways(story, STORIES[story])


@pytest.mark.parametrize("story", BACKUPS)
def test_four_ways_of_backups(story: str, recorder: Recorder) -> None:
    """The same for snapshots and images; retention leaves as many as it should."""
    recorder.four_ways(story, BACKUPS[story])
    left = recorder.sandbox.client().describe_snapshots(OwnerIds=["self"])["Snapshots"]
    assert len(left) == {"snapshot": 1, "image": 2}[story]


def test_four_ways_of_the_rest(recorder: Recorder) -> None:
    """The same for spot, places without room, status checks, profiles, volumes for several, rules by id, interfaces, and adoption."""
    sandbox = recorder.sandbox
    sandbox.reset()
    make_profiles(sandbox)
    ec2 = sandbox.client()
    subnet = next(one for one in ec2.describe_subnets()["Subnets"] if one["CidrBlock"] == "172.31.0.0/20")["SubnetId"]
    for number, name in enumerate(("by-hand", "second", "adopted")):
        tags = [{"ResourceType": "network-interface", "Tags": [{"Key": "Name", "Value": name}]}]
        ips = [{"PrivateIpAddress": f"172.31.{number}.77", "Primary": True}, {"PrivateIpAddress": f"172.31.{number}.78", "Primary": False}]
        interface = ec2.create_network_interface(SubnetId=subnet, PrivateIpAddresses=ips, TagSpecifications=tags)["NetworkInterface"]
    ec2.associate_address(AllocationId=ec2.allocate_address()["AllocationId"], NetworkInterfaceId=interface["NetworkInterfaceId"])
    sandbox.faults(no_capacity="t3.nano,us-east-1a/t3.small")
    try:
        recorder.four_ways("rest", REST, reset=False)
    finally:
        sandbox.faults(no_capacity="")
    found = {tag["Value"]: one for one in every_instance(ec2) for tag in one["Tags"] if tag["Key"] == "Name"}
    assert (found["another-type"]["InstanceType"], found["another-zone"]["Placement"]["AvailabilityZone"]) == ("t3.micro", "us-east-1b")
    assert found["cheap"]["InstanceLifecycle"] == "spot"


def every_instance(ec2: Any) -> list[dict[str, Any]]:
    return [one for reservation in ec2.describe_instances()["Reservations"] for one in reservation["Instances"]]


def test_four_ways_by_a_playbook(playbook: Playbook) -> None:
    """One of each kind as people run it, by ansible-playbook: the same four answers."""
    playbook.four_ways("playbook", BY_PLAYBOOK)


@pytest.fixture(scope="module")
def recorded(recorder: Recorder) -> Recorder:
    """The recorder when every story was told."""
    for name, steps in {**STORIES, **BACKUPS}.items():
        recorder.four_ways(name, steps)
    recorder.once("more", MORE)
    for module, operations in UNSEEN.items():
        recorder.operations |= operations
        recorder.needed[module] |= {f"ec2:{operation}" for operation in operations}
    recorder.needed["fleet"].update(*(recorder.needed[part] for part in PARTS))
    return recorder


def test_the_page_says_what_the_modules_call(recorded: Recorder) -> None:
    """Every permission that a module needs is in its policy, and none that it does not."""
    made = permissions.policies(recorded.needed)
    intro, mark, written = PAGE.read_text().partition(permissions.MARK)
    if os.environ.get("STEADFAST_WRITE_DOCS"):
        PAGE.write_text(intro + made)
        return
    assert mark + written == made


def test_every_module_has_a_policy(recorded: Recorder) -> None:
    """Whatever can be given credentials is on the page."""
    runtime = yaml.safe_load((CHECKOUT / "meta" / "runtime.yml").read_text())
    assert set(recorded.needed) == {str(name) for name in runtime["action_groups"]["ec2"]}


def test_no_operation_is_left_out(recorded: Recorder) -> None:
    """Each operation of EC2 that the code names was called by some story, so that the page knows of it."""
    known = set(botocore.loaders.Loader().load_service_model("ec2", "service-2")["operations"])
    named = {
        node.value
        for path in Path(CHECKOUT, "plugins", "module_utils", "ec2").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in known
    }
    assert named - recorded.operations == set()
