# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whatever cannot be meant or must not be done is refused before the first change, in words that say what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2 import declare
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.declaration import Declaration
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.fleet import Fleet
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import Ambiguous, InvalidInput, NotFound, Refused, SteadfastError
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.execute import Limits
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.reconcile import Outcome, reconcile
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.wait import Pace

from tests.support.account import PUBLIC_KEY, Account, Api

LIMITS = Limits(workers=4, pace=Pace(first=0.0, gather=0.0), patience=1.0)
WEB = {"name": "web", "image": "ami-1", "instance_type": "t3.micro"}
#: Two volumes in one place, by two of its names.
TWINS = [{"name": "a", "size": 1, "device": "/dev/sdf"}, {"name": "b", "size": 1, "device": "/dev/xvdf"}]


def fleet(**options: Any) -> dict[str, Any]:
    return {"name": "shop", "state": "present", **options}


def run(account: Account, options: dict[str, Any]) -> Outcome:
    return reconcile(Fleet(declare.fleet(options), Api(account), LIMITS), False)


def single(account: Account, **parts: Any) -> Outcome:
    """One resource without a fleet."""
    return reconcile(Fleet(Declaration(**parts), Api(account), LIMITS), False)


def refused(account: Account, options: dict[str, Any], error: type[SteadfastError], *words: str) -> None:
    """The declaration fails with `error` and these words, and nothing was changed before."""
    before, calls = account.summary(), len(account.calls)
    with pytest.raises(error) as caught:
        run(account, options)
    for word in words:
        assert word in caught.value.message
    assert caught.value.do
    assert account.summary() == before
    assert all(call.startswith("Describe") for call in account.calls[calls:])


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        (fleet(instances=[{**WEB, "image": "ami-9"}]), NotFound, ["instance web", "image does not exist", "ami-9"]),
        (fleet(instances=[{**WEB, "image": {"name": "debian-99-*", "owner": "1"}}]), NotFound, ["debian-99-*", "none in us-east-1"]),
        (fleet(instances=[{**WEB, "image": "debian"}]), InvalidInput, ["is not the id of an image"]),
        (fleet(instances=[{**WEB, "image": {"name": "a", "id": "ami-1"}}]), InvalidInput, ["by id, or by name and owner"]),
        (fleet(instances=[{**WEB, "zone": ["us-east-1z"]}]), NotFound, ["zone does not exist", "us-east-1z", "use1-az1"]),
        (fleet(instances=[{**WEB, "subnet_id": "subnet-x"}]), NotFound, ["subnet does not exist"]),
        (fleet(instances=[{"name": "web", "image": "ami-1"}]), InvalidInput, ["gives no instance_type"]),
        (fleet(instances=[{"name": "web", "instance_type": "t3.micro"}]), InvalidInput, ["gives no image"]),
        (fleet(instances=[{**WEB, "key_pair": "lost"}]), NotFound, ["key pair that is neither declared nor there", "lost"]),
        (fleet(instances=[{**WEB, "security_groups": ["lost"]}]), NotFound, ["security group that is neither declared nor there", "lost"]),
        (fleet(instances=[{**WEB, "count": -1}]), InvalidInput, ["count"]),
        (fleet(instances=[{**WEB, "count": 2, "private_ip": "10.0.0.9"}]), InvalidInput, ["2 members cannot have one address"]),
        (fleet(instances=[{**WEB, "volumes": [{"name": "a", "snapshot": ""}]}]), InvalidInput, ["volume web/a", "snapshot is blank"]),
        (
            fleet(instances=[{**WEB, "volumes": [{"name": "a", "size": 1, "kms_key_id": "k", "encrypted": False}]}]),
            InvalidInput,
            ["a key and is not to be encrypted"],
        ),
        (fleet(security_groups=[{"name": "g", "description": " "}]), InvalidInput, ["security_group g", "description is blank"]),
        (
            fleet(security_groups=[{"name": "g", "rules": [{"ports": ["80-"], "cidr": ["10.0.0.0/8"]}]}]),
            InvalidInput,
            ["'80-' is not a port"],
        ),
        (
            fleet(key_pairs=[{"name": "k", "public_key": PUBLIC_KEY, "private_key_file": "~/k"}]),
            InvalidInput,
            ["public_key and private"],
        ),
        (
            fleet(key_pairs=[{"name": "k", "private_key_file": "~/k"}, {"name": "l", "private_key_file": "~/keys/../k"}]),
            InvalidInput,
            ["key_pair l", "its file is that of key_pair k"],
        ),
        (fleet(max_deletions=-1), InvalidInput, ["max_deletions cannot be meant"]),
        (fleet(instances=[{**WEB, "name": "web/1"}]), InvalidInput, ["good name"]),
        (fleet(instances=[{**WEB, "tags": {"steadfast:fleet": "x"}}]), InvalidInput, ["not yours to set"]),
        (fleet(instances=[{**WEB, "volumes": [{"name": "a"}]}]), InvalidInput, ["volume web/a", "how large"]),
        (fleet(instances=[{**WEB, "volumes": [{"name": "a", "size": 0}]}]), InvalidInput, ["size cannot be meant"]),
        (fleet(instances=[{**WEB, "volumes": [{"name": "root", "size": 1}]}]), InvalidInput, ["good name for a volume"]),
        (fleet(instances=[{**WEB, "volumes": [{"name": "a", "size": 1}] * 2}]), InvalidInput, ["volume web/a", "declared twice"]),
        (fleet(instances=[WEB, WEB]), InvalidInput, ["instance web", "declared twice"]),
        (fleet(key_pairs=[{"name": "k"}]), InvalidInput, ["key_pair k", "private_key_file"]),
        (fleet(key_pairs=[{"name": "k", "private_key_file": "/nowhere/k.pem"}]), InvalidInput, ["directory /nowhere does not exist"]),
        (fleet(key_pairs=[{"name": "k", "public_key": "AAAA"}]), InvalidInput, ["public half"]),
        (fleet(security_groups=[{"name": "g", "rules": [{"ports": ["22"], "cidr": ["10.0.0.5/24"]}]}]), InvalidInput, ["10.0.0.0/24"]),
        (fleet(security_groups=[{"name": "g", "rules": [{"ports": ["22"], "cidr": ["everywhere"]}]}]), InvalidInput, ["is not a CIDR"]),
        (fleet(security_groups=[{"name": "g", "rules": [{"ports": ["99999"], "cidr": ["my_ip"]}]}]), InvalidInput, ["is not a port"]),
        (fleet(security_groups=[{"name": "g", "rules": [{"ports": ["90-80"], "cidr": ["my_ip"]}]}]), InvalidInput, ["is not a port"]),
        (fleet(security_groups=[{"name": "g", "rules": [{"cidr": ["my_ip"]}]}]), InvalidInput, ["which ports"]),
        (fleet(security_groups=[{"name": "g", "rules": [{"ports": ["22"]}]}]), InvalidInput, ["from where"]),
        (fleet(security_groups=[{"name": "g", "rules": [{"ports": ["22"], "group": ["lost"]}]}]), NotFound, ["lost"]),
        ({**fleet(instances=[WEB]), "name": " "}, InvalidInput, ["fleet", "name is blank"]),
        (fleet(instances=[{**WEB, "security_groups": []}]), InvalidInput, ["instance web", "without a security group"]),
        (fleet(instances=[{**WEB, "key_pair": ""}]), InvalidInput, ["instance web", "key_pair is blank"]),
        (fleet(instances=[{**WEB, "subnet_id": ""}]), InvalidInput, ["instance web", "subnet_id is blank"]),
        (fleet(instances=[{**WEB, "root_volume": {"size": 0}}]), InvalidInput, ["instance web", "root volume cannot be meant"]),
        (fleet(instances=[{**WEB, "tags": {"team": None}}]), InvalidInput, ["team: None"]),
        (fleet(tags={"team": ["a"]}, instances=[WEB]), InvalidInput, ["team: ['a']"]),
        (fleet(instances=[{**WEB, "volumes": TWINS}]), InvalidInput, ["volume web/b", "volume web/a on instance web", "xvdf"]),
        (fleet(instances=[{**WEB, "volumes": [{**TWINS[0], "device": "/dev/sda1"}]}]), InvalidInput, ["the disk it starts from"]),
        (fleet(instances=[{**WEB, "spot": {"max_price": "1"}}]), InvalidInput, ["instance web", "market: spot", "max_price"]),
        (fleet(instances=[{**WEB, "market": "on_demand", "spot": {"max_price": "1"}}]), InvalidInput, ["instance web", "market: spot"]),
        (fleet(instances=[{**WEB, "placement": {"group": "g", "partition": 0}}]), InvalidInput, ["instance web", "partition", "found 0"]),
        (
            fleet(instances=[{**WEB, "user_data": "#!/bin/sh\necho \udc80\n"}]),
            InvalidInput,
            ["instance web", "user_data", "user_data_base64"],
        ),
        (fleet(instances=[{**WEB, "tags": {"team": "\ud800"}}]), InvalidInput, ["instance web", "no text"]),
        (fleet(security_groups=[{"name": "g", "description": "\ud800"}]), InvalidInput, ["security_group g", "no text"]),
        (fleet(delete_volumes=[""]), InvalidInput, ["delete_volumes", "''"]),
        (fleet(delete_volumes={"web/images": True}), InvalidInput, ["delete_volumes", "web/images"]),
        (fleet(my_ip="me", security_groups=[{"name": "g", "rules": [{"ports": ["22"], "cidr": ["my_ip"]}]}]), InvalidInput, ["my_ip"]),
    ],
)
def test_what_cannot_be_meant(options: dict[str, Any], error: type[SteadfastError], words: list[str]) -> None:
    """A wrong declaration fails on an empty account without a call that writes, even if most of it is right."""
    right = {"name": "fine", "image": "ami-1", "instance_type": "t3.micro"}
    refused(Account(), {**options, "instances": [*options.get("instances", []), right]}, error, *words)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"instance_type": "t3.small"}, ["stop and a start", "on_change: {instance_type: restart}"]),
        ({"image": "ami-2"}, ["launched from another image", "ami-2"]),
        ({"zone": ["us-east-1b"]}, ["another zone", "us-east-1a"]),
        ({"key_pair": "other"}, ["another key_pair"]),
        ({"subnet_id": "subnet-b"}, ["another subnet_id"]),
        ({"user_data": "#!/bin/sh\nfalse\n"}, ["user data differ", "first boot"]),
        ({"volumes": [{"name": "images", "size": 4}]}, ["cannot shrink", "8 GiB"]),
        ({"volumes": [{"name": "images", "size": 8, "device": "/dev/sdz"}]}, ["another device name"]),
        ({"volumes": [{"name": "images", "size": 8, "encrypted": True}]}, ["encryption cannot be changed"]),
    ],
)
def test_what_aws_cannot_change(change: dict[str, Any], words: list[str]) -> None:
    """What is fixed once made is refused, unless the declaration allows the way to it."""
    account = Account()
    keys = [{"name": "key", "public_key": PUBLIC_KEY}, {"name": "other", "public_key": PUBLIC_KEY}]
    member = {
        **WEB,
        "key_pair": "key",
        "user_data": "#!/bin/sh\ntrue\n",
        "zone": ["us-east-1a"],
        "volumes": [{"name": "images", "size": 8, "device": "/dev/sdf"}],
    }
    run(account, fleet(key_pairs=keys, instances=[member]))
    refused(account, fleet(key_pairs=keys, instances=[{**member, **change}]), Refused, *words)


