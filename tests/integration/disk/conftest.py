# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One machine with many volumes, and the ways to talk to it."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox import disks, qemu
from sandbox.accelerator import accelerator
from sandbox.image import ensure_image
from sandbox.machine import Machine, MachineSpec

from .line import Line

ROOT = Path(__file__).resolve().parents[3]
CACHE = ROOT / ".dev" / "images"
MIB = 1 << 20
#: Tests run in several processes, perhaps of several checkouts, each with a machine of its own.
ADDRESS, PORT = f"127.9.{os.getpid() >> 8 & 255}.{os.getpid() & 255}", 2294

#: name of a volume → options of the attachment. Few: each costs the emulated machine time at boot and at each daemon-reload.
VOLUMES: dict[str, dict[str, Any]] = {
    "blank": {},
    "scratch": {},
    "twin": {},
    "read-only": {"read_only": True},
    "nvme": {"bus": "nvme", "logical_block_size": 4096},
}
SIZE = 32 * MIB


#: Volumes that a test attaches while the machine runs, and detaches when it is through.
LATER = ("late", "failing", "unreadable", "copy", "xfs", "nvme-xfs", "cut-0", "cut-1", "cut-2", "cut-3", "cut-4")


def volume_id(name: str) -> str:
    """The id of a volume by its name here."""
    return f"vol-{[*VOLUMES, *LATER].index(name) + 1:017x}"


