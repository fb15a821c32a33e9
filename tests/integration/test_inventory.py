# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The inventory plugin, as ansible-inventory and ansible use it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.inventory import Inventory
from tests.support.sandbox import Sandbox, api_only_sandbox, eventually

ROOT = Path(__file__).resolve().parents[2]
TOOLS = Path(sys.executable).parent


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """An account with a fleet of two, a foreign pair of twins, and one machine in another region."""
    with api_only_sandbox(tmp_path_factory.mktemp("sandbox")) as sandbox:
        fill(sandbox)
        yield sandbox


def fill(sandbox: Sandbox) -> None:
    """Make the machines that the tests look for."""
    ec2 = sandbox.client()
    ec2.create_key_pair(KeyName="Moso-dev-nvir")
    image = ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-12-amd64-*"]}])["Images"][0]["ImageId"]
    shared = {"steadfast:fleet": "moso-dev-nvir", "Project": "moso", "Environment": "dev"}
    web = launch(ec2, image, {**shared, "Name": "web-1", "steadfast:name": "web-1", "Role": "web", "Note": "{{ 6 * 7 }}"})
    launch(ec2, image, {**shared, "Name": "db-1", "steadfast:name": "db-1", "Role": "db"})
    launch(ec2, image, {"Name": "twin"})
    launch(ec2, image, {"Name": "twin"})
    stopped = launch(ec2, image, {"Name": "asleep"})
    europe = sandbox.client(region="eu-central-1")
    launch(europe, europe.describe_images(Owners=["136693071363"])["Images"][0]["ImageId"], {"Name": "far-1"}, zone="eu-central-1a")
    ec2.get_waiter("instance_running").wait(InstanceIds=[web, stopped], WaiterConfig={"Delay": 1})
    ec2.stop_instances(InstanceIds=[stopped])
    tags = [{"Key": "steadfast:fleet", "Value": "moso-dev-nvir"}, {"Key": "steadfast:name", "Value": "web-1/images"}]
    specification = [{"ResourceType": "volume", "Tags": tags}]
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=8, VolumeType="gp3", TagSpecifications=specification)["VolumeId"]
    ec2.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig={"Delay": 1})
    ec2.attach_volume(VolumeId=volume, InstanceId=web, Device="/dev/sdf")
    eventually(lambda: ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["Attachments"][0]["State"] == "attached")
    eventually(lambda: state(ec2, stopped) == "stopped")


