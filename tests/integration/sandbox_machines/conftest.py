# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A sandbox with real machines, and one instance that the tests share."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.integration.sandbox_cloud.aws import instance, launch, wait_state
from tests.support.sandbox import Sandbox, eventually, running_sandbox

#: Software emulation on a busy computer takes its time.
BOOT = 600.0
USER_DATA = "#!/bin/sh\nid -un\ndate >> /root/first-boot\n"


class World:
    """A sandbox with a key pair and a group that lets ssh in."""

    def __init__(self, sandbox: Sandbox, keys: Path) -> None:
        self.sandbox = sandbox
        self.ec2 = sandbox.client()
        self.image_id = str(self.ec2.describe_images()["Images"][0]["ImageId"])
        # the name of a socket must be short
        self.sockets = Path(tempfile.mkdtemp(prefix="ssh-"))
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

    def boot(self, instance_id: str) -> str:
        """Which boot this is, as soon as the machine answers; empty before."""
        return self.ssh(instance_id, "cat /proc/sys/kernel/random/boot_id", check=False)

    def wait_for_login(self, instance_id: str) -> None:
        """Wait until the status checks pass."""
        wait_state(self.ec2, instance_id, "running")
        eventually(lambda: self._status(instance_id) == "ok", timeout=BOOT, pause=0.5)

    def address(self, instance_id: str) -> str:
        """The public address."""
        return str(instance(self.ec2, instance_id)["PublicIpAddress"])

    def ssh(self, instance_id: str, command: str, *, address: str = "", check: bool = True, options: Sequence[str] = ()) -> str:
        """What a command prints, run as the image's user at the instance's public address, or at `address` by a connection of its own."""
        # a handshake takes a second of an emulated processor: what goes to the same machine shares one
        shared = ["-oControlMaster=auto", f"-oControlPath={self.sockets}/%C", "-oControlPersist=600", "-oServerAliveInterval=2"]
        quiet = ["-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null", "-oLogLevel=ERROR"]
        how = [*options, *([] if address or options else shared), *quiet, "-oConnectTimeout=20", "-oBatchMode=yes"]
        target = f"admin@{address or self.address(instance_id)}"
        argv = ["ssh", "-i", str(self.key), *how, target, command]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=180)
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
        world = World(sandbox, tmp_path_factory.mktemp("keys"))
        try:
            yield world
        finally:
            shutil.rmtree(world.sockets)


@pytest.fixture(scope="session")
def web(world: World) -> str:
    """The one instance, which each test leaves running, but for the last ones."""
    return world.launch("web", UserData=USER_DATA)
