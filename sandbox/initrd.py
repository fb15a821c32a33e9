# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The initrd of sandbox machines: busybox, a handful of kernel modules and one script, in a cpio archive."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any, Dict, Iterable, List, Tuple

#: What stands between the kernel and its root disk, network, seed and power button. ext4 and nvme are built in.
#: Devices that come later find their modules through udev.
MODULES = ("virtio_pci", "virtio_blk", "virtio_net", "virtio-rng", "qemu_fw_cfg", "crc32c-intel", "button", "evdev")
DIRECTORIES = ("bin", "cloud-init", "dev", "modules", "proc", "root", "sys")
#: What `cloud-init status` reads, for a machine whose user data is still to be run, and for one that is done.
_STAGE: Dict[str, Any] = {"start": 1, "finished": None, "errors": []}
STATUS = {
    "running.json": {"v1": {"datasource": "DataSourceNoCloud", "stage": "modules-final", "modules-final": _STAGE}},
    "done.json": {"v1": {"datasource": "DataSourceNoCloud", "stage": None, "modules-final": {**_STAGE, "finished": 2}}},
    "result.json": {"v1": {"datasource": "DataSourceNoCloud", "errors": []}},
}


def build(tree: Path, release: str, init: Path) -> bytes:
    """The initrd for the kernel `release` that is installed in `tree`; it starts `init`."""
    base = tree / "lib/modules" / release
    modules = load_order((base / "modules.dep").read_text(), MODULES)
    entries: List[Tuple[str, int, bytes]] = [(name, stat.S_IFDIR | 0o755, b"") for name in DIRECTORIES]
    entries.append(("bin/busybox", stat.S_IFREG | 0o755, (tree / "bin/busybox").read_bytes()))
    entries.append(("init", stat.S_IFREG | 0o755, init.read_bytes()))
    for name, status in STATUS.items():
        entries.append((f"cloud-init/{name}", stat.S_IFREG | 0o644, json.dumps(status).encode()))
    names = "".join(f"{Path(module).stem}\n" for module in modules)
    entries.append(("modules/order", stat.S_IFREG | 0o644, names.encode()))
    for module in modules:
        entries.append((f"modules/{Path(module).name}", stat.S_IFREG | 0o644, (base / module).read_bytes()))
    return cpio(entries)


def load_order(modules_dep: str, wanted: Iterable[str]) -> List[str]:
    """The module files to load, each after those it needs, from the text of modules.dep."""
    needs: Dict[str, List[str]] = {}
    for line in modules_dep.splitlines():
        module, _, others = line.partition(":")
        needs[module] = others.split()
    by_name = {Path(module).stem: module for module in needs}
    order: List[str] = []

    def add(module: str) -> None:
        # modules.dep lists what is needed with the deepest last
        for other in reversed(needs[module]):
            add(other)
        if module not in order:
            order.append(module)

    for name in wanted:
        add(by_name[name])
    return order


def cpio(entries: Iterable[Tuple[str, int, bytes]]) -> bytes:
    """A cpio archive in the format that the kernel unpacks (newc), of (name, mode, content), all owned by root."""
    archive = bytearray()
    for inode, (name, mode, content) in enumerate([*entries, ("TRAILER!!!", 0, b"")], start=1):
        path = name.encode() + b"\0"
        # inode, mode, uid, gid, links, mtime, size, device and rdevice numbers, length of the name, checksum
        fields = (inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(path), 0)
        archive += b"070701" + b"".join(b"%08X" % field for field in fields) + path
        archive += b"\0" * (-len(archive) % 4) + content
        archive += b"\0" * (-len(archive) % 4)
    return bytes(archive)
