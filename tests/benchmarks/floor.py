# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The least that the API can be asked for a fleet: bare botocore in one process, sixteen calls at a time, nothing checked.

`python -m tests.benchmarks.floor fresh|again MEMBERS IMAGE`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import botocore.config
import botocore.session

from tests.benchmarks.contestants import DEVICE, FLEET, NAME, PORTS, PUBLIC_KEY, TYPE, ZONE

THREADS = 16


def main(what: str, members: int, image: str) -> None:
    """Make the fleet, or look whether it is there."""
    config = botocore.config.Config(max_pool_connections=THREADS)
    ec2 = botocore.session.Session().create_client("ec2", config=config)
    with ThreadPoolExecutor(THREADS) as pool:
        if what == "fresh":
            _make(ec2, pool, members, image)
        else:
            _look(ec2, pool, members)


def _tags(kind: str, name: str) -> list[dict[str, Any]]:
    tags = {"Name": name, "steadfast:fleet": FLEET, "steadfast:name": name}
    return [{"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}]


def _make(ec2: Any, pool: ThreadPoolExecutor, members: int, image: str) -> None:
    names = [f"web-{number}" for number in range(1, members + 1)]
    group = ec2.create_security_group(GroupName=NAME, Description=NAME, TagSpecifications=_tags("security-group", NAME))["GroupId"]
    rules = [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]} for port in PORTS]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=rules)
    ec2.import_key_pair(KeyName=NAME, PublicKeyMaterial=PUBLIC_KEY, TagSpecifications=_tags("key-pair", NAME))

    def launch(name: str) -> str:
        answer = ec2.run_instances(
            ImageId=image,
            InstanceType=TYPE,
            MinCount=1,
            MaxCount=1,
            KeyName=NAME,
            SecurityGroupIds=[group],
            Placement={"AvailabilityZone": ZONE},
            TagSpecifications=_tags("instance", name),
        )
        return str(answer["Instances"][0]["InstanceId"])

    def volume(name: str) -> str:
        specification = _tags("volume", f"{name}/images")
        answer = ec2.create_volume(AvailabilityZone=ZONE, Size=1, VolumeType="gp3", TagSpecifications=specification)
        return str(answer["VolumeId"])

    def address(name: str) -> str:
        return str(ec2.allocate_address(Domain="vpc", TagSpecifications=_tags("elastic-ip", name))["AllocationId"])

    made = [pool.submit(make, name) for make in (launch, volume, address) for name in names]
    ids = [future.result() for future in made]
    instances, volumes, addresses = ids[:members], ids[members : 2 * members], ids[2 * members :]
    _until(lambda: all(one["State"]["Name"] == "running" for r in ec2.describe_instances()["Reservations"] for one in r["Instances"]))
    _until(lambda: all(one["State"] != "creating" for one in ec2.describe_volumes()["Volumes"]))
    ends = [pool.submit(ec2.attach_volume, VolumeId=volumes[n], InstanceId=instances[n], Device=DEVICE) for n in range(members)]
    ends += [pool.submit(ec2.associate_address, AllocationId=addresses[n], InstanceId=instances[n]) for n in range(members)]
    for future in ends:
        future.result()


def _look(ec2: Any, pool: ThreadPoolExecutor, members: int) -> None:
    calls = (ec2.describe_instances, ec2.describe_volumes, ec2.describe_addresses, ec2.describe_security_groups, ec2.describe_key_pairs)
    answers = [future.result() for future in [pool.submit(call) for call in calls]]
    found = len([one for reservation in answers[0]["Reservations"] for one in reservation["Instances"]])
    if found != members:
        raise SystemExit(f"{found} instances where {members} were made")


def _until(there: Callable[[], bool]) -> None:
    while not there():
        time.sleep(0.1)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
