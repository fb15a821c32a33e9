# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Other versions of ansible-core, each in a virtual environment of its own that is made when it is first asked for."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

CORES = Path(__file__).resolve().parents[2] / ".dev" / "cores"
#: The oldest that is supported, and whatever is the newest that this machine's newest Python can have.
OLDEST, NEWEST = "ansible-core~=2.18.0", "ansible-core<2.22"


def tools(requirement: str, directory: Path = CORES) -> Path:
    """The folder with `ansible-inventory` and its kin of this version. Two processes may ask at once, one may be interrupted."""
    directory.mkdir(parents=True, exist_ok=True)
    python = sys.executable if requirement == OLDEST else newest_python()
    place = directory / re.sub(r"\W+", "-", f"{requirement}-{Path(python).name}")
    with (directory / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "ready").exists():
            shutil.rmtree(place, ignore_errors=True)
            subprocess.run([python, "-m", "venv", str(place)], check=True)
            install = [str(place / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", requirement, "boto3"]
            subprocess.run(install, check=True)
            (place / "ready").touch()
    return place / "bin"


def newest_python() -> str:
    """The newest Python of this machine that the collection supports on the controller."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for version in (13, 12):
        places = [Path(found)] if (found := shutil.which(f"python3.{version}")) else []
        places += sorted(pyenv.glob(f"versions/3.{version}.*/bin/python3.{version}"))
        for place in places:
            if subprocess.run([place, "-c", "import ensurepip, venv"], capture_output=True, check=False).returncode == 0:
                return str(place)
    return sys.executable
