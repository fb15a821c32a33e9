# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The file that says who serves a state directory."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Optional

from sandbox.processes import Identity, is_running


@dataclass(frozen=True)
class Record:
    """A server as it wrote itself down when it was ready."""

    endpoint: str
    api_only: bool
    process: Identity
    addresses: str

    def write(self, path: Path) -> None:
        """Write the record in one piece."""
        scratch = path.with_suffix(f".{os.getpid()}")
        scratch.write_text(json.dumps(asdict(self)), encoding="utf-8")
        scratch.replace(path)

    @classmethod
    def read(cls, path: Path) -> Optional["Record"]:
        """The record at `path`; None if there is none that can be read."""
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            return cls(data["endpoint"], data["api_only"], Identity(**data["process"]), data["addresses"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    @property
    def alive(self) -> bool:
        return is_running(self.process)
