# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Private keys on this machine: made with ssh-keygen, written once, readable by their owner only, never returned."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from dataclasses import dataclass
from typing import List, Optional, Tuple

from ..engine.errors import CommandFailed, InvalidInput
from .fingerprint import fingerprints, kind

_SECONDS = 120
#: Bytes in a file name on Linux (NAME_MAX, limits.h).
_LONGEST = 255
#: EC2 imports RSA keys of 1024, 2048 and 4096 bits (User Guide, "Create a key pair"); the 3072 that ssh-keygen prefers are refused.
_BITS = {"rsa": ("-b", "4096")}


@dataclass(frozen=True)
class KeyFile:
    """What is known of a private key file. `public_key` is None where there is no file."""

    path: str
    public_key: Optional[str] = None
    #: What EC2 may show for this key; nothing of the private half can be had from it.
    fingerprints: Tuple[str, ...] = ()
    #: Why no key can be written there; None where it can.
    problem: Optional[str] = None


def look(path: str) -> KeyFile:
    """The state of a private key file; raises InvalidInput where the file is not a private key that can be read."""
    full = os.path.abspath(os.path.expanduser(path))
    if os.path.isdir(full):
        raise InvalidInput("is a directory", resource=full, wanted="a private key file", do="Name a file in it.")
    if os.path.exists(full):
        public = _public_half(full)
        if kind(public) is None:
            raise InvalidInput(
                "is a private key of a kind that EC2 does not take",
                resource=full,
                found=public.split()[0],
                do="Use an RSA or ED25519 key, or name a file that does not exist yet.",
            )
        with open(full, encoding="ascii", errors="replace") as file:
            return KeyFile(full, public, fingerprints(public, file.read()))
    if os.path.islink(full):
        return KeyFile(full, problem="it is a symbolic link to something that does not exist")
    if len(os.fsencode(os.path.basename(full))) > _LONGEST:
        return KeyFile(full, problem=f"a file name has at most {_LONGEST} bytes")
    parent = os.path.dirname(full)
    if not os.path.isdir(parent):
        return KeyFile(full, problem=f"the directory {parent} does not exist")
    if not os.access(parent, os.W_OK | os.X_OK):
        return KeyFile(full, problem=f"the directory {parent} is not writable")
    return KeyFile(full)


def generate(path: str, key_type: str, comment: str) -> str:
    """Make a key pair, put the private half at `path` (0400, at once whole), and return the public half.

    A file that appeared there meanwhile is kept, and its public half returned.
    """
    try:
        with tempfile.TemporaryDirectory(prefix=".steadfast-", dir=os.path.dirname(path)) as directory:
            fresh = os.path.join(directory, "key")
            _run(["ssh-keygen", "-q", "-t", key_type, *_BITS.get(key_type, ()), "-N", "", "-C", comment, "-f", fresh], path)
            os.chmod(fresh, 0o400)
            _to_disk(fresh)
            with contextlib.suppress(FileExistsError):
                os.link(fresh, path)
            _to_disk(os.path.dirname(path))
        return _public_half(path)
    except OSError as error:
        do = "Name a file in a directory of your own with room on its filesystem."
        raise InvalidInput("the private key cannot be written", resource=path, found=str(error.strerror), do=do) from error


def same(one: Optional[str], other: Optional[str]) -> bool:
    """Whether two public keys are the same key; comments do not count."""
    return bool(one) and bool(other) and str(one).split()[:2] == str(other).split()[:2]


def _public_half(path: str) -> str:
    mode = os.stat(path).st_mode & 0o077
    if mode:
        raise InvalidInput(
            "the private key file can be read by others",
            resource=path,
            wanted="mode 0400 or 0600",
            found=f"mode {os.stat(path).st_mode & 0o777:04o}",
            do=f"ssh would refuse it too: chmod 0400 {path}",
        )
    text = _run(["ssh-keygen", "-y", "-P", "", "-f", path], path)
    return " ".join(text.split()[:2])


def _run(command: List[str], path: str) -> str:
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except FileNotFoundError:
        raise CommandFailed("ssh-keygen is not installed", resource=path, do="Install the OpenSSH client (openssh-client).") from None
    except subprocess.TimeoutExpired:
        raise CommandFailed("ssh-keygen did not end", resource=path, found=f"still running after {_SECONDS} s") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise InvalidInput(
            "is not a private key without a passphrase",
            resource=path,
            found=lines[-1],
            do="Name a file with an unencrypted private key, or one that does not exist yet.",
        )
    return done.stdout


def _to_disk(path: str) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
