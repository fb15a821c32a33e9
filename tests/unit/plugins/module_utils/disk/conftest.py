# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A machine made of files in a directory and of recorded answers of programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.machine import Machine

FIXTURES = Path(__file__).parent / "fixtures"
Answer = tuple[int, str, str]


@dataclass
class Recorded:
    """Answers commands from a table (by the command line's beginning, the longest that fits), and keeps what was asked."""

    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def __call__(self, argv: Sequence[str], text: str = "") -> Answer:
        line = " ".join(argv)
        self.asked.append(line)
        fitting = [begin for begin in self.answers if line.startswith(begin)]
        assert fitting, f"no recorded answer for: {line}"
        return self.answers[max(fitting, key=len)]

    def says(self, begin: str, code: int = 0, fixture: str = "", text: str = "") -> None:
        """From now on commands that begin so are answered so."""
        output = (FIXTURES / fixture).read_text() if fixture else text
        self.answers[begin] = (code, output, "" if code == 0 else output)


@dataclass
class Fake:
    """A fake machine: its root, its programs, and the Machine over both."""

    root: Path
    programs: Recorded
    machine: Machine

    def write(self, path: str, text: str = "") -> None:
        """A file of the machine."""
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def disk(self, name: str, serial: str, size: int = 1 << 30, number: str = "0:0") -> None:
        """A disk as sysfs shows it, with its node: a sparse file."""
        base = f"/sys/block/{name}"
        sysfs = {"dev": number, "size": str(size // 512), "ro": "0", "queue/logical_block_size": "512"}
        sysfs["device/serial" if name.startswith("nvme") else "serial"] = f"{serial}\n"
        for file, text in sysfs.items():
            self.write(f"{base}/{file}", text)
        self.write(f"/dev/{name}")
        with (self.root / "dev" / name).open("r+b") as device:
            device.truncate(size)

    def partition(self, disk: str, name: str, number: str, start: int, size: int) -> None:
        """A partition as sysfs shows it."""
        for file, text in {"partition": "1", "dev": number, "start": str(start // 512), "size": str(size // 512)}.items():
            self.write(f"/sys/block/{disk}/{name}/{file}", text)
        self.write(f"/dev/{name}")


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    """An empty machine; time passes only when it sleeps."""
    programs = Recorded()
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    clock: Callable[[], float] = lambda: now[0]  # noqa: E731
    fake = Fake(tmp_path, programs, Machine(programs, str(tmp_path), clock, sleep))
    fake.write("/etc/fstab", "UUID=aaaa / ext4 errors=remount-ro 0 1\n")
    fake.write("/etc/machine-id", "0123\n")
    fake.write("/proc/self/mountinfo", "26 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n")
    programs.says("blkid -c", fixture="blkid-all.txt")
    programs.says("blkid -p", code=2)
    return fake
