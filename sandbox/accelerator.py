# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Hardware virtualisation where a guest really runs under it, software emulation everywhere else."""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from pathlib import Path
from typing import List

KVM = "kvm"
TCG = "tcg"
#: The last words of the firmware on its debug port: by then memory, timers and interrupts have worked.
SIGN_OF_LIFE = b"No bootable device"
#: Under KVM the firmware gets there in well under a second.
PATIENCE = 5.0


def accelerator(cache: Path, device: Path = Path("/dev/kvm")) -> str:
    """`kvm` or `tcg`. Tried once per boot of the host: some hosts offer a /dev/kvm under which no guest ever runs."""
    chosen = os.environ.get("STEADFAST_SANDBOX_ACCELERATOR", "")
    if chosen in (KVM, TCG):
        return chosen
    if not os.access(device, os.R_OK | os.W_OK):
        return TCG
    memory = cache / "accelerator.json"
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    try:
        known = json.loads(memory.read_text())
        if known["boot"] == boot and known["accelerator"] in (KVM, TCG):
            return str(known["accelerator"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not tried yet
    found = KVM if guest_runs(probe_argv(KVM)) else TCG
    cache.mkdir(parents=True, exist_ok=True)
    memory.write_text(json.dumps({"boot": boot, "accelerator": found}))
    return found


def probe_argv(name: str) -> List[str]:
    """A machine without disks whose firmware talks to standard output."""
    argv = ["qemu-system-x86_64", "-machine", "q35", "-accel", name, "-m", "64", "-nodefaults", "-display", "none"]
    return [*argv, "-chardev", "stdio,id=debug", "-device", "isa-debugcon,iobase=0x402,chardev=debug"]


def guest_runs(argv: List[str], patience: float = PATIENCE) -> bool:
    """Whether the program gives the sign of life in time; it is ended either way."""
    said = b""
    deadline = time.monotonic() + patience
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        output = process.stdout.fileno() if process.stdout else -1
        try:
            while SIGN_OF_LIFE not in said:
                ready, _, _ = select.select([output], [], [], max(deadline - time.monotonic(), 0))
                chunk = os.read(output, 4096) if ready else b""
                if not chunk:
                    return False
                said += chunk
            return True
        finally:
            process.kill()
