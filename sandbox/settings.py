# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where a sandbox keeps its files and how it behaves."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

DEFAULT_PORT = 4599
ACCOUNT_ID = "123456789012"
CHECKOUT = Path(__file__).resolve().parent.parent


def default_directory() -> Path:
    """The state directory: $STEADFAST_SANDBOX_DIR, else .dev/sandbox in the checkout."""
    return Path(os.environ.get("STEADFAST_SANDBOX_DIR") or CHECKOUT / ".dev" / "sandbox")


@dataclass(frozen=True)
class Settings:
    """One sandbox. Everything it writes is below `directory`, but the image cache."""

    directory: Path
    port: int = DEFAULT_PORT
    api_only: bool = False
    #: Seconds that a state such as pending, creating or modifying lasts at least.
    pace: float = 0.2
    image_cache: Path = CHECKOUT / ".dev" / "images"

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def machines(self) -> Path:
        return self.directory / "machines"

    @property
    def volumes(self) -> Path:
        return self.directory / "volumes"

    @property
    def snapshots(self) -> Path:
        return self.directory / "snapshots"

    @property
    def calls(self) -> Path:
        return self.directory / "calls.jsonl"

    @property
    def log(self) -> Path:
        return self.directory / "sandbox.log"

    @property
    def record(self) -> Path:
        """The file that says which process serves this directory."""
        return self.directory / "server.json"
