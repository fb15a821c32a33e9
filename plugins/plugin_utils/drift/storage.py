# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files that are whole or not there: 0600 in a directory of 0700, replaced in one step, one writer at a time."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .problems import CannotTell


def private_directory(path: Path) -> Path:
    """The directory, made with mode 0700 where it is missing; one that others may write to is refused."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        mode = path.stat().st_mode
    except OSError as error:
        raise CannotTell("no_state", f"{path}: cannot be used as state directory: {error.strerror}") from error
    if mode & 0o022:
        raise CannotTell("no_state", f"{path}: others may write to it (mode {mode & 0o777:04o}). Use chmod 0700, or another directory.")
    return path


def write_atomic(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace `path` in one step; a crash at any point leaves the old file or the new one, whole and on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, scratch = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        Path(scratch).replace(path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_json(path: Path, value: Any, mode: int = 0o600) -> None:
    """`value` as JSON, replaced in one step. On one line: indenting takes ten times as long, and `jq .` does it for readers."""
    write_atomic(path, json.dumps(value, sort_keys=True) + "\n", mode)


def read_json(path: Path) -> Any:
    """The JSON in `path`, None where there is no file; raises CannotTell for anything that is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise CannotTell(
            "no_state", f"{path}: cannot be read: {error}. It is written in one step, so something else changed it."
        ) from error


@contextlib.contextmanager
def locked(directory: Path, wait: bool = True) -> Iterator[None]:
    """Alone with the state in `directory`; raises CannotTell where `wait` is off and somebody else is at it."""
    descriptor = os.open(private_directory(directory) / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise CannotTell("busy", f"{directory}: another run is at work there. This one did nothing.") from error
        yield


def secret_key(directory: Path) -> bytes:
    """The key of the hashes that stand for hidden values; made once, the same for all processes at once."""
    path = private_directory(directory) / "key"
    if not path.exists():
        descriptor, scratch = tempfile.mkstemp(prefix=".key.", dir=directory)
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(secrets.token_hex(32))
        with contextlib.suppress(FileExistsError):
            os.link(scratch, path)  # link, not rename: who comes second takes the first one's key
        Path(scratch).unlink()
    return bytes.fromhex(path.read_text(encoding="ascii").strip())