def test_a_description_of_a_group_cannot_be_changed() -> None:
    """AWS keeps it for ever, so another one is refused instead of ignored."""
    account = Account()
    run(account, fleet(security_groups=[{"name": "g", "description": "old"}]))
    refused(account, fleet(security_groups=[{"name": "g", "description": "new"}]), Refused, "description cannot be changed")


def test_a_volume_is_not_made_in_another_zone_than_its_instance() -> None:
    """The rule of AWS is told before the volume exists."""
    account = Account()
    run(account, fleet(instances=[{**WEB, "zone": ["us-east-1a"]}]))
    volume = declare.volume({"name": "data", "size": 1, "zone": "use1-az2", "instance": "web"})
    with pytest.raises(InvalidInput) as caught:
        single(account, volumes=(volume,))
    assert "another zone than its instance web" in caught.value.message
    assert "CreateVolume" not in account.calls


def test_a_kept_volume_decides_the_zone_of_a_new_instance() -> None:
    """An instance made anew goes to where its volume is; a declared zone that contradicts is refused."""
    account = Account()
    with_volume = fleet(instances=[{**WEB, "zone": ["us-east-1b"], "volumes": [{"name": "images", "size": 1}]}])
    run(account, with_volume)
    run(account, {"name": "shop", "state": "absent"})
    other = fleet(instances=[{**WEB, "zone": ["us-east-1a"], "volumes": [{"name": "images", "size": 1}]}])
    refused(account, other, InvalidInput, "another zone than its volume web/images")
    run(account, fleet(instances=[{**WEB, "volumes": [{"name": "images", "size": 1}]}]))
    assert account.live()[0]["Placement"]["AvailabilityZone"] == "us-east-1b"


