# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Drift of an account: found with expected and actual, without a call that writes, and without what only looks like drift."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.drift import Checks, Outcome
from tests.support.sandbox import Sandbox, api_only_sandbox, eventually

PLAYBOOK = "steadfast.ec2.drift"
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJSN2Nu/2AhHGSBzD1RnEk4kpUpp4ZvfQeFzPjSzqwYb me"


def declared(**instance: Any) -> dict[str, Any]:
    """The variables of a site with one machine, two volumes, an address and a group."""
    web = {
        "name": "web",
        "image": {"name": "debian-12-amd64-*", "owner": "136693071363"},
        "instance_type": "t3.micro",
        "zone": "us-east-1a",
        "security_groups": ["web"],
        "elastic_ip": True,
        "tags": {"Role": "web", "costCentre": "A b"},
        "volumes": [{"name": "images", "size": 1, "device": "/dev/sdf"}, {"name": "logs", "size": 1, "device": "/dev/sdg"}],
    }
    return {
        "site_fleet": "moso",
        "site_connection": {"region": "us-east-1"},
        "site_tags": {"Project": "moso"},
        "site_key_pairs": [{"name": "moso", "public_key": PUBLIC_KEY}],
        "site_security_groups": [{"name": "web", "rules": [{"ports": [80], "cidr": "0.0.0.0/0"}, {"ports": [22], "cidr": "10.0.0.0/8"}]}],
        "site_instances": [{**web, **instance}],
    }


class Account:
    """An account with the fleet in it, and its checks."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox = sandbox
        self.checks = Checks(folder, ["localhost"])

    def declare(self, **instance: Any) -> None:
        (self.checks.folder / "site.yaml").write_text(yaml.safe_dump(declared(**instance)))

    def use(self, command: str, playbook: str) -> Outcome:
        options = ["-e", "@site.yaml", "--limit", "localhost", playbook]
        return self.checks.use(command, ansible=options, **self.sandbox.environment)

    def apply(self) -> None:
        outcome = self.use("apply", "steadfast.ec2.provision")
        assert outcome.code == 0, outcome.text

    def check(self) -> Outcome:
        """A check; it makes a few calls that read, and none that write."""
        since = self.sandbox.call_count
        outcome = self.use("run", PLAYBOOK)
        assert self.sandbox.writes(since) == []
        assert len(self.sandbox.calls(since)) <= 10
        return outcome


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """The fleet is there, as declared; tests put back what they change."""
    folder = tmp_path_factory.mktemp("account")
    with api_only_sandbox(folder / "sandbox") as sandbox:
        account = Account(sandbox, folder)
        account.declare()
        account.apply()
        yield account


def instance_of(account: Account) -> dict[str, Any]:
    filters = [{"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}]
    (found,) = [one for each in account.sandbox.client().describe_instances(Filters=filters)["Reservations"] for one in each["Instances"]]
    return dict(found)


def volume_of(account: Account, name: str) -> dict[str, Any]:
    (found,) = account.sandbox.client().describe_volumes(Filters=[{"Name": "tag:Name", "Values": [f"*{name}*"]}])["Volumes"]
    return dict(found)


def test_what_was_applied_is_in_sync(account: Account) -> None:
    """The root volume of the image, what AWS fills in, the order of volumes, the case of tags, and foreign things are no drift."""
    client = account.sandbox.client()
    other = client.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    images, logs = volume_of(account, "images"), volume_of(account, "logs")
    for volume in (images, logs):
        client.detach_volume(VolumeId=volume["VolumeId"])
        eventually(lambda volume=volume: client.describe_volumes(VolumeIds=[volume["VolumeId"]])["Volumes"][0]["State"] == "available")
    for volume, device in ((logs, "/dev/sdg"), (images, "/dev/sdf")):  # back in another order
        client.attach_volume(VolumeId=volume["VolumeId"], InstanceId=instance_of(account)["InstanceId"], Device=device)
        eventually(lambda volume=volume: client.describe_volumes(VolumeIds=[volume["VolumeId"]])["Volumes"][0]["State"] == "in-use")
    outcome = account.check()
    client.delete_volume(VolumeId=other)
    assert [(one["resource"], one["attributes"]) for one in outcome.report["findings"]] == []
    assert outcome.code == 0, outcome.text


def test_each_change_by_hand_is_reported_once(account: Account) -> None:
    """A tag, a rule, a detached volume: three findings with expected and actual, and nothing else; put back, it is clean."""
    client = account.sandbox.client()
    instance, volume = instance_of(account), volume_of(account, "images")
    group = client.describe_security_groups(GroupNames=["web"])["SecurityGroups"][0]["GroupId"]
    rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    client.create_tags(Resources=[instance["InstanceId"]], Tags=[{"Key": "Role", "Value": "db"}])
    client.revoke_security_group_ingress(GroupId=group, IpPermissions=[rule])
    client.detach_volume(VolumeId=volume["VolumeId"])
    eventually(lambda: client.describe_volumes(VolumeIds=[volume["VolumeId"]])["Volumes"][0]["State"] == "available")
    outcome = account.check()
    assert outcome.code == 2, outcome.text
    found = {one["resource_kind"]: one for one in outcome.of("drift")}
    assert len(found) == len(outcome.report["findings"]) == 3, outcome.text
    assert found["security_group"]["severity"] == "high"
    assert "10.0.0.0/8" in str(found["security_group"]["attributes"])
    (tag,) = found["instance"]["attributes"]
    assert (tag["path"], tag["expected"], tag["actual"]) == ("tags.Role", "web", "db")
    assert found["instance"]["severity"] == "low"
    account.apply()
    clean = account.check()
    assert (clean.code, len(clean.report["resolved"])) == (0, 3), clean.text


def test_what_the_code_changed_is_pending_and_what_the_system_changed_is_drift(account: Account) -> None:
    """After a change of the declaration that is not applied: pending, exit code 0; what somebody did by hand meanwhile: drift."""
    account.declare(tags={"Role": "shop", "costCentre": "A b"})
    pending = account.check()
    resources = ["elastic_ip web", "instance web", "volume web/images", "volume web/logs"]  # its tags are those of its parts, too
    assert [one["resource"] for one in pending.of("pending")] == resources, pending.text
    assert (pending.of("drift"), pending.code) == ([], 0)
    client = account.sandbox.client()
    group = client.describe_security_groups(GroupNames=["web"])["SecurityGroups"][0]["GroupId"]
    rule = {"IpProtocol": "tcp", "FromPort": 23, "ToPort": 23, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    client.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    both = account.check()
    assert [one["resource"] for one in both.of("pending")] == resources
    assert [one["resource_kind"] for one in both.of("drift")] == ["security_group"]
    assert both.code == 2
    account.apply()
    assert account.check().code == 0


def test_the_playbook_changes_nothing_even_without_check(account: Account) -> None:
    """`ansible-playbook steadfast.ec2.drift` without --check makes no call that writes: its plays are in check mode by themselves."""
    account.declare(tags={"Role": "not applied"})
    since = account.sandbox.call_count
    done = account.checks.play(PLAYBOOK, "-e", "@site.yaml", "--limit", "localhost", **account.sandbox.environment)
    account.declare()
    assert "changed=1" in done.stdout, done.stdout + done.stderr
    assert account.sandbox.writes(since) == []
