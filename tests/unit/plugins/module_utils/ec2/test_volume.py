# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Volumes: one modification for all that differs, no disk pulled from under anybody, a free place for each."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2 import declare, facts
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.declaration import Declaration, Volume
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.fleet import Fleet, plan
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.world import World
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import Busy, CallFailed, InvalidInput, Refused
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.execute import Limits
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.plan import Change
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.reconcile import Outcome, reconcile
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.wait import Pace

from tests.support.account import Account, Api

LIMITS = Limits(workers=4, pace=Pace(first=0.0, gather=0.0), patience=1.0)
WEB = {"name": "web", "image": "ami-1", "instance_type": "t3.micro"}
BEGUN = datetime(2030, 1, 2, 3, 4, tzinfo=UTC)


def run(account: Account, api: type[Api] = Api, **options: Any) -> Outcome:
    """One volume, without a fleet."""
    return reconcile(Fleet(Declaration(volumes=(declare.volume({"name": "data", **options}),)), api(account), LIMITS), False)


def launch(account: Account, name: str = "web") -> str:
    """A running instance; its id."""
    one = declare.instance({**WEB, "name": name})
    reconcile(Fleet(Declaration(instances=(one,)), Api(account), LIMITS), False)
    return account.live()[-1]["InstanceId"]


def writes(account: Account) -> list[str]:
    return [call for call in account.calls if not call.startswith("Describe")]


def of_world(desired: Volume, **raw: Any) -> Change:
    """The plan for a volume that the API shows like this, beside running instances a, b and c."""
    instances = [
        {"InstanceId": f"i-{name}", "State": {"Name": "running"}, "Placement": {"AvailabilityZone": "us-east-1a"}, "Tags": [_name(name)]}
        for name in "abc"
    ]
    shown = {
        "VolumeId": "vol-1",
        "State": "in-use",
        "Size": 8,
        "VolumeType": "io2",
        "AvailabilityZone": "us-east-1a",
        "Tags": [_name("data")],
    }
    world = World(
        instances=tuple(facts.instance(one) for one in instances),
        raw={one["InstanceId"]: one for one in instances},
        volumes=(facts.volume({**shown, **raw}),),
    )
    [change] = plan(Declaration(volumes=(desired,)), world).changes
    return change


def _name(value: str) -> dict[str, str]:
    return {"Key": "Name", "Value": value}


def at(*instances: str, state: str = "attached") -> list[dict[str, Any]]:
    return [{"InstanceId": one, "Device": "/dev/sdf", "State": state, "DeleteOnTermination": False} for one in instances]


# --- one modification -----------------------------------------------------------------------------------------------------


def test_all_that_differs_is_one_modification_and_waited_for() -> None:
    """Size, type, operations and throughput go in one ModifyVolume, since AWS takes the next only hours later; the end is seen."""
    account = Account()
    run(account, size=8, type="gp2", zone="us-east-1a")
    del account.calls[:]
    run(account, size=16, type="gp3", iops=4000, throughput=250)
    assert writes(account) == ["ModifyVolume"]
    assert "DescribeVolumesModifications" in account.calls


def test_only_what_is_declared_is_sent() -> None:
    """A larger size neither turns a gp3 volume into another type, nor says anything about the rest."""
    account = Account()
    run(account, size=8, type="gp3", zone="us-east-1a")
    [change] = run(account, size=16).plan.effective
    assert [dict(step.params).keys() for step in change.steps] == [{"VolumeId", "Size"}]
    assert not run(account).plan.changed


class TooSoon(Api):
    """An API that has just modified this volume."""

    code = "VolumeModificationRateExceeded"
    under_way: ClassVar[dict[str, Any]] = {"ModificationState": "completed", "TargetSize": 8}

    def _ModifyVolume(self, params: Any) -> Any:  # noqa: N802 - the API's name
        raise CallFailed("too soon", code=self.code)

    def _DescribeVolumesModifications(self, params: Any) -> Any:  # noqa: N802
        volume = self.account.volumes[params["Filters"][0]["Values"][0]]
        if self.under_way.get("TargetSize") == 16:
            volume["Size"] = 16
        return {"VolumesModifications": [{"VolumeId": volume["VolumeId"], "StartTime": BEGUN, "Progress": 37, **self.under_way}]}


class Optimizing(TooSoon):
    code = "IncorrectModificationState"
    under_way: ClassVar[dict[str, Any]] = {"ModificationState": "optimizing", "TargetSize": 12}


class Ours(TooSoon):
    code = "IncorrectModificationState"
    under_way: ClassVar[dict[str, Any]] = {"ModificationState": "optimizing", "TargetSize": 16}


