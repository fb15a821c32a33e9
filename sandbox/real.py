# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Real machines and real disk files below the cloud."""

from __future__ import annotations

import logging
import shutil
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Callable, Optional

from sandbox import disks
from sandbox.accelerator import accelerator
from sandbox.hosting import Boot
from sandbox.image import Image, ensure_image
from sandbox.machine import Machine, MachineSpec
from sandbox.settings import Settings
from sandbox.trouble import MachineError, SandboxError

log = logging.getLogger(__name__)

GIB = 1 << 30
#: Seconds for the ssh of a machine to say its name.
PATIENCE = 30.0
#: Tries to find a port for the door of a machine that nobody takes meanwhile.
DOOR_TRIES = 5


def prepare(settings: Settings, tell: Callable[[str], None]) -> None:
    """See to it that machines can be made: tools and image."""
    for tool, package in (("qemu-system-x86_64", "qemu-system-x86"), ("qemu-img", "qemu-utils"), ("ssh-keygen", "openssh-client")):
        if not shutil.which(tool):
            raise SandboxError(f"{tool} is not installed; run: apt-get install {package} (or use --api-only)")
    ensure_image(settings.image_cache, tell)


class RealGuest:
    """A machine that runs, as the cloud sees it."""

    def __init__(self, machine: Machine, hosting: "RealHosting") -> None:
        self._machine = machine
        self._hosting = hosting
        self.door = 0

    @property
    def alive(self) -> bool:
        return self._machine.alive

    def open_door(self) -> None:
        """A port of 127.0.0.1 that always leads to ssh: for status checks and `sandbox ssh`, whatever the groups say."""
        for _ in range(DOOR_TRIES):
            with closing(socket.socket()) as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            try:
                self._machine.forward("127.0.0.1", port, 22)
            except MachineError as error:
                log.info("another program took port %s: %s", port, error)
                continue
            self.door = port
            return
        raise MachineError("no free port on 127.0.0.1 for the machine's ssh")

    def answers(self) -> bool:
        """Whether ssh says its name. QEMU accepts a connection before the guest does, so that alone means nothing.

        Patient: a machine that has little of a busy processor would only get slower by many attempts.
        """
        try:
            with socket.create_connection(("127.0.0.1", self.door), timeout=PATIENCE) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    def shutdown(self, timeout: float) -> None:
        """Power button, then power off."""
        self._machine.shutdown(timeout)

    def reboot(self) -> None:
        """Shut down and start again."""
        self._machine.reboot()

    def kill(self) -> None:
        """Power off."""
        self._machine.kill()

    def attach(self, volume_id: str) -> None:
        """Plug a volume in."""
        self._machine.attach(volume_id, self._hosting.volume(volume_id))

    def detach(self, volume_id: str, timeout: float, force: bool) -> None:
        """Pull a volume out."""
        self._machine.detach(volume_id, timeout, force=force)

    def resize(self, volume_id: str, gibibytes: int) -> None:
        """Make a volume larger while it is in use."""
        self._machine.resize(volume_id, gibibytes * GIB)

    def forward(self, address: str, port: int, guest_port: int) -> None:
        """Open a port."""
        self._machine.forward(address, port, guest_port)

    def unforward(self, address: str, port: int) -> None:
        """Close a port."""
        self._machine.unforward(address, port)

    def paused(self) -> "AbstractContextManager[None]":
        """Stand still."""
        return self._machine.paused()


