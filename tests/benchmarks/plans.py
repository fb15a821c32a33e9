# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How long it takes to understand what the API says and to plan, without any API: for fleets of many sizes, in one process."""

from __future__ import annotations

import resource
import sys
import time
from typing import Any

from ansible_collections.steadfast.ec2.plugins.module_utils.ec2 import declare
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.declaration import Declaration
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.fleet import plan
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.read import Reader

from tests.benchmarks.contestants import ours

#: Resources of a member: instance, volume, address.
PER_MEMBER = 3


class Answers:
    """A client whose answers are there already."""

    region = "us-east-1"
    is_local = True

    def __init__(self, members: int) -> None:
        numbers = range(1, members + 1)
        self._answers = {
            "DescribeInstances": [{"Instances": [_instance(number)]} for number in numbers],
            "DescribeVolumes": [_volume(number) for number in numbers],
            "DescribeAddresses": [_address(number) for number in numbers],
            "DescribeSecurityGroups": [
                {
                    "GroupId": "sg-1",
                    "GroupName": "bench",
                    "Description": "d",
                    "VpcId": "vpc-1",
                    "IpPermissions": _RULES,
                    "Tags": _tags("bench"),
                }
            ],
            "DescribeKeyPairs": [{"KeyPairId": "key-1", "KeyName": "bench", "PublicKey": "", "Tags": _tags("bench")}],
            "DescribeAvailabilityZones": [{"ZoneName": "us-east-1a", "ZoneId": "use1-az1"}],
        }

    def pages(self, operation: str, result: str, params: Any) -> list[dict[str, Any]]:
        """All of them, whatever was asked."""
        return self._answers[operation]


def declared(members: int) -> Declaration:
    """The fleet of the benchmark, as its task declares it."""
    options = {**ours(members, "ami-1")[0]["steadfast.ec2.fleet"], "state": "present"}
    for one in options["instances"]:
        one.update(zone=[one["zone"]], volumes=[{**volume, "state": "present"} for volume in one["volumes"]], state="present")
    return declare.fleet(options)


def measure(members: int) -> dict[str, float]:
    """Seconds of the processor to read, to plan a fresh fleet, and to find that nothing is to do; for members * 3 resources."""
    declaration = declared(members)
    client: Any = Answers(members)
    empty: Any = Answers(0)
    empty._answers["DescribeImages"] = [{"ImageId": "ami-1", "Name": "bench", "CreationDate": "2026"}]
    nothing = Reader(empty, declaration).read()
    began = time.process_time()
    world = Reader(client, declaration).read()
    read = time.process_time()
    again = plan(declaration, world)
    planned = time.process_time()
    fresh = plan(declaration, nothing)
    ended = time.process_time()
    if again.changed or len(fresh.effective) < members * PER_MEMBER:
        raise SystemExit(f"the plan is wrong: {again.summary()} {fresh.summary()}")
    return {"read": read - began, "again": planned - read, "fresh": ended - planned}


def _tags(name: str) -> list[dict[str, str]]:
    tags = {"steadfast:fleet": "bench", "steadfast:name": name, "Name": name.replace("/", "-")}
    return [{"Key": key, "Value": value} for key, value in tags.items()]


_RULES = [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]} for port in (22, 80)]


def _instance(number: int) -> dict[str, Any]:
    return {
        "InstanceId": f"i-{number:017x}",
        "ImageId": "ami-1",
        "InstanceType": "t3.micro",
        "KeyName": "bench",
        "State": {"Name": "running"},
        "Placement": {"AvailabilityZone": "us-east-1a"},
        "RootDeviceName": "/dev/xvda",
        "BlockDeviceMappings": [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeId": f"vol-{number:017x}"}}],
        "NetworkInterfaces": [
            {
                "NetworkInterfaceId": f"eni-{number:x}",
                "Attachment": {"DeviceIndex": 0},
                "Groups": [{"GroupId": "sg-1", "GroupName": "bench"}],
            }
        ],
        "VpcId": "vpc-1",
        "Tags": _tags(f"web-{number}"),
    }


def _volume(number: int) -> dict[str, Any]:
    attachment = {"InstanceId": f"i-{number:017x}", "Device": "/dev/sdf", "State": "attached", "DeleteOnTermination": False}
    return {
        "VolumeId": f"vol-{number:017x}",
        "State": "in-use",
        "Size": 1,
        "VolumeType": "gp3",
        "AvailabilityZone": "us-east-1a",
        "Attachments": [attachment],
        "Tags": _tags(f"web-{number}/images"),
    }


def _address(number: int) -> dict[str, Any]:
    return {
        "AllocationId": f"eipalloc-{number:x}",
        "PublicIp": "192.0.2.1",
        "InstanceId": f"i-{number:017x}",
        "AssociationId": f"eipassoc-{number:x}",
        "Tags": _tags(f"web-{number}"),
    }


def main(resources: int) -> None:
    """Print the best of three and the memory of this process, in one line that a program reads."""
    members = resources // PER_MEMBER
    runs = [measure(members) for _ in range(3)]
    best = {name: min(run[name] for run in runs) for name in runs[0]}
    print(
        *(f"{name}={seconds:.4f}" for name, seconds in best.items()),
        f"memory={resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}",
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