@pytest.mark.parametrize("api", [TooSoon, Optimizing])
def test_a_modification_that_comes_too_soon_says_what_is_in_the_way(api: type[TooSoon]) -> None:
    """It tells which modification is in the way, what the API itself says of the time, and the limits that AWS has; the code stays."""
    account = Account()
    run(account, size=8, zone="us-east-1a")
    with pytest.raises(CallFailed) as caught:
        run(account, api, size=16)
    assert caught.value.code == api.code
    for words in ("six hours", "four in 24 hours", "2030-01-02T03:04", "too soon", str(api.under_way["ModificationState"])):
        assert words in caught.value.message
    assert ("37 %" in caught.value.message) == (api is Optimizing)


def test_a_modification_of_a_run_that_was_killed_is_waited_for() -> None:
    """It is under way to the same end: nothing to complain of."""
    account = Account()
    run(account, size=8, zone="us-east-1a")
    run(account, Ours, size=16)
    assert not run(account, size=16).plan.changed


@pytest.mark.parametrize(
    "key", ["0a1b", "arn:aws:kms:us-east-1:111111111111:key/0a1b", "alias/disks", "arn:aws:kms:us-east-1:1:alias/disks"]
)
def test_a_key_may_be_named_in_every_way(key: str) -> None:
    """EC2 shows the ARN, whatever was declared; what an alias means is noted as not looked up."""
    desired = declare.volume({"name": "data", "kms_key_id": key})
    change = of_world(desired, Encrypted=True, KmsKeyId="arn:aws:kms:us-east-1:111111111111:key/0a1b")
    assert not change.changed
    assert bool(change.notes) == ("alias" in key)


@pytest.mark.parametrize("key", ["ffff", "arn:aws:kms:us-east-1:111111111111:key/ffff"])
def test_another_key_is_refused(key: str) -> None:
    """The key of a volume is fixed."""
    with pytest.raises(Refused, match="encryption key cannot be changed"):
        of_world(
            declare.volume({"name": "data", "kms_key_id": key}), Encrypted=True, KmsKeyId="arn:aws:kms:us-east-1:111111111111:key/0a1b"
        )


# --- attaching ------------------------------------------------------------------------------------------------------------


def test_many_volumes_find_a_free_place_each() -> None:
    """More than the names that AWS recommends, none twice, none of the root, and the same in every order."""
    names = [f"v{number:02}" for number in range(50)]
    volumes = tuple(declare.volume({"name": name, "size": 1, "instance": "a"}) for name in names)
    instance = {"InstanceId": "i-a", "State": {"Name": "running"}, "Placement": {"AvailabilityZone": "us-east-1a"}, "Tags": [_name("a")]}
    raw = {**instance, "RootDeviceName": "/dev/sda1", "BlockDeviceMappings": [{"DeviceName": "/dev/xvdg", "Ebs": {"VolumeId": "vol-9"}}]}
    world = World(instances=(facts.instance(raw),), raw={"i-a": raw})
    found = {change.name: (change.after or {})["device"] for change in plan(Declaration(volumes=volumes), world).changes}
    assert len(set(found.values())) == 50
    assert not {"/dev/sda", "/dev/sdg"} & set(found.values())
    again = plan(Declaration(volumes=volumes[::-1]), world).changes
    assert {change.name: (change.after or {})["device"] for change in again} == found


def test_delete_on_termination_is_kept_changed_and_checked() -> None:
    """Nothing is assumed: a new attachment keeps the volume, and only what is declared is changed."""
    account = Account()
    launch(account)
    run(account, size=1, instance="web")
    [volume] = [one for one in account.volumes.values() if one["Tags"].get("Name") == "data"]
    assert volume["DeleteOnTermination"] is False
    run(account, delete_on_termination=True, instance="web")
    assert volume["DeleteOnTermination"] is True
    assert not run(account, instance="web").plan.changed


def test_a_volume_of_several_instances() -> None:
    """`instance` attaches one more, `instances` is exact, and an empty list detaches from all."""
    several = {"name": "data", "multi_attach": True}
    one_more = of_world(declare.volume({**several, "instance": "b"}), MultiAttachEnabled=True, Attachments=at("i-a"))
    assert [(step.verb, step.params["InstanceId"]) for step in one_more.steps] == [("AttachVolume", "i-b")]
    assert (one_more.after or {})["attached_to"] == ["i-a", "i-b"]
    exact = of_world(declare.volume({**several, "instances": ["b", "c"]}), MultiAttachEnabled=True, Attachments=at("i-a", "i-b"))
    assert [(step.verb, step.params["InstanceId"]) for step in exact.steps] == [("DetachVolume", "i-a"), ("AttachVolume", "i-c")]
    assert not of_world(declare.volume({**several, "instances": ["b", "a"]}), MultiAttachEnabled=True, Attachments=at("i-a", "i-b")).changed
    none = of_world(declare.volume({**several, "instances": []}), MultiAttachEnabled=True, Attachments=at("i-a", "i-b"))
    assert [step.params["InstanceId"] for step in none.steps] == ["i-a", "i-b"]
    gone = of_world(declare.volume({**several, "state": "absent"}), MultiAttachEnabled=True, Attachments=at("i-a", "i-b"))
    assert [step.verb for step in gone.steps] == ["DetachVolume", "DetachVolume", "DeleteVolume"]


