# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The collections of others that tests and benchmarks run: taken from the `ansible` package, only what is needed."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PEERS = CHECKOUT / ".dev" / "peers"
#: The package that brings amazon.aws 10.1.2 and community.aws 10.0.0.
PACKAGE = "ansible==12.3.0"


def amazon_aws(directory: Path = PEERS) -> Path:
    """A collections path with `amazon.aws` in it; downloaded the first time."""
    return collections("amazon/aws", directory=directory)


def collections(*names: str, directory: Path = PEERS) -> Path:
    """A collections path with these collections in it. Two processes may ask at once, and one may be interrupted."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lacking = [name for name in names if not (directory / "ansible_collections" / name / "MANIFEST.json").exists()]
        if lacking:
            _unpack(_wheel(directory), lacking, directory)
    return directory


def _wheel(directory: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", PACKAGE]
    subprocess.run([*command, "--dest", str(directory)], check=True)
    return next(directory.glob("ansible-*.whl"))


def _unpack(wheel: Path, names: list[str], directory: Path) -> None:
    scratch = directory / ".unpacking"
    shutil.rmtree(scratch, ignore_errors=True)
    with zipfile.ZipFile(wheel) as archive:
        for name in names:
            prefix = f"ansible_collections/{name}/"
            archive.extractall(scratch, [entry for entry in archive.namelist() if entry.startswith(prefix)])
            target = directory / prefix
            shutil.rmtree(target, ignore_errors=True)
            target.parent.mkdir(parents=True, exist_ok=True)
            (scratch / prefix).rename(target)
    shutil.rmtree(scratch)
    wheel.unlink()
