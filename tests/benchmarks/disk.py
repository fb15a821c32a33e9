# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""`./dev bench disk`: one task of ours beside parted, filesystem, blkid, mount and file, on the same machine in the same run."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.benchmarks.measure import HERE, TOOLS
from tests.integration.disk.conftest import ADDRESS, PORT, Guest, started, volume_id
from tests.support.peers import collections
from tests.support.sandbox import CHECKOUT

PATHS = {"ours": "/srv/ours", "theirs": "/srv/theirs"}
VOLUMES = {"ours": "scratch", "theirs": "twin"}
Tasks = list[dict[str, Any]]


def main(arguments: list[str]) -> None:
    """Start a machine, run both with a blank volume each, and print a table in Markdown."""
    parser = argparse.ArgumentParser(prog="./dev bench disk", description=__doc__)
    parser.add_argument("--tries", type=int, default=3, help="how often each is run; the fastest counts (3)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="steadfast-bench-") as name, started(Path(name)) as guest:
        # The image has no parted; ours needs nothing that it has not.
        guest.shell("apt-get update -q >/dev/null; DEBIAN_FRONTEND=noninteractive apt-get install -qy parted >/dev/null")
        took = {who: [both(guest, who, tasks) for _ in range(options.tries)] for who, tasks in CONTESTANTS.items()}
        empty = min(seconds(guest, [{"ansible.builtin.ping": {}}]) for _ in range(options.tries))
    print(table({who: (min(run[0] for run in runs), min(run[1] for run in runs)) for who, runs in took.items()}, empty))


def ours(disk: str) -> Tasks:
    """One task; the volume by its id."""
    return [{"steadfast.ec2.disk": {"volume": volume_id(VOLUMES["ours"]), "path": PATHS["ours"], "owner": "www-data", "mode": "0750"}}]


def theirs(disk: str) -> Tasks:
    """What people write for it: a table with one partition, a filesystem, its UUID, a mount, owner and mode of its root.

    They are given the device; nothing among them finds the device of a volume.
    """
    part = f"{disk}1"
    return [
        {"community.general.parted": {"device": disk, "number": 1, "state": "present", "label": "gpt", "part_start": "1MiB"}},
        {"community.general.filesystem": {"dev": part, "fstype": "ext4"}},
        {"ansible.builtin.command": {"cmd": f"blkid -s UUID -o value {part}"}, "register": "uuid", "changed_when": False},
        {
            "ansible.posix.mount": {
                "src": "UUID={{ uuid.stdout }}",
                "path": PATHS["theirs"],
                "fstype": "ext4",
                "opts": "defaults,nofail",
                "passno": "2",
                "state": "mounted",
            }
        },
        {"ansible.builtin.file": {"path": PATHS["theirs"], "state": "directory", "owner": "www-data", "mode": "0750"}},
    ]


CONTESTANTS: dict[str, Callable[[str], Tasks]] = {"ours": ours, "theirs": theirs}


def both(guest: Guest, who: str, tasks: Callable[[str], Tasks]) -> tuple[float, float]:
    """(seconds from a blank disk, seconds with nothing to do); then the disk is blank again."""
    disk = guest.shell(f"readlink -f /dev/disk/by-id/virtio-{volume_id(VOLUMES[who]).replace('-', '')}")
    fresh = seconds(guest, tasks(disk))
    again = seconds(guest, tasks(disk), changed=False)
    path = PATHS[who]
    guest.shell(f"umount {path}; sed -i '\\# {path} #d' /etc/fstab; systemctl daemon-reload; rmdir {path}")
    guest.shell(f"wipefs -qa {disk}1; wipefs -qa {disk}; partx -d {disk} || true; udevadm settle")
    return fresh, again


def seconds(guest: Guest, tasks: Tasks, changed: bool | None = None) -> float:
    """What the tasks of a playbook took, over ssh with pipelining; it has to succeed, and to change nothing where that is said."""
    directory = guest.directory
    durations = directory / "durations.json"
    host = {
        "ansible_host": ADDRESS,
        "ansible_port": PORT,
        "ansible_user": "admin",
        "ansible_become": True,
        "ansible_ssh_private_key_file": str(directory / "key"),
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR",
    }
    (directory / "bench.yml").write_text(yaml.safe_dump({"all": {"hosts": {"machine": host}}}))
    # the first task opens the connection, which is not what is measured
    play = {"hosts": "machine", "gather_facts": False, "tasks": [{"ansible.builtin.ping": {}}, *tasks]}
    (directory / "bench-play.yml").write_text(yaml.safe_dump([play]))
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": "/dev/null",
        "ANSIBLE_HOME": str(directory / "ansible"),
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_COLLECTIONS_PATH": f"{CHECKOUT / '.dev' / 'collections'}:{collections('community/general', 'ansible/posix')}",
        "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback"),
        "ANSIBLE_CALLBACKS_ENABLED": "durations",
        "BENCH_DURATIONS": str(durations),
    }
    command = [str(TOOLS / "ansible-playbook"), "-i", "bench.yml", "bench-play.yml"]
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the playbook failed:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
    if changed is False and "changed=0 " not in done.stdout:
        raise SystemExit(f"the second run changed something:\n{done.stdout[-3000:]}")
    return sum(task["seconds"] for task in json.loads(durations.read_text())[1:])


def table(took: dict[str, tuple[float, float]], empty: float) -> str:
    """The figures, and how many times faster we are."""
    lines = ["| a volume of the machine | parted, filesystem, blkid, mount, file | disk | times faster |", "|---|---|---|---|"]
    for row, name in enumerate(("from blank to mounted", "nothing to do")):
        theirs_took, ours_took = took["theirs"][row], took["ours"][row]
        lines.append(f"| {name} | {theirs_took:.1f} s | {ours_took:.1f} s | {theirs_took / ours_took:.1f} |")
    lines.append(f"\nSeconds in tasks. A `ping` alone takes {empty:.1f} s there.")
    return "\n".join(lines)
