# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Machines and disks that are only written down: the states change, nothing runs. Serves `--api-only` and tests."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Dict, Iterator, Optional, Set, Tuple

from sandbox.hosting import Boot


class PaperGuest:
    """Remembers what it was told."""

    def __init__(self, boot: Boot, on_exit: Callable[[str], None]) -> None:
        self.boot = boot
        self.door = 0
        self.alive = True
        self.disks: Set[str] = {disk.volume_id for disk in boot.disks}
        self.forwards: Set[Tuple[str, int]] = set()
        self.sizes: Dict[str, int] = {}
        self._on_exit = on_exit

    def shutdown(self, timeout: float) -> None:
        """Be off."""
        self.alive = False

    def reboot(self) -> None:
        """Nothing to do."""

    def kill(self) -> None:
        """Be off."""
        self.alive = False

    def die(self, reason: str) -> None:
        """What happens to real machines now and then."""
        self.alive = False
        self._on_exit(reason)

    def attach(self, volume_id: str) -> None:
        """Note the disk."""
        self.disks.add(volume_id)

    def detach(self, volume_id: str, timeout: float, force: bool) -> None:
        """Strike the disk out."""
        self.disks.discard(volume_id)

    def resize(self, volume_id: str, gibibytes: int) -> None:
        """Note the size."""
        self.sizes[volume_id] = gibibytes

    def forward(self, address: str, port: int, guest_port: int) -> None:
        """Note the port."""
        self.forwards.add((address, port))

    def unforward(self, address: str, port: int) -> None:
        """Strike the port out."""
        self.forwards.discard((address, port))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """It never moves."""
        yield

    def answers(self) -> bool:
        """It always would."""
        return self.alive


class PaperHosting:
    """Keeps no files."""

    root_size = 8
    user = "admin"

    def __init__(self) -> None:
        self.guests: Dict[str, PaperGuest] = {}

    def boot(self, boot: Boot, on_exit: Callable[[str], None]) -> PaperGuest:
        """A guest that is up at once."""
        self.guests[boot.instance_id] = guest = PaperGuest(boot, on_exit)
        return guest

    def discard(self, instance_id: str) -> None:
        """Forget the guest."""
        self.guests.pop(instance_id, None)

    def console(self, instance_id: str) -> Path:
        """A file that does not exist."""
        return Path("/nonexistent") / instance_id

    def create_root(self, volume_id: str, gibibytes: int, snapshot_id: Optional[str]) -> None:
        """Nothing to do."""

    def create_volume(self, volume_id: str, gibibytes: int, snapshot_id: Optional[str]) -> None:
        """Nothing to do."""

    def grow_volume(self, volume_id: str, gibibytes: int) -> None:
        """Nothing to do."""

    def delete_volume(self, volume_id: str) -> None:
        """Nothing to do."""

    def copy_to_snapshot(self, volume_id: str, snapshot_id: str) -> None:
        """Nothing to do."""

    def finish_snapshot(self, snapshot_id: str) -> None:
        """Nothing to do."""

    def copy_snapshot(self, source_id: str, snapshot_id: str) -> None:
        """Nothing to do."""

    def delete_snapshot(self, snapshot_id: str) -> None:
        """Nothing to do."""

    def clear(self) -> None:
        """Forget all guests."""
        self.guests.clear()
