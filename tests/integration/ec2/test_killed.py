# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A run that is killed with SIGKILL after any number of API calls is finished by the next one, and makes nothing twice."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.aws.client import Client
from ansible_collections.steadfast.ec2.plugins.module_utils.aws.connection import Connection
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2 import declare
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.fleet import Fleet
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.execute import Limits
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.reconcile import reconcile
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.wait import Pace

from tests.support.sandbox import Sandbox

LIMITS = Limits(pace=Pace(first=0.05, gather=0.1))
#: More calls than a fresh run makes; from some number on, the run ends before it is killed.
MOST = 40


class Mortal(Client):
    """A client whose process dies after a number of answers, with other calls in flight."""

    left = 0

    def _call(self, raw: Any, operation: str, params: Any) -> dict[str, Any]:
        answer = super()._call(raw, operation, params)
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer


def options(directory: Path, number: int) -> dict[str, Any]:
    """One fleet of each kind of resource, under names of its own."""
    name = f"kill{number}"
    return {
        "name": name,
        "state": "present",
        "tags": {"Project": "moso"},
        "key_pairs": [{"name": name, "private_key_file": str(directory / f"{name}.pem")}],
        "security_groups": [{"name": name, "rules": [{"ports": ["22"], "cidr": ["my_ip"]}, {"ports": ["80"], "group": [name]}]}],
        "instances": [
            {
                "name": "web",
                "count": 2,
                "image": {"name": "debian-12-amd64-*", "owner": "136693071363"},
                "instance_type": "t3.micro",
                "key_pair": name,
                "security_groups": [name],
                "elastic_ip": True,
                "volumes": [{"name": "images", "size": 1}],
            }
        ],
    }


def connect(sandbox: Sandbox, kind: type[Client] = Client) -> Any:
    return kind(Connection("us-east-1", access_key="sandbox", secret_key="sandbox", endpoint_url=sandbox.endpoint))


def killed_after(sandbox: Sandbox, declared: dict[str, Any], calls: int) -> bool:
    """Run in a process of its own that dies after so many answers; whether it died."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            client = connect(sandbox, Mortal)
            client.left = calls
            reconcile(Fleet(declare.fleet(declared), client, LIMITS), False)
            status = 0
        finally:
            os._exit(status)
    _child, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return os.WTERMSIG(status) == signal.SIGKILL
    assert os.WEXITSTATUS(status) == 0
    return False


def owned(sandbox: Sandbox, fleet: str) -> Counter[str]:
    """How many of each kind belong to the fleet."""
    ec2 = sandbox.client()
    filters = [{"Name": "tag:steadfast:fleet", "Values": [fleet]}]
    reservations = ec2.describe_instances(Filters=filters)["Reservations"]
    states = [one["State"]["Name"] for reservation in reservations for one in reservation["Instances"]]
    return Counter(
        instances=len([state for state in states if state not in ("shutting-down", "terminated")]),
        volumes=len(ec2.describe_volumes(Filters=filters)["Volumes"]),
        addresses=len(ec2.describe_addresses(Filters=filters)["Addresses"]),
        groups=len(ec2.describe_security_groups(Filters=filters)["SecurityGroups"]),
        keys=len(ec2.describe_key_pairs(Filters=filters)["KeyPairs"]),
    )


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_killed_after_every_call(sandbox: Sandbox, tmp_path: Path) -> None:
    """For every k: killed after k calls, run again: two instances, their volumes and addresses, one key, one group; then nothing to do."""
    died = []
    for calls in range(1, MOST):
        declared = options(tmp_path, calls)
        died.append(killed_after(sandbox, declared, calls))
        again = reconcile(Fleet(declare.fleet(declared), connect(sandbox), LIMITS), False)
        assert owned(sandbox, declared["name"]) == Counter(instances=2, volumes=4, addresses=2, groups=1, keys=1), calls
        assert not reconcile(Fleet(declare.fleet(declared), connect(sandbox), LIMITS), True).plan.changed, calls
        assert again.plan.changed or not died[-1] or calls > 1
        if not died[-1]:
            break
        # an empty account again: nothing that is left over makes the next look slower
        sandbox.reset()
    assert died.count(True) > 20
