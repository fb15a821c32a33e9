# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""`python -m sandbox.machine`: one machine with blank volumes and no EC2 around it, to try things inside a machine."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import List, Optional

from sandbox import disks
from sandbox.accelerator import accelerator
from sandbox.image import ensure_image
from sandbox.machine import Machine, MachineSpec
from sandbox.trouble import SandboxError

UNITS = {"K": 10, "M": 20, "G": 30, "T": 40}


def arguments(argv: Optional[List[str]]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.machine", description=__doc__)
    parser.add_argument("--dir", type=Path, required=True, help="where the machine lives; an existing one starts again")
    parser.add_argument("--cache", type=Path, default=Path(".dev/images"), help="where the image is (default: %(default)s)")
    parser.add_argument("--volume", metavar="SIZE", action="append", default=[], help="a blank volume, as 1G; repeat for more")
    parser.add_argument("--bus", choices=("virtio", "nvme"), default="virtio", help="what the volumes look like inside")
    parser.add_argument("--sector", type=int, choices=(512, 4096), default=512, help="sector size of the volumes")
    parser.add_argument("--address", default="127.0.1.1", help="where ssh answers (default: %(default)s)")
    parser.add_argument("--port", type=int, default=22, help="(default: %(default)s)")
    parser.add_argument("--user-data", type=Path, help="a file with user data")
    return parser.parse_args(argv)


def size_in_bytes(text: str) -> int:
    """`1G` as a number of bytes."""
    unit = text[-1:].upper()
    return int(text[:-1]) << UNITS[unit] if unit in UNITS else int(text)


def make(options: argparse.Namespace) -> Machine:
    """The machine of the command line, with its volumes attached."""
    directory = options.dir.absolute()
    directory.mkdir(parents=True, exist_ok=True)
    image = ensure_image(options.cache.absolute())
    root, key = directory / "root.qcow2", directory / "key"
    if not root.exists():
        disks.overlay(image.root, root, image.root_size)
    if not key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "sandbox", "-f", str(key)], check=True)
    spec = MachineSpec(
        kernel=image.kernel,
        initrd=image.initrd,
        root=root,
        root_id="vol-00000000000000000",
        instance_id="i-00000000000000000",
        hostname="single",
        ssh_public_keys=(Path(f"{key}.pub").read_text(),),
        user_data=options.user_data.read_bytes() if options.user_data else b"",
    )
    machine = Machine(directory / "machine", spec, accelerator=accelerator(image))
    for number, size in enumerate(options.volume, start=1):
        path = directory / f"volume-{number}.raw"
        if not path.exists():
            disks.create(path, size_in_bytes(size))
        machine.attach(f"vol-{number:017x}", path, bus=options.bus, logical_block_size=options.sector)
    machine.forward(options.address, options.port, 22)
    return machine


def ssh_argv(key: Path, address: str, port: int, user: str = "admin") -> List[str]:
    """How to log in."""
    quiet = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
    return ["ssh", "-i", str(key), "-p", str(port), *quiet, f"{user}@{address}"]


def main(argv: Optional[List[str]] = None) -> None:
    """Run one machine until Ctrl-C or SIGTERM."""
    options = arguments(argv)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        machine = make(options)
        began = time.monotonic()
        machine.start()
        login = ssh_argv(options.dir.absolute() / "key", options.address, options.port)
        while not stop.is_set() and machine.alive:
            if subprocess.run([*login, "-o", "ConnectTimeout=60", "true"], capture_output=True, check=False).returncode == 0:
                break
            stop.wait(0.2)
        print(f"ssh answers after {time.monotonic() - began:.1f} s; log in with:\n{' '.join(login)}", flush=True)
        while not stop.wait(0.5) and machine.alive:
            pass
        if not machine.alive:
            sys.exit(machine.exit_reason)
        machine.shutdown(30)
    except SandboxError as error:
        sys.exit(f"{error}")