def test_a_volume_is_not_taken_from_another_instance() -> None:
    """A disk that somebody may be writing to is never pulled away."""
    account = Account()
    run(account, fleet(instances=[WEB, {**WEB, "name": "other"}]))
    attached = declare.volume({"name": "data", "size": 1, "zone": "us-east-1a", "instance": "web"})
    single(account, volumes=(attached,))
    with pytest.raises(Refused) as caught:
        single(account, volumes=(declare.volume({"name": "data", "instance": "other"}),))
    assert "attached to another instance" in caught.value.message


def test_two_of_a_name_are_named_both() -> None:
    """Where one is meant and two are there, nobody guesses."""
    account = Account()
    api = Api(account)
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]}]
    made = [
        api.call("RunInstances", {"ImageId": "ami-1", "InstanceType": "t3.micro", "TagSpecifications": tags, "ClientToken": str(number)})
        for number in range(2)
    ]
    with pytest.raises(Ambiguous) as caught:
        single(account, instances=(declare.instance({"name": "web", "state": "absent"}),))
    for answer in made:
        assert answer["Instances"][0]["InstanceId"] in caught.value.message


def test_a_lost_private_key_is_explained(tmp_path: Path) -> None:
    """The key pair is there, its file is not: AWS cannot give it out again, and the message says what can be done."""
    account = Account()
    file = tmp_path / "key.pem"
    keys = fleet(key_pairs=[{"name": "k", "private_key_file": str(file)}])
    run(account, keys)
    assert file.stat().st_mode & 0o777 == 0o400
    file.unlink()
    refused(account, keys, Refused, "private key file is not here", "state: absent")


