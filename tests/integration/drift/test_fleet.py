# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Drift of an account: found with expected and actual, without a call that writes, and without what only looks like drift."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
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
        "state": "running",
        "iam_instance_profile": "arn:aws:iam::123456789012:instance-profile/app/web",
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


@dataclass
class Account:
    """An account with the fleet in it, what somebody does there by hand, and its checks."""

    sandbox: Sandbox
    checks: Checks

    @cached_property
    def api(self) -> Any:
        return self.sandbox.client()

    @property
    def options(self) -> list[str]:
        return ["-e", "@site.yaml", "--limit", "localhost"]

    def declare(self, **instance: Any) -> None:
        (self.checks.folder / "site.yaml").write_text(yaml.safe_dump(declared(**instance)))

    def apply(self) -> None:
        outcome = self.checks.use("apply", ansible=[*self.options, "steadfast.ec2.provision"], **self.sandbox.environment)
        assert outcome.code == 0, outcome.text

    def check(self) -> Outcome:
        """A check; it makes a few calls that read, and none that write."""
        return self._only_reads(lambda: self.checks.run(*self.options, PLAYBOOK, **self.sandbox.environment))

    def check_without_check(self) -> Outcome:
        """The playbook alone, without --check, recorded because somebody enabled the callback; evaluated afterwards."""
        environment = {"ANSIBLE_CALLBACKS_ENABLED": "steadfast.ec2.drift", "STEADFAST_DRIFT_DIR": str(self.checks.state)}
        done = self._only_reads(lambda: self.checks.play(PLAYBOOK, *self.options, **self.sandbox.environment, **environment))
        assert "changed=1" in done.stdout, done.stdout + done.stderr
        return self.checks.use("evaluate")

    def _only_reads(self, look: Any) -> Any:
        since = self.sandbox.call_count
        outcome = look()
        assert self.sandbox.writes(since) == []
        assert len(self.sandbox.calls(since)) <= 10
        return outcome

    # --- by hand ------------------------------------------------------------------------------------------------------

    @property
    def instance(self) -> str:
        """The id of the one that the fleet owns."""
        found = self.api.describe_instances(Filters=[{"Name": "tag:steadfast:fleet", "Values": ["moso"]}])["Reservations"]
        return str(found[0]["Instances"][0]["InstanceId"])

    def volume(self, name: str) -> str:
        (found,) = self.api.describe_volumes(Filters=[{"Name": "tag:Name", "Values": [f"*{name}*"]}])["Volumes"]
        return str(found["VolumeId"])

    def group(self) -> str:
        return str(self.api.describe_security_groups(GroupNames=["web"])["SecurityGroups"][0]["GroupId"])

    def becomes(self, volume: str, state: str) -> None:
        eventually(lambda: self.api.describe_volumes(VolumeIds=[volume])["Volumes"][0]["State"] == state)

    def detach(self, volume: str) -> None:
        self.api.detach_volume(VolumeId=volume)
        self.becomes(volume, "available")

    def attach(self, volume: str, device: str) -> None:
        self.api.attach_volume(VolumeId=volume, InstanceId=self.instance, Device=device)
        self.becomes(volume, "in-use")

    def new_volume(self) -> str:
        volume = self.api.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
        self.becomes(volume, "available")
        return str(volume)

    def open_port(self, port: int, cidr: str) -> None:
        rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": cidr}]}
        self.api.authorize_security_group_ingress(GroupId=self.group(), IpPermissions=[rule])

    def move_address(self) -> str:
        """The address now points to an instance that has nothing to do with the fleet; its id."""
        image = self.api.describe_instances(InstanceIds=[self.instance])["Reservations"][0]["Instances"][0]["ImageId"]
        other = self.api.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.micro")["Instances"][0]["InstanceId"]
        eventually(lambda: self._state(other) == "running")
        allocation = self.api.describe_addresses()["Addresses"][0]["AllocationId"]
        self.api.associate_address(AllocationId=allocation, InstanceId=other, AllowReassociation=True)
        return str(other)

    def stop(self, kind: str) -> None:
        """Stopped, with another type, and left so."""
        instance = self.instance
        self.api.stop_instances(InstanceIds=[instance])
        eventually(lambda: self._state(instance) == "stopped")
        self.api.modify_instance_attribute(InstanceId=instance, InstanceType={"Value": kind})

    def _state(self, instance: str) -> str:
        return str(self.api.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["State"]["Name"])


