# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One machine with one volume, and the two web roles on it."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox import disks
from sandbox.accelerator import accelerator
from sandbox.image import ensure_image
from sandbox.machine import Machine, MachineSpec

ROOT = Path(__file__).resolve().parents[3]
CACHE = ROOT / ".dev" / "images"
ADDRESS = "127.0.9.5"
#: Seconds for a machine without hardware virtualisation to boot on a host that has other things to do.
PATIENCE = 900.0
VOLUME = "vol-0000000000000eb05"
IMAGES = "/var/www/html/images"

#: What the machine brings from the time before it had a volume.
USER_DATA = f"#!/bin/sh\nmkdir -p {IMAGES}\necho legacy > {IMAGES}/legacy.svg\n"

#: The machine from blank volume to served site, as a playbook of a user would declare it.
WHOLE: list[dict[str, Any]] = [
    {"name": "Mount the volume", "steadfast.ec2.disk": {"volume": VOLUME, "path": IMAGES, "content": "move"}},
    {"import_role": {"name": "steadfast.ec2.web_server"}},
    {"import_role": {"name": "steadfast.ec2.static_site"}},
]


@dataclass(frozen=True)
class Run:
    """What one run of ansible-playbook printed."""

    output: str
    code: int

    @property
    def changed(self) -> int:
        """How many tasks report a change."""
        return int(re.findall(r"changed=(\d+)", self.output)[-1])

    @property
    def warned(self) -> bool:
        """Whether anything was warned about or deprecated."""
        return "WARNING" in self.output

    def task(self, name: str) -> str:
        """What was printed for the task whose name ends so: its diff, and its result."""
        parts = re.split(r"^(?:TASK|RUNNING HANDLER) \[(.*)\] \**$", self.output, flags=re.M)
        (text,) = [text for title, text in zip(parts[1::2], parts[2::2], strict=True) if title.endswith(name)]
        return str(text.split("PLAY RECAP")[0].strip())


class Web:
    """The machine, and the ways to talk to it."""

    def __init__(self, machine: Machine, directory: Path, port: int) -> None:
        self.machine = machine
        self.directory = directory
        self.address = f"{ADDRESS}:{port}"
        self.control = directory / "ssh"
        self.variables: dict[str, Any] = {
            "web_server_mounts": [IMAGES],
            "static_site_archive": str(ROOT / "examples" / "site.zip"),
            "static_site_shared": ["images"],
            "static_site_probe_contains": "Moso Nursery",
        }

    @property
    def _options(self) -> list[str]:
        return ["-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null", "-oLogLevel=ERROR", "-oConnectTimeout=60"]

    def shell(self, text: str, check: bool = True) -> str:
        """Run commands as root; what they printed."""
        # a handshake takes a second of an emulated processor: all commands share one connection
        shared = ["-oControlMaster=auto", f"-oControlPath={self.control}", "-oControlPersist=600", "-oServerAliveInterval=5"]
        login = ["ssh", "-i", str(self.directory / "key"), *self._options, *shared, f"admin@{ADDRESS}"]
        done = subprocess.run([*login, f"sudo bash -c {shlex.quote(text)}"], capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout.strip()

    def play(self, tasks: list[dict[str, Any]], *arguments: str, ends_well: bool = True, **variables: Any) -> Run:
        """Run tasks with ansible over ssh, as root."""
        host = {
            "ansible_host": ADDRESS, "ansible_user": "admin", "ansible_become": True, "ansible_ssh_timeout": 60,
            "ansible_ssh_private_key_file": str(self.directory / "key"), "ansible_ssh_common_args": shlex.join(self._options),
            **self.variables, **variables,
        }  # fmt: skip
        (self.directory / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": {"web": host}}}))
        (self.directory / "play.yml").write_text(yaml.safe_dump([{"hosts": "web", "gather_facts": False, "tasks": tasks}]))
        environment = {
            **os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_HOME": str(self.directory / "ansible"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".dev" / "collections"), "ANSIBLE_NOCOLOR": "1", "COLUMNS": "80",
        }  # fmt: skip
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "inventory.yml", "play.yml", "--diff", *arguments]
        done = subprocess.run(command, cwd=self.directory, env=environment, capture_output=True, text=True, check=False)
        run = Run(done.stdout + done.stderr, done.returncode)
        assert (run.code == 0) is ends_well, run.output
        return run

    def get(self, path: str, *options: str) -> str:
        """What curl gets from outside; status first."""
        command = ["curl", "-s", "--noproxy", "*", "-m", "30", "-w", "\n%{http_code}", *options, f"http://{self.address}{path}"]
        body, _, status = subprocess.run(command, capture_output=True, text=True, check=False).stdout.rpartition("\n")
        return f"{status} {body}"

    def boot_id(self) -> str:
        """Another one after each start; empty while nobody answers."""
        return self.shell("cat /proc/sys/kernel/random/boot_id", check=False)

    def wait(self, before: str = "") -> None:
        """Return when the machine answers, as another boot than `before`."""
        deadline = time.monotonic() + PATIENCE
        while self.boot_id() in ("", before):
            assert self.machine.alive, self.machine.exit_reason
            assert time.monotonic() < deadline, f"the machine does not answer\n{self.machine.console.read_text()[-2000:]}"
            time.sleep(0.5)

    def reboot(self) -> None:
        """Start it again."""
        before = self.boot_id()
        self.machine.reboot()
        self.wait(before)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """A machine as it comes from the image, with a blank volume and some legacy images."""
    directory = tmp_path_factory.mktemp("web")
    image = ensure_image(CACHE)
    disks.overlay(image.root, directory / "root.qcow2", image.root_size)
    disks.create(directory / "volume.raw", 1 << 28)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / "key")], check=True)
    spec = MachineSpec(
        kernel=image.kernel, initrd=image.initrd, root=directory / "root.qcow2", root_id="vol-00000000000000000",
        instance_id="i-00000000000000eb0", hostname="web", ssh_public_keys=((directory / "key.pub").read_text(),),
        user_data=USER_DATA.encode(),
    )  # fmt: skip
    machine = Machine(directory / "machine", spec, accelerator=accelerator(image))
    machine.attach(VOLUME, directory / "volume.raw")
    port = free_port()
    machine.forward(ADDRESS, 22, 22)
    machine.forward(ADDRESS, port, 80)
    machine.start()
    try:
        found = Web(machine, directory, port)
        found.wait()
        yield found
    finally:
        machine.kill()


def free_port() -> int:
    """A port of the host on which nobody listens."""
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        return int(probe.getsockname()[1])