def launch(ec2: Any, image: str, tags: dict[str, str], zone: str = "us-east-1a") -> str:
    """One instance with these tags; its id."""
    specification = [{"ResourceType": "instance", "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}]
    placement = {"AvailabilityZone": zone}
    keys = {"KeyName": "Moso-dev-nvir"} if zone.startswith("us-east-1") else {}
    answer = ec2.run_instances(
        ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, TagSpecifications=specification, Placement=placement, **keys
    )
    return str(answer["Instances"][0]["InstanceId"])


def state(ec2: Any, instance: str) -> str:
    """The state of one instance."""
    return str(ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["State"]["Name"])


def test_every_running_instance_is_a_host_with_a_name_of_its_own(account: Sandbox, tmp_path: Path) -> None:
    """Fleet members by their name, twins with their id; what does not run is left out."""
    hosts = Inventory(tmp_path / "aws.yml", account).hosts()
    twins = sorted(name for name in hosts if name.startswith("twin-"))
    assert sorted(hosts) == ["db-1", *twins, "web-1"]
    assert [f"twin-{hosts[name]['ec2']['id'].removeprefix('i-')}" for name in twins] == twins
    assert len(twins) == 2


def test_a_host_knows_its_volumes_by_the_name_they_were_declared_with(account: Sandbox, tmp_path: Path) -> None:
    """A role finds its disk as ec2.volumes.images.id."""
    volumes = Inventory(tmp_path / "aws.yml", account).hosts()["web-1"]["ec2"]["volumes"]
    assert set(volumes) == {"root", "images"}
    assert volumes["images"]["id"].startswith("vol-")
    assert (volumes["images"]["size"], volumes["images"]["device"]) == (8, "/dev/sdf")
    serial = volumes["images"]["id"].replace("-", "")
    assert volumes["images"]["by_id"] == {
        "nvme": f"/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{serial}",
        "virtio": f"/dev/disk/by-id/virtio-{serial}",
    }


def test_a_host_can_be_logged_in_to(account: Sandbox, tmp_path: Path) -> None:
    """Address, the image's user, and the key file beside the inventory."""
    (tmp_path / "Moso-dev-nvir.pem").touch()
    web = Inventory(tmp_path / "aws.yml", account, private_key_file="{key_pair}.pem").hosts()["web-1"]
    assert web["ansible_host"] == web["ec2"]["public_ip"]
    assert web["ansible_user"] == "admin"
    assert web["ansible_ssh_private_key_file"] == str(tmp_path / "Moso-dev-nvir.pem")


def test_groups_by_fleet_tags_and_zone_and_by_own_rules(account: Sandbox, tmp_path: Path) -> None:
    """The groups that are made, and those that the user makes by expressions."""
    own = {
        "groups": {"with_data": "ec2.volumes.images is defined"},
        "keyed_groups": [{"key": "ec2.tags.Role", "prefix": "is"}],
        "compose": {"data_volume": "ec2.volumes.images.id"},
    }
    found = Inventory(tmp_path / "aws.yml", account, filters={"tag:Project": "moso"}, **own).read()
    members = {name: group["hosts"] for name, group in found.items() if name != "_meta" and "hosts" in group}
    assert members["fleet_moso_dev_nvir"] == ["db-1", "web-1"]
    assert members["environment_dev"] == ["db-1", "web-1"]
    assert members["project_moso"] == ["db-1", "web-1"]
    assert members["zone_us_east_1a"] == ["db-1", "web-1"]
    assert members["role_web"] == members["is_web"] == members["with_data"] == ["web-1"]
    web = found["_meta"]["hostvars"]["web-1"]
    assert web["data_volume"] == web["ec2"]["volumes"]["images"]["id"]


def test_a_host_and_a_group_may_have_the_same_name(account: Sandbox, tmp_path: Path) -> None:
    """The member gives way, by its fleet, and Ansible has nothing to warn of."""
    own = {"filters": {"tag:Project": "moso"}, "groups": {"web-1": "ec2.tags.Role == 'web'"}}
    done = Inventory(tmp_path / "aws.yml", account, **own).run("ansible-inventory", "--list")
    assert "web-1.moso-dev-nvir" in json.loads(done.stdout)["_meta"]["hostvars"]
    assert done.stderr == ""


def test_regions_are_asked_together_with_a_fixed_number_of_calls_each(account: Sandbox, tmp_path: Path) -> None:
    """Four calls a region that tells its zone ids, however many instances; none writes."""
    since = account.call_count
    hosts = Inventory(tmp_path / "aws.yml", account, regions=["us-east-1", "eu-central-1"]).hosts()
    assert {hosts[name]["ec2"]["region"] for name in ("web-1", "far-1")} == {"us-east-1", "eu-central-1"}
    assert len(account.calls(since)) == 8
    assert account.writes(since) == []


def test_filters_and_states_choose(account: Sandbox, tmp_path: Path) -> None:
    """The API's own filters, single values or lists; another state only when asked for."""
    filters = {"tag:Role": ["web", "db"], "availability-zone": "us-east-1a"}
    assert sorted(Inventory(tmp_path / "a.yml", account, filters=filters).hosts()) == ["db-1", "web-1"]
    assert sorted(Inventory(tmp_path / "b.yml", account, states=["stopped"]).hosts()) == ["asleep"]


def test_strings_from_the_account_are_not_templates(account: Sandbox, tmp_path: Path) -> None:
    """Whoever may set a tag cannot run code on the control node."""
    done = Inventory(tmp_path / "aws.yml", account).run("ansible", "web-1", "-c", "local", "-m", "debug", "-a", "msg={{ ec2.tags.Note }}")
    assert "{{ 6 * 7 }}" in done.stdout


def test_the_cache_answers_without_a_call_until_something_that_matters_is_different(account: Sandbox, tmp_path: Path) -> None:
    """The same file asks nothing the second time; another filter in it, or another account, is asked anew."""
    cached = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(tmp_path / "cache")}
    first = Inventory(tmp_path / "aws.yml", account, **cached)
    found = first.hosts()
    since = account.call_count
    assert first.hosts() == found
    assert account.calls(since) == []
    assert sorted(Inventory(tmp_path / "aws.yml", account, filters={"tag:Role": "db"}, **cached).hosts()) == ["db-1"]
    since = account.call_count
    first = Inventory(tmp_path / "aws.yml", account, **cached)
    first.environment["AWS_ACCESS_KEY_ID"] = "another"
    first.hosts()
    assert account.calls(since) != []


def test_a_region_that_fails_is_named_and_may_be_left_out(account: Sandbox, tmp_path: Path) -> None:
    """With `fail` there is no half inventory; by default the rest is used and the region is named."""
    regions = {"regions": ["us-east-1", "mars-north-1"]}
    assert "mars-north-1" in Inventory(tmp_path / "a.yml", account, failed_regions="fail", **regions).error()
    done = Inventory(tmp_path / "b.yml", account, **regions).run("ansible-inventory", "--list")
    assert "mars-north-1" in done.stderr
    assert "web-1" in json.loads(done.stdout)["_meta"]["hostvars"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"endpoint_url": "http://127.0.0.1:9"}, ["does not answer", "http://127.0.0.1:9"]),
        ({"access_key": "only-this"}, ["access_key", "secret_key"]),
        ({"profile": "nobody"}, ["nobody"]),
        ({"filters": {"tag:Role": {"is": "web"}}}, ["tag:Role", "list of values"]),
        ({"connect_with": ["telephone"]}, ["telephone"]),
    ],
)
def test_what_cannot_work_is_one_clear_error(account: Sandbox, tmp_path: Path, options: dict[str, Any], words: list[str]) -> None:
    """The message names what is wrong, and there is no traceback."""
    message = Inventory(tmp_path / "aws.yml", account, **options).error()
    assert [word for word in words if word not in message] == []
    assert "Traceback" not in message


