# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""playbooks/backup.yml: a snapshot a day of each volume, and none that may not be whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.sandbox import CHECKOUT

from .conftest import TOOLS, Playbook


def backup(playbook: Playbook, directory: Path, **variables: Any) -> tuple[str, list[str]]:
    """What the playbook printed for a host with one volume, and the names of the snapshots that there are then."""
    ec2 = playbook.sandbox.client()
    found = ec2.describe_volumes()["Volumes"] or [ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)]
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "ansible_become": False}
    web = {
        **local,
        "ec2": {"volumes": {"images": {"id": found[0]["VolumeId"]}}},
        "data_disk_mounts": [{"volume": "images", "path": "/no-mount"}],
    }
    connection = {"region": "us-east-1", "endpoint_url": playbook.sandbox.environment["AWS_ENDPOINT_URL"]}
    groups = {"web_servers": {"hosts": {"web": web}}, "ungrouped": {"hosts": {"localhost": local}}}
    inventory = directory / "hosts.json"
    inventory.write_text(json.dumps({"all": {"children": groups, "vars": {"site_fleet": "moso", "site_connection": connection}}}))
    environment = {
        **playbook.sandbox.environment,
        "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".dev" / "collections"),
        "ANSIBLE_HOME": str(directory / "ansible"),
        "ANSIBLE_REMOTE_TMP": str(directory / "remote"),
        "ANSIBLE_NOCOLOR": "1",
        "PATH": f"{TOOLS}:{os.environ['PATH']}",
    }
    command = [TOOLS / "ansible-playbook", "-i", inventory, CHECKOUT / "playbooks" / "backup.yml", "-e", json.dumps(variables)]
    done = subprocess.run(command, env=environment, cwd=directory, capture_output=True, text=True, check=False)
    names = {
        tag["Value"]
        for snap in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
        for tag in snap.get("Tags", [])
        if tag["Key"] == "Name"
    }
    return done.stdout + done.stderr, sorted(names)


@pytest.mark.long
def test_one_a_day_so_many_kept_and_nothing_where_the_freeze_fails(playbook: Playbook, tmp_path: Path) -> None:
    """A second run of the day changes nothing; a volume that cannot be frozen has no snapshot, and the error says why."""
    said, names = backup(playbook, tmp_path, backup_stamp="monday")
    assert "nothing is mounted there" in said or "only root can freeze" in said, said
    assert names == []
    said, names = backup(playbook, tmp_path, backup_stamp="monday", backup_freeze=False)
    assert names == ["moso-web-images-monday"], said
    said, names = backup(playbook, tmp_path, backup_stamp="monday", backup_freeze=False)
    assert ("changed=0" in said, names) == (True, ["moso-web-images-monday"]), said
    said, names = backup(playbook, tmp_path, backup_stamp="tuesday", backup_freeze=False, backup_keep=1)
    assert names == ["moso-web-images-tuesday"], said