class RealHosting:
    """Machines in directories, volumes and snapshots in files, all below the state directory."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._image: Image = ensure_image(settings.image_cache, log.info)
        # may take seconds; the first machine waits for it, the API does not
        self._accelerator = ThreadPoolExecutor(max_workers=1, thread_name_prefix="trial").submit(accelerator, self._image)
        self.root_size = self._image.root_size // GIB
        self.user = self._image.user
        for path in (settings.machines, settings.volumes, settings.snapshots):
            path.mkdir(parents=True, exist_ok=True)

    def boot(self, boot: Boot, on_exit: Callable[[str], None]) -> RealGuest:
        """Start a machine with its disks. `on_exit` hears of an end that nobody asked for, "" for a power-off inside."""

        def ended(machine: Machine) -> None:
            end = machine.last_exit
            if end and end.kind != "asked":
                log.warning("%s", end.reason)
                # The rest is what the console said last; it is in the log.
                on_exit("" if end.kind == "guest" else end.reason.splitlines()[0])

        directory, fast = self._settings.machines / boot.instance_id, self._accelerator.result()
        machine = Machine(directory, self._spec(boot), accelerator=fast, on_exit=ended)
        for disk in boot.disks:
            machine.attach(disk.volume_id, self.volume(disk.volume_id))
        machine.start()
        guest = RealGuest(machine, self)
        guest.open_door()
        return guest

    def console(self, instance_id: str) -> Path:
        """The file with all that an instance ever wrote to its console."""
        return self._settings.machines / instance_id / "console.log"

    def discard(self, instance_id: str) -> None:
        """Remove what a terminated machine leaves; its console stays to be read."""
        for path in (self._settings.machines / instance_id).glob("*"):
            if path.name not in ("console.log", "qemu.log"):
                path.unlink(missing_ok=True)

    def create_root(self, volume_id: str, gibibytes: int, snapshot_id: Optional[str]) -> None:
        """A root disk: what differs from the image, or a copy of a snapshot."""
        if snapshot_id:
            self.create_volume(volume_id, gibibytes, snapshot_id)
        else:
            disks.overlay(self._image.root, self._settings.volumes / f"{volume_id}.qcow2", gibibytes * GIB)

    def create_volume(self, volume_id: str, gibibytes: int, snapshot_id: Optional[str]) -> None:
        """A blank volume, or a copy of a snapshot in a disk that may be larger."""
        path = self._settings.volumes / f"{volume_id}.raw"
        if not snapshot_id:
            disks.create(path, gibibytes * GIB)
            return
        disks.copy(self._settings.snapshots / f"{snapshot_id}.raw", path)
        disks.grow(path, gibibytes * GIB)

    def grow_volume(self, volume_id: str, gibibytes: int) -> None:
        """Make the disk of a machine that is off, or of none, larger."""
        disks.grow(self.volume(volume_id), gibibytes * GIB)

    def delete_volume(self, volume_id: str) -> None:
        """Remove the data."""
        self.volume(volume_id).unlink(missing_ok=True)

    def copy_to_snapshot(self, volume_id: str, snapshot_id: str) -> None:
        """Take the data of a volume as they are now. A root disk is only put aside: it has little of its own."""
        source = self.volume(volume_id)
        if source.suffix == ".qcow2":
            shutil.copyfile(source, self._settings.snapshots / f"{snapshot_id}.qcow2")
        else:
            disks.copy(source, self._settings.snapshots / f"{snapshot_id}.raw")

    def finish_snapshot(self, snapshot_id: str) -> None:
        """Make a whole disk of what was put aside; the machine runs on meanwhile."""
        aside = self._settings.snapshots / f"{snapshot_id}.qcow2"
        if aside.exists():
            disks.copy(aside, self._settings.snapshots / f"{snapshot_id}.raw")
            aside.unlink()

    def copy_snapshot(self, source_id: str, snapshot_id: str) -> None:
        """A second copy of the data."""
        disks.copy(self._settings.snapshots / f"{source_id}.raw", self._settings.snapshots / f"{snapshot_id}.raw")

    def delete_snapshot(self, snapshot_id: str) -> None:
        """Remove the data."""
        (self._settings.snapshots / f"{snapshot_id}.raw").unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove all data."""
        for path in (self._settings.machines, self._settings.volumes, self._settings.snapshots):
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir(parents=True, exist_ok=True)

    def volume(self, volume_id: str) -> Path:
        """The file behind a volume: raw, but a root disk that is based on the image."""
        root = self._settings.volumes / f"{volume_id}.qcow2"
        return root if root.exists() else root.with_suffix(".raw")

    def _spec(self, boot: Boot) -> MachineSpec:
        root = self.volume(boot.root_volume_id)
        return MachineSpec(
            kernel=self._image.kernel,
            initrd=self._image.initrd,
            root=root,
            root_id=boot.root_volume_id,
            root_format=root.suffix[1:],
            instance_id=boot.instance_id,
            hostname=boot.hostname,
            ssh_public_keys=boot.public_keys,
            user_data=boot.user_data,
            private_ip=boot.private_ip,
        )