def test_a_volume_of_several_instances_is_made_so() -> None:
    """The wish is in the request that makes it, and part of a later modification."""
    made = of_world(declare.volume({"name": "new", "size": 4, "type": "io2", "iops": 100, "multi_attach": True, "instances": ["a", "b"]}))
    assert [step.verb for step in made.steps] == ["CreateVolume", "AttachVolume", "AttachVolume"]
    assert made.steps[0].params["MultiAttachEnabled"] is True
    changed = of_world(declare.volume({"name": "data", "size": 9, "multi_attach": True}), State="available", Attachments=[])
    assert dict(changed.steps[0].params) == {"VolumeId": "vol-1", "Size": 9, "MultiAttachEnabled": True}


def test_several_instances_are_refused_where_one_can_hold_it() -> None:
    """Also a list of one never takes the volume from another."""
    with pytest.raises(InvalidInput, match="several instances at once"):
        of_world(declare.volume({"name": "data", "instances": ["a", "b"]}), Attachments=at("i-a"))
    with pytest.raises(Refused, match="attached to another instance"):
        of_world(declare.volume({"name": "data", "instances": ["b"]}), Attachments=at("i-a"))


# --- detaching ------------------------------------------------------------------------------------------------------------


class Held(Api):
    """An API whose instances do not let go of their volumes, unless forced."""

    def _DetachVolume(self, params: Any) -> Any:  # noqa: N802 - the API's name
        volume = self.account.volumes[params["VolumeId"]]
        if params.get("Force"):
            return super()._DetachVolume(params)
        volume["Attachment"] = "busy"
        return {}


@pytest.mark.parametrize("options", [{"instance": ""}, {"state": "absent"}])
def test_a_volume_in_use_is_not_pulled_off(options: dict[str, Any]) -> None:
    """Busy on its instance: the task fails and says what to do; nothing is forced and nothing deleted."""
    account = Account()
    launch(account)
    run(account, size=1, instance="web")
    with pytest.raises(Busy) as caught:
        run(account, Held, **options)
    for words in ("does not let go", "unmount", "force_detach: true"):
        assert words in caught.value.message
    assert "DeleteVolume" not in account.calls


@pytest.mark.parametrize("options", [{"instance": ""}, {"state": "absent"}])
def test_a_volume_is_pulled_off_where_that_is_said(options: dict[str, Any]) -> None:
    """force_detach: true is sent, and only then."""
    account = Account()
    launch(account)
    run(account, size=1, instance="web")
    run(account, Held, force_detach=True, **options)
    assert all(one["InstanceId"] is None for one in account.volumes.values() if one["Tags"].get("Name") == "data")


def test_a_volume_on_its_way_off_is_not_attached_as_if_it_stayed() -> None:
    """What is being detached is neither as declared nor free."""
    with pytest.raises(Busy, match="just being detached"):
        of_world(declare.volume({"name": "data", "instance": "a"}), Attachments=at("i-a", state="detaching"))


class Leaving(Api):
    """An API that is detaching the volume already, by a request whose answer was lost."""

    def _DetachVolume(self, params: Any) -> Any:  # noqa: N802 - the API's name
        super()._DetachVolume(params)
        raise CallFailed("is in the 'detaching' state", code="IncorrectState")


def test_a_detachment_under_way_is_waited_for() -> None:
    """The run ends when the volume is free."""
    account = Account()
    launch(account)
    run(account, size=1, instance="web")
    assert run(account, Leaving, instance="").plan.changed
    assert not run(account, instance="").plan.changed


def test_numbers_are_for_aws_to_judge() -> None:
    """What AWS allows grows over the years: sizes and speeds are sent as they are declared, however large."""
    large = {"size": 65536, "type": "gp3", "iops": 80000, "throughput": 2000}
    made = of_world(declare.volume({"name": "new", "zone": "us-east-1a", **large}))
    assert {name: made.steps[0].params[name] for name in ("Size", "Iops", "Throughput")} == {
        "Size": 65536,
        "Iops": 80000,
        "Throughput": 2000,
    }
    changed = of_world(declare.volume({"name": "data", **large}), State="available", Attachments=[])
    assert changed.steps[0].params["Iops"] == 80000
