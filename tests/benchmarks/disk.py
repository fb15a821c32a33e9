# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""`./dev bench disk`: one task of ours beside parted, filesystem, blkid, mount and file, on the same machine in the same run."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import yaml

from tests.benchmarks.measure import HERE, TOOLS
from tests.integration.disk.conftest import ADDRESS, PORT, Guest, started, volume_id
from tests.support.peers import collections
from tests.support.sandbox import CHECKOUT

PATHS = {"ours": "/srv/ours", "theirs": "/srv/theirs"}
VOLUMES = {"ours": "scratch", "theirs": "twin"}
FSTAB = {"fstype": "ext4", "opts": "defaults,nofail", "passno": "2", "state": "mounted"}
Tasks = list[dict[str, Any]]
#: (seconds in tasks, seconds of the machine's processor for the whole playbook)
Cost = tuple[float, float]


def main(arguments: list[str]) -> None:
    """Start a machine, run both with a blank volume each, and print a table in Markdown."""
    parser = argparse.ArgumentParser(prog="./dev bench disk", description=__doc__)
    parser.add_argument("--tries", type=int, default=3, help="how often each is run; the fastest counts (3)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="steadfast-bench-") as name, started(Path(name)) as guest:
        measured(guest, options.tries)


def measured(guest: Guest, tries: int) -> None:
    """Run both on a machine that is up, and print the table."""
    # The image has no parted; ours needs nothing that it has not. Its lists of packages are as old as the image.
    install = "DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends parted >/dev/null"
    guest.shell(f"which parted || {install} || {{ apt-get update -q >/dev/null && {install}; }}")
    took = {
        what: {who: fastest([both(guest, who, tasks, "moved" in what) for _ in range(tries)]) for who, tasks in contestants.items()}
        for what, contestants in CONTESTS.items()
    }
    idle = min(cost(guest, [])[1] for _ in range(tries))
    ping = min(cost(guest, [{"ansible.builtin.ping": {}}]) for _ in range(tries))
    print(table(took, ping, idle))


def ours(content: str = "refuse") -> Tasks:
    """One task; the volume by its id."""
    options = {"volume": volume_id(VOLUMES["ours"]), "path": PATHS["ours"], "content": content, "owner": "www-data", "mode": "0750"}
    return [{"steadfast.ec2.disk": options}]


def link(who: str) -> str:
    """What udev calls the volume of one of both."""
    return f"/dev/disk/by-id/virtio-{volume_id(VOLUMES[who]).replace('-', '')}"


def theirs() -> Tasks:
    """What people write for it: a table with one partition, a filesystem, its UUID, a mount, owner and mode of its root.

    They are given udev's name of the device; nothing among them finds the device of a volume. Nothing tells systemd of the new line.
    """
    disk, part = link("theirs"), f"{link('theirs')}-part1"
    return [
        {"community.general.parted": {"device": disk, "number": 1, "state": "present", "label": "gpt", "part_start": "1MiB"}},
        {"community.general.filesystem": {"dev": part, "fstype": "ext4"}},
        {"ansible.builtin.command": {"cmd": f"blkid -s UUID -o value {part}"}, "register": "uuid", "changed_when": False},
        {
            "ansible.posix.mount": {"src": "UUID={{ uuid.stdout }}", "path": PATHS["theirs"], **FSTAB},
            "register": "line",
        },
        {"ansible.builtin.file": {"path": PATHS["theirs"], "state": "directory", "owner": "www-data", "mode": "0750"}},
    ]


def theirs_with_content() -> Tasks:
    """The same with what is in the directory moved onto the volume, and systemd told of the new line: what one task of ours does.

    Nothing of it is verified, nothing survives an interruption; that would be more tasks.
    """
    path, aside, part = PATHS["theirs"], "/mnt/new", f"{link('theirs')}-part1"
    *made, mounted, owned = theirs()
    first = {"when": "there.rc != 0"}
    return [
        *made,
        {"ansible.builtin.command": {"cmd": f"mountpoint -q {path}"}, "register": "there", "changed_when": False, "failed_when": False},
        {"ansible.posix.mount": {"src": part, "path": aside, "fstype": "ext4", "state": "ephemeral"}, **first},
        {"ansible.builtin.command": {"cmd": f"cp -a {path}/. {aside}/"}, **first},
        {"ansible.posix.mount": {"path": aside, "state": "unmounted"}, **first},
        {"ansible.builtin.command": {"cmd": f"mv {path} {path}.before"}, **first},
        mounted,
        {"ansible.builtin.systemd_service": {"daemon_reload": True}, "when": "line is changed"},
        owned,
    ]


CONTESTS: dict[str, dict[str, Tasks]] = {
    "from blank to mounted": {"ours": ours(), "theirs": theirs()},
    "the same with a directory's files moved": {"ours": ours("move"), "theirs": theirs_with_content()},
}


def both(guest: Guest, who: str, tasks: Tasks, content: bool) -> tuple[Cost, Cost]:
    """What it takes from a blank disk, perhaps with `content` to be moved onto it, and with nothing to do; then the disk is blank again."""
    path, disk = PATHS[who], link(who)
    if content:
        guest.shell(f"mkdir {path}; for n in $(seq 100); do head -c 4096 /dev/urandom > {path}/$n; done")
    fresh = cost(guest, tasks)
    again = cost(guest, tasks, changed=False)
    guest.shell(f"umount {path}; sed -i '\\# {path} #d' /etc/fstab; systemctl daemon-reload; rm -rf {path} {path}.before*")
    guest.shell(f"wipefs -qa {disk}-part1; wipefs -qa {disk}; partx -d {disk} || true; udevadm settle")
    return fresh, again


def fastest(runs: list[tuple[Cost, Cost]]) -> tuple[Cost, Cost]:
    """The fastest of each: what another process took from a run is not counted."""
    return min(run[0] for run in runs), min(run[1] for run in runs)


def processor(guest: Guest) -> float:
    """The seconds of a processor that the machine has used so far; what else the host does hardly shows in them."""
    fields = Path(f"/proc/{guest.machine.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cost(guest: Guest, tasks: Tasks, changed: bool | None = None) -> Cost:
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
    (directory / "bench.cfg").write_text("[defaults]\n")
    # the first task opens the connection, which is not what is measured
    play = {"hosts": "machine", "gather_facts": False, "tasks": [{"ansible.builtin.ping": {}}, *tasks]}
    (directory / "bench-play.yml").write_text(yaml.safe_dump([play]))
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(directory / "bench.cfg"),
        "ANSIBLE_HOME": str(directory / "ansible"),
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_TIMEOUT": "300",
        "ANSIBLE_COLLECTIONS_PATH": f"{CHECKOUT / '.dev' / 'collections'}:{collections('community/general', 'ansible/posix')}",
        "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback"),
        "ANSIBLE_CALLBACKS_ENABLED": "durations",
        "BENCH_DURATIONS": str(durations),
    }
    command = [str(TOOLS / "ansible-playbook"), "-i", "bench.yml", "bench-play.yml"]
    before = processor(guest)
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the playbook failed:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
    if changed is False and "changed=0 " not in done.stdout:
        raise SystemExit(f"the second run changed something:\n{done.stdout[-3000:]}")
    return sum(task["seconds"] for task in json.loads(durations.read_text())[1:]), processor(guest) - before


def table(took: dict[str, dict[str, tuple[Cost, Cost]]], ping: Cost, idle: float) -> str:
    """The figures, and how many times less we take; `idle` is what a playbook without these tasks takes of the processor.

    A `ping` is beside it: the same way to the machine and back, with a module of Ansible's that does nothing.
    """
    heads = ("a volume of the machine", "what", "the usual tasks", "disk", "times", "ping")
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for what, contestants in took.items():
        for row, name in enumerate((what, "… and nothing to do")):
            for kind, unit in enumerate(("seconds in tasks", "seconds of its processor")):
                theirs_took, ours_took = (contestants[who][row][kind] - kind * idle for who in ("theirs", "ours"))
                figures = (theirs_took, ours_took, theirs_took / ours_took, ping[kind] - kind * idle)
                lines.append(f"| {name} | {unit} | {' | '.join(f'{figure:.1f}' for figure in figures)} |")
    return "\n".join(lines)
