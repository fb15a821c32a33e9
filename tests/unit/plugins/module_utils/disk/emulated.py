# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A machine whose disks are sparse files: the disk tools are the real ones, only the kernel is played.

What the kernel does is small: it shows the partitions of a table once it is told, and it mounts. Partitions are copies of their part of the
disk that are written back after each command, so a look at the disk at 1 MiB sees what was made in its partition.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.steadfast.ec2.plugins.module_utils.disk import probe
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.machine import Machine
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.state import MIB, Desired, State
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.target import DiskTarget

SIZE = 12 * MIB
PATH = "/usr/sbin:/sbin:/usr/bin:/bin"
#: Commands that tell the kernel of partitions, and those that only read.
_TELL, _READ = ("sfdisk", "partx"), ("blkid", "debugfs", "findmnt")


@dataclass
class Emulated:
    """The machine; `told` is whether the kernel hears of new partitions by itself."""

    root: Path
    told: bool = True
    #: every command that may write, as it was given
    written: list[str] = field(default_factory=list)
    #: UUID of each partition that the kernel shows
    entries: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for path, text in {"etc/fstab": "UUID=aaaa / ext4 errors=remount-ro 0 1\n", "etc/machine-id": "0123\n"}.items():
            self.put(path, text)
        self.put("proc/self/mountinfo", "26 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n")

    @property
    def machine(self) -> Machine:
        """The door to it."""
        clock = iter(range(10**6))
        return Machine(self.command, str(self.root), lambda: float(next(clock)), lambda _seconds: None, lambda _path: b"")

    def put(self, path: str, text: str) -> None:
        """A file."""
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def attach(self, name: str, serial: str, size: int = SIZE) -> Path:
        """A disk of zeros; its file. Device numbers are those that a file has: none."""
        base = f"sys/block/{name}"
        facts = {"dev": "0:0", "size": str(size // 512), "ro": "0", "queue/logical_block_size": "512", "serial": serial}
        for file, text in facts.items():
            self.put(f"{base}/{file}", text)
        place = self.root / "dev" / name
        place.parent.mkdir(exist_ok=True)
        with place.open("wb") as file:
            file.truncate(size)
        return place

    def grow(self, name: str, size: int) -> None:
        """The volume is larger."""
        os.truncate(self.root / "dev" / name, size)
        self.put(f"sys/block/{name}/size", str(size // 512))

    def run(self, *argv: str, text: str = "") -> str:
        """A command on this machine, which must work."""
        code, output, errors = self.command(argv, text)
        assert code == 0, (argv, output, errors)
        return output

    def command(self, argv: Sequence[str], text: str = "") -> tuple[int, str, str]:
        """What the disk code calls to run a program."""
        program = argv[0]
        if program not in _READ:
            self.written.append(" ".join(argv))
        if program in ("mount", "umount"):
            return self._mount(argv) if program == "mount" else self._umount(argv[-1])
        if program in ("findmnt", "systemctl"):
            return 0, "", ""
        if program == "blkid" and "-c" in argv:
            return self._all()
        for name in self._disks():
            self._split(name)
        if program == "resize2fs":
            # the kernel grows a mounted filesystem; unmounted, the program asks for a checked one
            self._real(("e2fsck", "-f", "-p", argv[-1]), "")
        answer = (0, "", "") if program == "partx" else self._blkid(argv) if program == "blkid" else self._real(argv, text)
        for name in self._disks():
            self._join(name)
            if program in _TELL and "--json" not in argv and (self.told or program == "partx"):
                self._tell(name, [] if "-d" in argv else None)
        return answer

    def _real(self, argv: Sequence[str], text: str) -> tuple[int, str, str]:
        if argv[0] == "wipefs":
            argv = (*argv[:-1], "--force", argv[-1])  # it takes a file for a partition, in which it would leave a table alone
        words = [f"{self.root}{word}" if word.startswith("/dev/") and word != "/dev/null" else word for word in argv]
        done = subprocess.run(words, input=text.encode(), env={"PATH": PATH, "LC_ALL": "C"}, capture_output=True, check=False)
        output, errors = (stream.decode(errors="replace").replace(str(self.root), "") for stream in (done.stdout, done.stderr))
        return done.returncode, output, errors

    def _blkid(self, argv: Sequence[str]) -> tuple[int, str, str]:
        """Low-level blkid, which stops at the first device with nothing; a partition has its entry in the table."""
        blocks = []
        nodes = [word for word in argv if word.startswith("/dev/")]
        for node in nodes:
            code, output, errors = self._real((*(word for word in argv if word not in nodes), node), "")
            uuid = self.entries.get(node.rsplit("/", 1)[-1])
            if uuid and code in (0, 2):
                code, output = 0, f"{output or f'DEVNAME={node}' + chr(10)}PART_ENTRY_UUID={uuid}\n"
            if code != 0:
                return code, "\n".join(blocks), errors
            blocks.append(output)
        return 0, "\n".join(blocks), ""

    def _all(self) -> tuple[int, str, str]:
        blocks = []
        for name in self._disks():
            self._split(name)
            for node in (name, *self._partitions(name)):
                code, output, _errors = self._real(("blkid", "-p", "-o", "export", f"/dev/{node}"), "")
                blocks += [output] if code == 0 else []
        return 0 if blocks else 2, "\n".join(blocks), ""

    # --- the kernel ---

    def _disks(self) -> list[str]:
        return sorted(path.name for path in (self.root / "sys/block").iterdir())

    def _partitions(self, disk: str) -> list[str]:
        base = self.root / "sys/block" / disk
        return sorted(path.name for path in base.iterdir() if (path / "partition").exists())

    def _tell(self, disk: str, wanted: list[dict[str, Any]] | None = None) -> None:
        """The kernel shows the partitions of the table, or `wanted`."""
        if wanted is None:
            code, output, _errors = self._real(("sfdisk", "--json", f"/dev/{disk}"), "")
            wanted = json.loads(output)["partitiontable"].get("partitions", []) if code == 0 else []
        for name in self._partitions(disk):
            shutil.rmtree(self.root / "sys/block" / disk / name)
            (self.root / "dev" / name).unlink()
            self.entries.pop(name, None)
        for number, part in enumerate(wanted, 1):
            name = f"{disk}p{number}" if disk[-1].isdigit() else f"{disk}{number}"
            for file, value in {"partition": number, "start": part["start"], "size": part["size"]}.items():
                self.put(f"sys/block/{disk}/{name}/{file}", str(value))
            self.put(f"sys/block/{disk}/{name}/dev", f"254:{16 * (1 + ord(disk[-1]) - ord('a')) + number}")
            if "uuid" in part:
                self.entries[name] = part["uuid"].lower()
        self._split(disk)

    def _spans(self, disk: str) -> list[tuple[Path, int, int]]:
        base = self.root / "sys/block" / disk
        read = lambda name, fact: int((base / name / fact).read_text()) * 512  # noqa: E731
        return [(self.root / "dev" / name, read(name, "start"), read(name, "size")) for name in self._partitions(disk)]

    def _split(self, disk: str) -> None:
        for place, start, size in self._spans(disk):
            copied(self.root / "dev" / disk, start, place, 0, size)

    def _join(self, disk: str) -> None:
        for place, start, size in self._spans(disk):
            copied(place, 0, self.root / "dev" / disk, start, size)

    def _mount(self, argv: Sequence[str]) -> tuple[int, str, str]:
        path, table = argv[-1], self.root / "proc/self/mountinfo"
        if argv[1] == "-o":
            table.write_text(table.read_text().replace("ro,relatime", "rw,relatime"))
            return 0, "", ""
        node, kind = argv[-2], argv[2]
        name = node.rsplit("/", 1)[-1]
        (number,) = [place.read_text() for place in (self.root / "sys/block").rglob("dev") if place.parent.name == name]
        with table.open("a") as file:
            file.write(f"60 26 {number} / {path} rw,relatime - {kind} {node} rw\n")
        return 0, "", ""

    def _umount(self, path: str) -> tuple[int, str, str]:
        table = self.root / "proc/self/mountinfo"
        table.write_text("".join(line for line in table.read_text().splitlines(keepends=True) if line.split()[4] != path))
        return 0, "", ""


def copied(source: Path, start: int, target: Path, place: int, size: int) -> None:
    """Copy a part of one sparse file to a part of another."""
    with source.open("rb") as one, target.open("r+b" if target.exists() else "w+b") as two:
        if target.stat().st_size < place + size:
            two.truncate(place + size)
        one.seek(start)
        new = one.read(size)
        two.seek(place)
        if two.read(size) != new:
            two.seek(place)
            two.write(new)


class Anyone(DiskTarget):
    """The real target, for whoever runs the tests; it may be stopped after some steps."""

    def read(self) -> State:
        """Without asking who it is."""
        return probe.read(self.machine, self.desired, 0)


def target(emulated: Emulated, **declared: object) -> Anyone:
    """A declaration on this machine."""
    return Anyone(Desired(**{"path": "/srv/data", "timeout": 1, **declared}), emulated.machine)  # type: ignore[arg-type]
