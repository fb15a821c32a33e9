# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""/etc/fstab as bytes: every line that is not ours comes out exactly as it went in."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Callable, Iterable, Optional, Tuple

_SPECIAL = re.compile(r"[ \t\n\\#]")


@dataclass(frozen=True)
class Entry:
    """One mount, its fields named as in fstab(5)."""

    source: str
    path: str
    kind: str
    options: Tuple[str, ...] = ("defaults",)
    dump: str = "0"
    passno: str = "0"

    def __str__(self) -> str:
        fields = (self.source, self.path, self.kind, ",".join(self.options) or "defaults", self.dump, self.passno)
        return " ".join(_SPECIAL.sub(lambda match: f"\\{ord(match[0]):03o}", field) for field in fields)

    def same_as(self, other: Entry) -> bool:
        """Whether both say the same; the order of options says nothing."""
        return self._key() == other._key()

    def _key(self) -> Tuple[object, ...]:
        return (self.source, self.path, self.kind, frozenset(self.options), self.dump, self.passno)


@dataclass(frozen=True)
class Line:
    """A line with its ending, and the entry it declares (None: a comment, blank, or not understood)."""

    raw: bytes
    entry: Optional[Entry] = None


Ours = Callable[[Entry], bool]


def parse(content: bytes) -> Tuple[Line, ...]:
    """The lines of an fstab; never fails, whatever the bytes are."""
    return tuple(Line(raw, _entry(raw)) for raw in re.findall(rb"[^\n]*\n|[^\n]+", content))


def render(lines: Iterable[Line]) -> bytes:
    """The bytes of the lines: `render(parse(x)) == x`."""
    return b"".join(line.raw for line in lines)


def place(content: bytes, entry: Entry, ours: Ours) -> bytes:
    """`content` with `entry` where the first of our lines stands (else at the end), and no other line of ours."""
    result = []
    placed = False
    for line in parse(content):
        if line.entry is None or not ours(line.entry):
            result.append(line.raw)
        elif not placed:
            placed = True
            result.append(line.raw if line.entry.same_as(entry) else _raw(entry))
    if not placed:
        if result and not result[-1].endswith(b"\n"):
            result[-1] += b"\n"
        result.append(_raw(entry))
    return b"".join(result)


def remove(content: bytes, ours: Ours) -> bytes:
    """`content` without our lines."""
    return render(line for line in parse(content) if line.entry is None or not ours(line.entry))


def lines_of(content: bytes, ours: Ours) -> str:
    """Our lines as they stand, for people to read."""
    found = [line.raw for line in parse(content) if line.entry is not None and ours(line.entry)]
    return b"".join(found).decode(errors="replace").rstrip("\n")


def _raw(entry: Entry) -> bytes:
    return os.fsencode(f"{entry}\n")


def _entry(raw: bytes) -> Optional[Entry]:
    # Only space and tab separate; a 4-field line is complete, dump and passno are 0 then.
    fields = [_unescaped(field) for field in re.split(rb"[ \t]+", raw.strip(b" \t\r\n")) if field]
    if len(fields) < 3 or fields[0].startswith("#"):
        return None
    path = re.sub(r"/(\.?/)+", "/", f"{fields[1]}/").rstrip("/") or "/"
    options = tuple(fields[3].split(",")) if len(fields) > 3 else ("defaults",)
    return Entry(_source(fields[0]), path, fields[2], options, *(fields[4:6]))


def _unescaped(field: bytes) -> str:
    return os.fsdecode(re.sub(rb"\\([0-3][0-7]{2})", lambda match: bytes([int(match[1], 8)]), field))


def _source(text: str) -> str:
    # UUID="x" and UUID=x are the same, and so is the link that udev makes for it.
    tag = re.match(r'^(UUID|LABEL|PARTUUID|PARTLABEL)=(["\']?)(.*)\2$', text)
    if tag:
        return f"{tag[1]}={tag[3]}"
    link = re.match(r"^/dev/disk/by-(uuid|partuuid)/(.+)$", text)
    return f"{link[1].upper()}={link[2]}" if link else text
