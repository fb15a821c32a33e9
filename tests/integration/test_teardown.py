# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The order of playbooks/teardown.yml: the machines let go of their volumes, and only then is the API told to take them away.

Here stand-ins for the two modules write down when they are called. What `disk` does when it lets go, unmount before fstab before
daemon-reload, is shown by its unit tests, and on a machine by tests/integration/disk.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: A module that writes down its name and path, and fails as `disk` does where the test says that it is busy.
STAND_IN = """
from ansible.module_utils.basic import AnsibleModule
import os
options = {name: {"type": "raw"} for name in ("volume", "device", "path", "state", "name", "delete_volumes", "region")}
module = AnsibleModule(argument_spec=options, supports_check_mode=True)
path = module.params["path"]
with open(os.environ["CALLS"], "a") as calls:
    calls.write(" ".join(filter(None, ("{name}", path, module.params["state"]))) + chr(10))
if path and path == os.environ.get("BUSY"):
    module.fail_json(msg=path + ": is in use: nothing was changed.")
module.exit_json(changed=True)
"""
#: What systemd_service asks for; stopping is written down, too.
SYSTEMCTL = """#!/bin/sh
case "$*" in
  *stop*) echo "stop nginx" >>"$CALLS" ;;
  *show*) printf 'LoadState=loaded\\nActiveState=active\\n' ;;
esac
"""
VARIABLES = """
all:
  vars:
    site_fleet: site
    site_connection: {region: us-east-1}
    ansible_connection: local
    ansible_become: false
    ansible_python_interpreter: %s
  children:
    web_servers:
      hosts:
        web:
          ec2: {volumes: {images: {id: vol-1}, logs: {id: vol-2}}}
          data_disk_mounts: [{volume: images, path: /srv/images}, {volume: logs, path: /srv/images/logs}]
        without_volumes: {}
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The collection, with stand-ins for `disk` and `fleet`."""
    collection = tmp_path / "ansible_collections" / "steadfast" / "ec2"
    (collection / "plugins" / "modules").mkdir(parents=True)
    for name in ("roles", "meta", "playbooks", "plugins/filter", "plugins/module_utils", "plugins/plugin_utils"):
        (collection / name).symlink_to(ROOT / name)
    for name in ("disk", "fleet"):
        (collection / "plugins" / "modules" / f"{name}.py").write_text(STAND_IN.replace("{name}", name))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "systemctl").write_text(SYSTEMCTL)
    (tmp_path / "bin" / "systemctl").chmod(0o755)
    (tmp_path / "ansible.cfg").write_text("[defaults]\n")
    (tmp_path / "hosts.yml").write_text(VARIABLES % sys.executable)
    return tmp_path


def torn_down(place: Path, busy: str = "") -> tuple[int, str, list[str]]:
    """Exit code and output of the playbook, and what was called in which order."""
    calls = place / "calls"
    calls.write_text("")
    environment = {
        **os.environ,
        "PATH": f"{place / 'bin'}:{os.environ['PATH']}",
        "CALLS": str(calls),
        "BUSY": busy,
        "ANSIBLE_HOME": str(place / "home"),
        "ANSIBLE_COLLECTIONS_PATH": str(place),
        "ANSIBLE_CONFIG": str(place / "ansible.cfg"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
    }
    command = [Path(sys.executable).parent / "ansible-playbook", "-i", "hosts.yml", ROOT / "playbooks" / "teardown.yml"]
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr, calls.read_text().splitlines()


def test_the_api_is_told_when_every_volume_is_let_go_of(place: Path) -> None:
    """The service stops, the last mount goes first, and the fleet comes last."""
    code, said, calls = torn_down(place)
    assert code == 0, said
    assert calls == ["stop nginx", "stop nginx", "disk /srv/images/logs absent", "disk /srv/images absent", "fleet absent"]


def test_a_busy_mount_stops_everything_before_the_api_is_told(place: Path) -> None:
    """Whatever its other hosts do: the one that is in use fails the run with what it said, and nothing is deleted."""
    code, said, calls = torn_down(place, busy="/srv/images")
    assert code != 0
    assert "is in use: nothing was changed" in said
    assert "fleet absent" not in calls