@dataclass
class Guest:
    """The machine under test."""

    machine: Machine
    directory: Path

    @cached_property
    def line(self) -> Line:
        return Line(self.ssh)

    @property
    def ssh(self) -> list[str]:
        options = [
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
            "ConnectTimeout=60",
            "ServerAliveInterval=5",
        ]
        return ["ssh", "-i", str(self.directory / "key"), "-p", str(PORT), *(f"-o{option}" for option in options), f"admin@{ADDRESS}"]

    def shell(self, text: str, check: bool = True) -> str:
        """Run commands as root; what they said."""
        code, output, errors = self.line.ask("bash", text)
        assert not check or code == 0, errors
        return str(output).strip()

    def call(self, function: str, argument: Any) -> Any:
        """A function of guest.py, run inside."""
        return self.line.ask(function, argument)

    def play(self, *tasks: dict[str, Any], **hostvars: Any) -> list[dict[str, Any]]:
        """Run tasks with ansible over ssh; the result of each. A failing task is a result, too."""
        results = self.directory / "results.json"
        registered = [
            task if "block" in task else {**task, "register": f"r{number}", "ignore_errors": True} for number, task in enumerate(tasks)
        ]
        names = ", ".join(f"r{number} | default({{}})" for number in range(len(tasks)))
        keep: dict[str, Any] = {
            "ansible.builtin.copy": {"content": "{{ [" + names + "] | to_json }}", "dest": str(results), "mode": "0600"}
        }
        keep |= {"delegate_to": "localhost", "become": False, "check_mode": False, "diff": False}
        host = {
            "ansible_host": ADDRESS, "ansible_port": PORT, "ansible_user": "admin", "ansible_become": True,
            "ansible_ssh_private_key_file": str(self.directory / "key"), "ansible_python_interpreter": "/usr/bin/python3",
            "ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR", **hostvars,
        }  # fmt: skip
        (self.directory / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": {"machine": host}}}))
        play = [{"hosts": "machine", "gather_facts": False, "tasks": [*registered, keep]}]
        (self.directory / "play.yml").write_text(yaml.safe_dump(play))
        environment = {
            **os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_HOME": str(self.directory / "ansible"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".dev" / "collections"), "ANSIBLE_ROLES_PATH": str(ROOT / "roles"),
            "ANSIBLE_TIMEOUT": "300",
        }  # fmt: skip
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "inventory.yml", "play.yml"]
        done = subprocess.run(command, cwd=self.directory, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "[WARNING]" not in done.stdout + done.stderr
        found: list[dict[str, Any]] = json.loads(results.read_text())
        return found

    def reboot(self) -> None:
        """Start the machine again, and wait until it answers as another boot."""
        before = self.shell("cat /proc/sys/kernel/random/boot_id")
        self.line.hang_up()
        self.machine.reboot()
        self.wait(before)

    def lose_power(self) -> None:
        """Take the power away without a word, give it back, and wait until the machine answers."""
        before = self.shell("cat /proc/sys/kernel/random/boot_id")
        self.line.hang_up()
        self.machine.kill()
        self.machine.start()
        self.wait(before)

    @contextmanager
    def with_volume(self, name: str, size: int = SIZE, source: Path | None = None, **options: Any) -> Iterator[str]:
        """A volume that is attached for a while, blank or a copy of `source`; its id."""
        self.file(name).unlink(missing_ok=True)
        if source is None:
            disks.create(self.file(name), size)
        else:
            shutil.copyfile(source, self.file(name))
        self.machine.attach(volume_id(name), self.file(name), **options)
        try:
            yield volume_id(name)
        finally:
            self.machine.detach(volume_id(name))

    @contextmanager
    def with_failing_volume(self, name: str, kind: str) -> Iterator[str]:
        """A volume of which every `kind` (read, write) fails; the virtual hardware says so, as a broken disk would."""
        disks.create(self.file(name), SIZE)
        attachment = qemu.Attachment(volume_id(name), self.file(name), self.machine._free_port(), "virtio", 512, False)
        error = {"event": "none", "iotype": kind, "errno": 5, "once": False}
        broken = {"driver": "blkdebug", "image": {"driver": "file", "filename": str(self.file(name))}, "inject-error": [error]}
        node = qemu.node_name(attachment.volume_id)
        self.machine._execute("blockdev-add", **{"driver": "raw", "node-name": node, "file": broken})
        self.machine._execute("device_add", **qemu.volume_device(attachment))
        try:
            yield volume_id(name)
        finally:
            self.machine._execute("device_del", id=qemu.device_id(attachment.volume_id))
            for _ in range(60):
                if attachment.serial not in self.shell("cat /sys/block/*/serial", check=False):
                    break
                time.sleep(0.5)

    def wait(self, before: str = "") -> None:
        """ssh answers, after the boot `before`."""
        for _ in range(600):
            try:
                if self.shell("cat /proc/sys/kernel/random/boot_id") != before:
                    return
                self.line.hang_up()
            except ConnectionError:
                assert self.machine.alive, self.machine.exit_reason
            time.sleep(0.5)
        raise AssertionError("the machine does not answer")

    def unpack(self) -> None:
        """The code that is tested is inside; waits until the machine lets us in."""
        command = [*self.ssh, "sudo mkdir -p /opt/test && sudo tar -C /opt/test -xf - && sync"]
        for _ in range(600):
            if subprocess.run(command, input=_code(), capture_output=True, check=False).returncode == 0:
                return
            assert self.machine.alive, self.machine.exit_reason
            time.sleep(0.5)
        raise AssertionError("the machine does not answer")

    def file(self, name: str) -> Path:
        """The file behind a volume."""
        return self.directory / f"{name}.raw"


@pytest.fixture(scope="session")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    """The machine, started once for all tests of a process."""
    with started(tmp_path_factory.mktemp("disk")) as guest:
        yield guest


@contextmanager
def started(directory: Path) -> Iterator[Guest]:
    """A machine with its volumes, and the code that is tested inside it."""
    machine = _machine(directory)
    guest = Guest(machine, directory)
    for name, options in VOLUMES.items():
        disks.create(guest.file(name), SIZE)
        machine.attach(volume_id(name), guest.file(name), **options)
    machine.start()
    try:
        guest.unpack()
        yield guest
    finally:
        if "line" in vars(guest):
            guest.line.hang_up()
        machine.kill()


def _machine(directory: Path) -> Machine:
    image = ensure_image(CACHE)
    disks.overlay(image.root, directory / "root.qcow2", image.root_size)
    key = directory / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    spec = MachineSpec(
        kernel=image.kernel,
        initrd=image.initrd,
        root=directory / "root.qcow2",
        root_id="vol-00000000000000000",
        instance_id="i-00000000000000000",
        hostname="disk-test",
        ssh_public_keys=(Path(f"{key}.pub").read_text(),),
    )
    machine = Machine(directory / "machine", spec, accelerator=accelerator(image))
    machine.forward(ADDRESS, PORT, 22)
    return machine


def _code() -> bytes:
    """The engine, the disk code and guest.py as a tar archive: guest.py with what it imports, and the packages by their full names."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name in ("guest.py", "cuts.py"):
            tar.add(Path(__file__).parent / name, name)
        for part in ("engine", "disk"):
            for path in sorted((ROOT / "plugins/module_utils" / part).glob("*.py")):
                tar.add(path, f"ansible_collections/steadfast/ec2/plugins/module_utils/{part}/{path.name}")
    return archive.getvalue()
