# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Public addresses: every sandbox takes a 127.x.0.0/16 of its own and hands out addresses from it."""

from __future__ import annotations

import socket
import threading
from contextlib import closing
from typing import Callable, Optional, Set

from sandbox.trouble import SandboxError

#: Ranges 127.<first>.0.0/16 that are tried; 127.0 is everybody's, 127.53 and 127.0.1 are taken by some systems.
RANGES = range(64, 250)
#: Whoever holds this port on the last address of a range owns the range.
LOCK_PORT = 45990


def is_free(address: str, port: int) -> bool:
    """Whether nobody listens on `address:port`."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
        return True


class LoopbackPool:
    """Hands out addresses, each one only once at a time, and not again soon after it was given back."""

    def __init__(self, check: Optional[Callable[[str], bool]] = None) -> None:
        self._lock = threading.Lock()
        self._taken: Set[str] = set()
        self._last = 0
        self._check = check or (lambda address: True)
        self._claim = self._claim_range()

    @property
    def range(self) -> str:
        return f"127.{self._prefix}.0.0/16"

    def take(self) -> str:
        """A free address."""
        with self._lock:
            for _ in range(1 << 16):
                self._last = self._last % 65000 + 1
                address = f"127.{self._prefix}.{self._last >> 8}.{self._last & 255}"
                # .0 and .255 are legal hosts here, but look wrong to people and to some programs.
                if self._last & 255 in (0, 255) or address in self._taken or not self._check(address):
                    continue
                self._taken.add(address)
                return address
        raise SandboxError(f"all addresses of {self.range} are taken; release Elastic IPs or terminate instances")

    def give_back(self, address: Optional[str]) -> None:
        """Make `address` free again; None and foreign addresses are fine."""
        with self._lock:
            self._taken.discard(address or "")

    def clear(self) -> None:
        """Forget all that was handed out."""
        with self._lock:
            self._taken.clear()

    def close(self) -> None:
        """Leave the range to others."""
        self._claim.close()

    def _claim_range(self) -> socket.socket:
        for prefix in RANGES:
            claim = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                claim.bind((f"127.{prefix}.255.254", LOCK_PORT))
                claim.listen(1)
            except OSError:
                claim.close()
                continue
            self._prefix = prefix
            return claim
        raise SandboxError("no free 127.x.0.0/16 range is left; other sandboxes hold them all (./dev sandbox down)")
