# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Another EC2 emulator than moto, by other people: MiniStack from PyPI, in a virtual environment of its own."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.sandbox import CHECKOUT, eventually, free_port

#: It pins a botocore of its own, so it cannot live beside ours.
PACKAGE = "ministack==1.5.33"
HOME = CHECKOUT / ".dev" / "second-emulator"


def _python() -> Path:
    """Its Python, installed the first time; two processes may ask at once, and one may be interrupted."""
    HOME.mkdir(parents=True, exist_ok=True)
    python, done = HOME / "venv" / "bin" / "python", HOME / "installed"
    with (HOME / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists() or done.read_text() != PACKAGE:
            subprocess.run([sys.executable, "-m", "venv", "--clear", HOME / "venv"], check=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", "--only-binary", ":all:", PACKAGE], check=True)
            done.write_text(PACKAGE)
    return python


@contextmanager
def second_emulator(directory: Path) -> Iterator[str]:
    """The address of a running one; it ends with the block."""
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))},
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "SERVICES": "ec2,sts",
        "LOG_LEVEL": "WARNING",
        "TMPDIR": str(directory),
    }
    with (directory / "emulator.log").open("w") as log:
        server = subprocess.Popen([_python(), "-m", "ministack"], cwd=directory, env=environment, stdout=log, stderr=log)
    try:
        eventually(lambda: server.poll() is not None or _answers(endpoint), timeout=120)
        assert server.poll() is None, (directory / "emulator.log").read_text()
        yield endpoint
    finally:
        server.terminate()
        server.wait(30)


def reset(endpoint: str) -> None:
    """An empty account."""
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/_ministack/reset", method="POST"), timeout=30).close()


def _answers(endpoint: str) -> bool:
    try:
        urllib.request.urlopen(f"{endpoint}/_ministack/health", timeout=5).close()
    except OSError:
        return False
    return True