def test_another_private_key_is_refused(tmp_path: Path) -> None:
    """A file with another key than the account's would lock everybody out."""
    account = Account()
    run(account, fleet(key_pairs=[{"name": "k", "public_key": PUBLIC_KEY}]))
    run(account, fleet(key_pairs=[{"name": "other", "private_key_file": str(tmp_path / "key.pem")}]))
    refused(account, fleet(key_pairs=[{"name": "k", "private_key_file": str(tmp_path / "key.pem")}]), Refused, "another key")


def test_what_another_fleet_owns_is_not_managed() -> None:
    """A name that another fleet owns is refused, not fought over."""
    account = Account()
    run(account, fleet(security_groups=[{"name": "g"}]))
    refused(account, {**fleet(security_groups=[{"name": "g", "rules": []}]), "name": "rival"}, Refused, "belongs to another fleet", "shop")


def test_the_limit_of_deletions_holds() -> None:
    """A plan that deletes more than allowed is refused as a whole, and lists what it would delete."""
    account = Account()
    run(account, fleet(instances=[{**WEB, "count": 3}]))
    refused(account, fleet(instances=[{**WEB, "count": 1}], prune=True, max_deletions=1), Refused, "max_deletions", "web-2", "web-3")


def test_what_is_protected_by_its_tag_stays() -> None:
    """The tag steadfast:protected keeps a resource from being deleted by any declaration."""
    account = Account()
    run(account, fleet(instances=[{**WEB, "tags": {"steadfast:protected": "true"}}]))
    refused(account, {"name": "shop", "state": "absent"}, Refused, "protected")


def test_a_group_that_is_still_used_is_not_half_deleted() -> None:
    """A group in use is refused in the plan, instead of failing at the end."""
    account = Account()
    run(account, fleet(security_groups=[{"name": "g"}], instances=[{**WEB, "security_groups": ["g"]}]))
    refused(account, fleet(instances=[WEB], prune=True), Refused, "still in use", "instance web")


def test_a_protected_volume_is_not_deleted_along_with_its_instance() -> None:
    """AWS would delete it on termination without a word, so its protection counts for the instance too."""
    account = Account()
    volume = {"name": "images", "size": 8, "delete_on_termination": True, "tags": {"steadfast:protected": "true"}}
    run(account, fleet(instances=[{**WEB, "volumes": [volume]}]))
    refused(account, fleet(state="absent"), Refused, "volume web/images", "protected by its tag")


def test_no_time_is_less_than_nothing() -> None:
    """A negative wait_timeout is refused, in the words of whoever gave it."""
    with pytest.raises(InvalidInput, match="wait_timeout cannot be meant"):
        Limits(wait_timeout=-1.0)
