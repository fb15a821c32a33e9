# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A playbook of somebody who uses amazon.aws runs against the sandbox without a change."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.peers import amazon_aws
from tests.support.sandbox import Sandbox

HERE = Path(__file__).parent
INVENTORY = "plugin: amazon.aws.aws_ec2\nregions: [us-east-1]\nkeyed_groups: [{key: tags.Project, prefix: project}]\n"


def ansible(sandbox: Sandbox, home: Path, program: str, *arguments: str) -> str:
    """What an Ansible program prints; it has to succeed."""
    (home / "ansible.cfg").write_text("[defaults]\n")
    environment = {
        **sandbox.environment,
        "ANSIBLE_COLLECTIONS_PATH": str(amazon_aws()),
        "ANSIBLE_CONFIG": str(home / "ansible.cfg"),
        "ANSIBLE_HOME": str(home / "ansible"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    done = subprocess.run([program, *arguments], env=environment, cwd=home, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.long
def test_a_playbook_of_amazon_aws_works(sandbox: Sandbox, tmp_path: Path) -> None:
    """Key, group, instance, volume, address, snapshot, the info modules and the inventory; then all away again."""
    key_file = f"key_file={tmp_path / 'peer.pem'}"
    ansible(sandbox, tmp_path, "ansible-playbook", str(HERE / "amazon_aws.yml"), "-e", key_file)
    (tmp_path / "peer.aws_ec2.yml").write_text(INVENTORY)
    listed = json.loads(ansible(sandbox, tmp_path, "ansible-inventory", "-i", "peer.aws_ec2.yml", "--list"))
    (host,) = listed["project_peer"]["hosts"]
    # ansible-inventory marks what came from outside.
    address = listed["_meta"]["hostvars"][host]["public_ip_address"]["__ansible_unsafe"]
    assert address == sandbox.status()["instances"][0]["public_ip"]
    ansible(sandbox, tmp_path, "ansible-playbook", str(HERE / "amazon_aws_absent.yml"))
    ec2 = sandbox.client()
    assert ec2.describe_volumes()["Volumes"] == ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"] == []
    assert ec2.describe_addresses()["Addresses"] == []
    assert ec2.describe_key_pairs()["KeyPairs"] == []
    assert [group["GroupName"] for group in ec2.describe_security_groups()["SecurityGroups"]] == ["default"]
