# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""playbooks/verify.yml on mounts in every form that the role data_disk takes: by declared name, by id, by device, of either filesystem."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
IDS = {"images": "vol-0aaaaaaaaaaaaaaa1", "logs": "vol-0aaaaaaaaaaaaaaa2"}


def disk(name: str, volume: str = "", **more: str) -> dict[str, Any]:
    """A row of lsblk."""
    return {"name": name, "pkname": None, "serial": volume.replace("-", "") or None, "fstype": None, "mountpoint": None, **more}


ROWS = [
    disk("vdb", IDS["images"]),
    disk("vdb1", pkname="vdb", fstype="ext4", mountpoint="/srv/images"),
    disk("vdc", IDS["logs"], fstype="xfs", mountpoint="/srv/logs"),
    disk("vdd", "", fstype="ext4", mountpoint="/srv/scratch"),
]


@pytest.mark.parametrize(
    ("mount", "refused"),
    [
        ({"volume": "images", "path": "/srv/images"}, ""),
        ({"volume": IDS["images"], "path": "/srv/images"}, ""),
        ({"volume": "logs", "path": "/srv/logs"}, ""),
        ({"device": "/dev/vdd", "path": "/srv/scratch"}, ""),
        ({"volume": "logs", "path": "/srv/logs", "filesystem": "ext4"}, "/srv/logs is not the ext4 filesystem of volume logs"),
        ({"volume": IDS["logs"], "path": "/srv/images"}, f"/srv/images is not the ext4 or xfs filesystem of volume {IDS['logs']}"),
        ({"device": "/dev/vdd", "path": "/srv/gone"}, "/srv/gone is not the ext4 or xfs filesystem of /dev/vdd"),
    ],
)
def test_a_mount_is_what_it_was_declared_to_be(tmp_path: Path, mount: dict[str, Any], refused: str) -> None:
    """It passes when the right filesystem is mounted from the right volume, and else says what is not."""
    (tmp_path / "lsblk").write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps({'blockdevices': ROWS})}\nEND\n")
    (tmp_path / "lsblk").chmod(0o755)
    host = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "ec2": {"volumes": {name: {"id": volume} for name, volume in IDS.items()}},
        "data_disk_mounts": [mount],
        "site_pages": [],
    }
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"children": {"web_servers": {"hosts": {"web": host}}}}}))
    (tmp_path / "ansible.cfg").write_text("[defaults]\n")
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "ANSIBLE_HOME": str(tmp_path / "home"),
        "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
    }
    command = [Path(sys.executable).parent / "ansible-playbook", "-i", "hosts.yml", ROOT / "playbooks" / "verify.yml"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode != 0, refused in " ".join(done.stdout.split())) == (bool(refused), True), done.stdout + done.stderr
