# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Finding the private key that belongs to a public one."""

from __future__ import annotations

import os
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import Iterator, Optional, Tuple

from sandbox.settings import CHECKOUT

#: Where keys are looked for: where the inventory of the sandbox puts them, then where people keep theirs.
PLACES = (Path(os.environ.get("STEADFAST_KEYS") or CHECKOUT / ".dev" / "keys"), Path.home() / ".ssh")


def find_private_key(public_key: str, places: Tuple[Path, ...] = PLACES) -> Optional[str]:
    """The file of the private key that belongs to `public_key`; None if there is none in the usual places."""
    wanted = _material(public_key)
    if not wanted:
        return None
    for path in _candidates(places):
        if _material(_public_half(str(path), path.stat().st_mtime_ns)) == wanted:
            return str(path)
    return None


def _candidates(places: Tuple[Path, ...]) -> Iterator[Path]:
    for place in places:
        for path in sorted(place.glob("*")) if place.is_dir() else []:
            if path.is_file() and path.suffix != ".pub" and path.stat().st_size < 20000:
                yield path


def _material(public_key: str) -> str:
    """Type and data of a public key, without its comment."""
    return " ".join(public_key.split()[:2])


@lru_cache(maxsize=256)
def _public_half(path: str, changed: int) -> str:
    """The public key of a private key file, "" if it is none; `changed` only keeps the cache honest."""
    with Path(path).open("rb") as file:
        if b"PRIVATE KEY" not in file.read(200):
            return ""
    command = ["ssh-keygen", "-y", "-P", "", "-f", path]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
