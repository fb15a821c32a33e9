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

from sandbox import qemu
from sandbox.image import Image

KVM = "kvm"
TCG = "tcg"
#: What guest/init says without a seed: by then the kernel has come up, unpacked its initrd and started a program.
SIGN_OF_LIFE = b"sandbox: cannot boot"
#: Hardware gets there in a second or two. What takes longer is no faster than software emulation, and was seen to die
#: later (nested virtualisation that emulates the kernel's instructions, and not all of them).
PATIENCE = 5.0


def accelerator(image: Image, device: Path = Path("/dev/kvm")) -> str:
    """`kvm` or `tcg`. Tried once per boot of the host: some hosts offer a /dev/kvm under which hardly a guest runs."""
    chosen = os.environ.get("STEADFAST_SANDBOX_ACCELERATOR", "")
    if chosen in (KVM, TCG):
        return chosen
    if not os.access(device, os.R_OK | os.W_OK):
        return TCG
    memory = image.kernel.with_name("accelerator.json")
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    try:
        known = json.loads(memory.read_text())
        if known["boot"] == boot and known["accelerator"] in (KVM, TCG):
            return str(known["accelerator"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not tried yet
    found = KVM if guest_runs(probe_argv(KVM, image)) else TCG
    memory.write_text(json.dumps({"boot": boot, "accelerator": found}))
    return found


def probe_argv(name: str, image: Image) -> List[str]:
    """A machine with the kernel and the initrd of the image and without a disk, whose console is standard output."""
    argv = ["qemu-system-x86_64", *qemu.processor_args(name, cpus=1), "-m", "256", "-no-user-config", "-nodefaults", "-display", "none"]
    argv += ["-kernel", str(image.kernel), "-initrd", str(image.initrd), "-append", f"console=ttyS0 {qemu.KERNEL_OPTIONS}"]
    return [*argv, "-serial", "stdio"]


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
