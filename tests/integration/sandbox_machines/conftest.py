# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A sandbox with real machines, and one instance that the tests share."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.sandbox_cloud.aws import instance, launch, wait_state
from tests.support.sandbox import Sandbox, eventually, running_sandbox

#: Software emulation on a busy computer takes its time.
BOOT = 600.0
USER_DATA = "#!/bin/sh\ndate >> /root/first-boot\n"


class World:
    """A sandbox with a key pair and a group that lets ssh in."""

    def __init__(self, sandbox: Sandbox, keys: Path) -> None:
        self.sandbox = sandbox
        self.ec2 = sandbox.client()
        self.image_id = str(self.ec2.describe_images()["Images"][0]["ImageId"])
        self.key = keys / "key.pem"
        self.key.write_text(self.ec2.create_key_pair(KeyName="key", KeyType="ed25519")["KeyMaterial"])
        self.key.chmod(0o400)
        self.group_id = str(self.ec2.create_security_group(GroupName="web", Description="d")["GroupId"])
        self.allow(22)

    def allow(self, port: int, cidr: str = "127.0.0.1/32") -> None:
        """Let `cidr` in at a port."""
        self.ec2.authorize_security_group_ingress(GroupId=self.group_id, IpPermissions=[permission(port, cidr)])

    def deny(self, port: int, cidr: str = "127.0.0.1/32") -> None:
        """Take the permission back."""
        self.ec2.revoke_security_group_ingress(GroupId=self.group_id, IpPermissions=[permission(port, cidr)])

    def launch(self, name: str, image_id: str = "", **options: Any) -> str:
        """The id of a new instance that can be logged in to."""
        tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": name}]}]
        made = launch(
            self.ec2,
            image_id or self.image_id,
            KeyName="key",
            SecurityGroupIds=[self.group_id],
            TagSpecifications=tags,
            **options,
        )
        self.wait_for_login(made["InstanceId"])
        return str(made["InstanceId"])

    def wait_for_login(self, instance_id: str) -> None:
        """Wait until the status checks pass."""
        wait_state(self.ec2, instance_id, "running")
        eventually(lambda: self._status(instance_id) == "ok", timeout=BOOT, pause=0.5)

    def address(self, instance_id: str) -> str:
        """The public address."""
        return str(instance(self.ec2, instance_id)["PublicIpAddress"])

    def ssh(self, instance_id: str, command: str, *, address: str = "", check: bool = True) -> str:
        """What a command prints, run as the image's user at the instance's public address."""
        quiet = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        login = ["ssh", "-i", str(self.key), *quiet, "-o", "ConnectTimeout=20", "-o", "BatchMode=yes"]
        target = f"admin@{address or self.address(instance_id)}"
        done = subprocess.run([*login, target, command], capture_output=True, text=True, check=False, timeout=180)
        assert done.returncode == 0 or not check, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def _status(self, instance_id: str) -> str:
        found = self.ec2.describe_instance_status(InstanceIds=[instance_id])["InstanceStatuses"]
        return str(found[0]["InstanceStatus"]["Status"]) if found else ""


def permission(port: int, cidr: str) -> dict[str, Any]:
    """A permission for one TCP port."""
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": cidr}]}


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A sandbox with machines."""
    with running_sandbox(tmp_path_factory.mktemp("machines") / "state", api_only=False) as sandbox:
        yield World(sandbox, tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="session")
def shared_web(world: World) -> str:
    """The one instance."""
    return world.launch("web", UserData=USER_DATA)


@pytest.fixture
def web(world: World, shared_web: str) -> str:
    """The one instance, running, whatever the test before did to it."""
    state = instance(world.ec2, shared_web)["State"]["Name"]
    if state != "running":
        wait_state(world.ec2, shared_web, "stopped")
        world.ec2.start_instances(InstanceIds=[shared_web])
    world.wait_for_login(shared_web)
    return shared_web