@dataclass(frozen=True)
class Told:
    """What the checks said, one after the other, and the ids of what was made by hand."""

    applied: Outcome
    both: Outcome
    by_hand: Outcome
    corrected: Outcome
    instance: str
    other: str
    stranger: str


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Applied; then another declaration and a change by hand; then only changes by hand; then applied again."""
    folder = tmp_path_factory.mktemp("account")
    with api_only_sandbox(folder / "sandbox") as sandbox:
        account = Account(sandbox, Checks(folder, ["localhost"]))
        iam = sandbox.client("iam")
        iam.create_instance_profile(InstanceProfileName="web", Path="/app/")
        account.declare()
        account.apply()
        # what only looks like drift: something foreign, and the volumes attached in another order
        account.new_volume()
        for name in ("images", "logs"):
            account.detach(account.volume(name))
        for name, device in (("logs", "/dev/sdg"), ("images", "/dev/sdf")):
            account.attach(account.volume(name), device)
        account.declare(iam_instance_profile="web")
        applied = account.check()
        # the code moved, and the system did elsewhere
        account.declare(tags={"Role": "shop", "costCentre": "A b"})
        account.open_port(23, "0.0.0.0/0")
        both = account.check_without_check()
        # only the system moved
        account.declare()
        stranger = account.new_volume()
        account.attach(stranger, "/dev/sdh")
        account.api.create_tags(Resources=[account.instance], Tags=[{"Key": "Role", "Value": "db"}])
        account.detach(account.volume("images"))
        other = account.move_address()
        account.stop("t3.small")
        by_hand = account.check()
        # brought back; what nobody declares is for people
        account.apply()
        account.detach(stranger)
        yield Told(applied, both, by_hand, account.check(), account.instance, other, stranger)


def test_what_was_applied_is_in_sync(told: Told) -> None:
    """The root volume of the image, what AWS fills in, the order of volumes, a profile by name or ARN, the case of tags, and foreign things
    are no drift."""
    assert [(one["resource"], one["attributes"]) for one in told.applied.report["findings"]] == []
    assert told.applied.code == 0, told.applied.text


def test_what_the_code_changed_is_pending_and_what_the_system_changed_is_drift(told: Told) -> None:
    """The declaration that is not applied yet: pending; what somebody did by hand meanwhile: drift, and only that is exit code 2."""
    resources = ["elastic_ip web", "instance web", "volume web/images", "volume web/logs"]  # its tags are those of its parts, too
    assert [one["resource"] for one in told.both.of("pending")] == resources, told.both.text
    assert [one["resource_kind"] for one in told.both.of("drift")] == ["security_group"]
    assert told.both.code == 2


def test_each_change_by_hand_is_reported_once(told: Told) -> None:
    """A rule, a tag, a type, a stop, a detached volume, a moved address, a volume of nobody: with expected and actual, and nothing else."""
    assert told.by_hand.code == 2, told.by_hand.text
    assert len(told.by_hand.of("drift")) == len(told.by_hand.report["findings"]) == 5
    found = {
        (one["resource"], part["path"]): (part["expected"], part["actual"])
        for one in told.by_hand.of("drift")
        for part in one["attributes"]
        if one["resource_kind"] != "security_group"
    }
    stranger = f"volume {told.stranger}"
    assert found == {
        ("instance web", "tags.Role"): ("web", "db"),
        ("instance web", "instance_type"): ("t3.micro", "t3.small"),
        ("instance web", "state"): ("running", "stopped"),
        ("volume web/images", "instance_id"): (told.instance, None),
        ("volume web/images", "device"): ("/dev/sdf", None),
        ("volume web/images", "delete_on_termination"): (False, None),
        ("elastic_ip web", "instance_id"): (told.instance, told.other),
        (stranger, "instance"): (None, "web"),
        (stranger, "device"): (None, "/dev/sdh"),
    }
    (group,) = (one for one in told.by_hand.of("drift") if one["resource_kind"] == "security_group")
    assert group["severity"] == "high"
    (rules,) = group["attributes"]
    assert "23" in str(rules["actual"]) and "23" not in str(rules["expected"])


def test_after_correction_it_is_clean(told: Told) -> None:
    """Applied again, and the volume of nobody taken off: exit code 0, and all five are resolved."""
    assert (told.corrected.code, len(told.corrected.report["resolved"])) == (0, 5), told.corrected.text
