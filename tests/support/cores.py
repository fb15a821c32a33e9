# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Other versions of ansible-core, each in a folder of its own that is filled when it is first asked for, and used again ever after.

A folder and a search path are enough: a virtual environment of its own, with a pip and another botocore, would take most of a minute.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

CORES = Path(__file__).resolve().parents[2] / ".dev" / "cores"
#: The oldest that is supported, and whatever is the newest that this machine's newest Python can have.
OLDEST, NEWEST = "ansible-core~=2.18.0", "ansible-core<2.22"


@dataclass(frozen=True)
class Core:
    """A Python, and the PYTHONPATH with which it has this version of ansible-core."""

    python: Path
    path: str


def core(requirement: str, directory: Path = CORES) -> Core:
    """This version; installed the first time. Two processes may ask at once, and one may be interrupted."""
    directory.mkdir(parents=True, exist_ok=True)
    python = Path(sys.executable) if requirement == OLDEST else newest_python()
    version = _version(python)
    place = directory / re.sub(r"\W+", "-", f"{requirement}-{version}")
    with (directory / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "ready").exists():
            shutil.rmtree(place, ignore_errors=True)
            _install(requirement, version, place)
            (place / "ready").touch()
    # what is pure Python, such as botocore, is that of this environment
    return Core(python, f"{place}:{sysconfig.get_path('purelib')}")


def _install(requirement: str, version: str, place: Path) -> None:
    """ansible-core alone where the rest is there already, else with what it needs, for a Python that needs not be this one."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile", "--target", str(place)]
    own = version == _version(Path(sys.executable))
    other = ["--only-binary", ":all:", "--python-version", version, "--implementation", "cp"]
    subprocess.run([*command, *(["--no-deps"] if own else other), requirement], check=True)


def _version(python: Path) -> str:
    """`3.13`."""
    command = [python, "-c", "import sys; print('{}.{}'.format(*sys.version_info))"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def newest_python() -> Path:
    """The newest Python of this machine that the collection supports on the controller."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for version in (13, 12):
        places = [Path(found)] if (found := shutil.which(f"python3.{version}")) else []
        places += sorted(pyenv.glob(f"versions/3.{version}.*/bin/python3.{version}"))
        for place in places:
            if subprocess.run([place, "-c", "import ssl"], capture_output=True, check=False).returncode == 0:
                return place
    return Path(sys.executable)
