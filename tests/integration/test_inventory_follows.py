# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The inventory follows its machines, wherever their addresses go."""

from __future__ import annotations

from pathlib import Path

from tests.support.inventory import Inventory
from tests.support.sandbox import api_only_sandbox


def test_stops_starts_and_moved_addresses_are_followed(tmp_path: Path) -> None:
    """A new public address after stop and start; an Elastic IP on one machine, and then on the other."""
    with api_only_sandbox(tmp_path / "sandbox") as sandbox:
        ec2 = sandbox.client()
        image = ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-12-amd64-*"]}])["Images"][0]["ImageId"]
        ids = {}
        for name in ("one", "two"):
            tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": name}]}]
            launched = ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, TagSpecifications=tags)
            ids[name] = launched["Instances"][0]["InstanceId"]
        waiting = {"InstanceIds": list(ids.values()), "WaiterConfig": {"Delay": 1}}
        ec2.get_waiter("instance_running").wait(**waiting)
        inventory = Inventory(tmp_path / "aws.yml", sandbox)
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
        moved = addresses(inventory)
        assert moved["two"] == fixed["PublicIp"]
        assert moved.get("one") != fixed["PublicIp"]
        assert inventory.hosts()["two"]["ec2"]["elastic_ip"] == fixed["PublicIp"]


def addresses(inventory: Inventory) -> dict[str, str | None]:
    """{host: where Ansible connects to}."""
    return {name: variables.get("ansible_host") for name, variables in inventory.hosts().items()}