def test_a_template_in_an_option_is_the_users_own(account: Sandbox, tmp_path: Path) -> None:
    """Options may look things up, for example in the environment."""
    inventory = Inventory(tmp_path / "aws.yml", account, regions=["{{ lookup('env', 'WHERE') }}"])
    inventory.environment = {**inventory.environment, "WHERE": "eu-central-1"}
    assert os.environ.get("WHERE") is None
    assert sorted(inventory.hosts()) == ["far-1"]


def test_stops_starts_and_moved_addresses_are_followed(account: Sandbox, tmp_path: Path) -> None:
    """A new public address after stop and start; an Elastic IP on one machine, and then on the other."""
    ec2 = account.client(region="eu-west-1")
    image = ec2.describe_images(Owners=["136693071363"])["Images"][0]["ImageId"]
    ids = {name: launch(ec2, image, {"Name": name}, zone="eu-west-1a") for name in ("one", "two")}
    waiting = {"InstanceIds": list(ids.values()), "WaiterConfig": {"Delay": 1}}
    ec2.get_waiter("instance_running").wait(**waiting)
    inventory = Inventory(tmp_path / "aws.yml", account, regions=["eu-west-1"])
    before = addresses(inventory)

    ec2.stop_instances(InstanceIds=[ids["one"]])
    ec2.get_waiter("instance_stopped").wait(InstanceIds=[ids["one"]], WaiterConfig={"Delay": 1})
    assert set(addresses(inventory)) == {"two"}
    ec2.start_instances(InstanceIds=[ids["one"]])
    ec2.get_waiter("instance_running").wait(**waiting)
    after = addresses(inventory)
    assert after["one"] not in (None, before["one"])
    assert after["two"] == before["two"]

    fixed = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(AllocationId=fixed["AllocationId"], InstanceId=ids["one"])
    assert addresses(inventory)["one"] == fixed["PublicIp"]
    ec2.associate_address(AllocationId=fixed["AllocationId"], InstanceId=ids["two"], AllowReassociation=True)
    moved = inventory.hosts()
    assert moved["two"]["ansible_host"] == moved["two"]["ec2"]["elastic_ip"] == fixed["PublicIp"]
    assert moved["one"].get("ansible_host") != fixed["PublicIp"]


def addresses(inventory: Inventory) -> dict[str, str | None]:
    """{host: where Ansible connects to}."""
    return {name: variables.get("ansible_host") for name, variables in inventory.hosts().items()}
