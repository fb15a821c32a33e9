# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Outputs of the tools as they could be: read back as what was written, and never fallen over."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.disk import apply, fstab, holders, mounts, probe
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.machine import Machine
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.state import Mount
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import CommandFailed
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from .conftest import Fake

#: Names as people give them to disks, directories and labels; and what the kernel would let them.
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0\n\r", exclude_categories=["Cc", "Zl", "Zp"]), min_size=1, max_size=12)
PATHS = st.lists(WORDS.filter(lambda word: "/" not in word and word not in (".", "..")), min_size=1, max_size=3).map(
    lambda parts: "/" + "/".join(parts)
)
FLAGS = st.lists(st.sampled_from(["rw", "ro", "noatime", "nosuid", "commit=30", "data=ordered"]), min_size=1, max_size=4, unique=True)


def escaped(text: str) -> str:
    """As the kernel writes names in /proc: blank, tab, newline and backslash as octal numbers."""
    return re.sub(r"[ \t\n\\]", lambda match: f"\\{ord(match[0]):03o}", text)


@st.composite
def mountinfo(draw: st.DrawFn) -> Mount:
    """A mount as the kernel could have it."""
    number = f"{draw(st.integers(0, 511))}:{draw(st.integers(0, 1 << 20))}"
    options, super_options = (tuple(draw(FLAGS)) for _ in range(2))
    return Mount(number, draw(PATHS), options, draw(st.sampled_from(["ext4", "xfs", "fuse.sshfs"])), draw(PATHS), super_options)


def line_of(mount: Mount, fields: list[str]) -> str:
    """The line of a mount, as in proc(5), with these optional fields."""
    head = ["36", "35", mount.number, "/", escaped(mount.path), ",".join(mount.options), *fields]
    return " ".join([*head, "-", mount.kind, escaped(mount.source), ",".join(mount.super_options)])


@given(st.lists(mountinfo(), max_size=4), st.lists(st.sampled_from(["shared:1", "master:2", "unbindable"]), max_size=3))
def test_what_the_kernel_writes_is_read_back(wanted: list[Mount], fields: list[str]) -> None:
    """parse(render(x)) == x, with any optional fields in between, and with lines that nobody understands."""
    text = "\n".join(line for mount in wanted for line in (line_of(mount, fields), "what is this"))
    assert mounts.parse(text) == tuple(wanted)


#: What blkid escapes in an export: everything that a shell would take for something else.
def exported(fields: dict[str, str]) -> str:
    """A block as blkid -o export writes it."""
    return "".join(
        f"{name}={re.sub(chr(91) + '^A-Za-z0-9._:/-]', lambda match: chr(92) + match[0], value)}\n" for name, value in fields.items()
    )


FIELDS = st.fixed_dictionaries({"UUID": WORDS, "TYPE": WORDS}, optional={"LABEL": WORDS, "PTTYPE": WORDS, "PTUUID": WORDS})


@given(st.dictionaries(st.from_regex(r"\A(vd|nvme[0-9]n1p)[a-z0-9]\Z"), FIELDS, min_size=1, max_size=4))
def test_what_blkid_exports_is_read_back(devices: dict[str, dict[str, str]]) -> None:
    """Every device with every field, whatever its label is; and the table of UUIDs has each device once."""
    text = "\n".join(exported({"DEVNAME": f"/dev/{name}", **fields}) for name, fields in devices.items())
    read = probe._blocks(text)
    assert {name: {key: value for key, value in block.items() if key != "DEVNAME"} for name, block in read.items()} == devices
    for uuid, names in probe._by_uuid(read).items():
        assert list(names) == [name for name, fields in devices.items() if fields["UUID"] == uuid]


@given(st.text())
def test_any_output_of_blkid_is_survived(text: str) -> None:
    """What has no device is nothing; what has no fields is blank, and never a filesystem."""
    for block in probe._blocks(text).values():
        assert "DEVNAME" in block
    found = probe.to_signature(0, probe._fields(text))
    assert found.blank or "TYPE=" in text or "PTTYPE=" in text


LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3))
PARTITIONS = st.lists(st.fixed_dictionaries({"node": WORDS, "start": st.integers(0)}, optional={"uuid": st.uuids().map(str)}), max_size=3)


def sfdisk_says(text: str, code: int = 0) -> tuple[str, ...]:
    """The partitions that are read from this output."""
    return tuple(uuid for uuid, _ in probe._untold(Machine(lambda _argv, _text: (code, text, "")), "/dev/vdb"))


@given(PARTITIONS)
def test_the_partitions_of_a_table_are_counted_and_named(partitions: list[dict[str, Any]]) -> None:
    """A partition without a UUID counts, too: two of them are never taken for one."""
    output = json.dumps({"partitiontable": {"label": "gpt", "partitions": partitions}})
    assert sfdisk_says(output) == tuple(part.get("uuid", "") for part in partitions)


@given(st.text() | JSON.map(json.dumps) | JSON.map(lambda value: json.dumps({"partitiontable": value})))
def test_any_output_of_sfdisk_is_read_or_a_clear_error(text: str) -> None:
    """What is not understood is an error with the program's name, not "no partitions" and not a traceback."""
    try:
        assert isinstance(sfdisk_says(text), tuple)
    except CommandFailed as error:
        assert "sfdisk" in error.message
    assert sfdisk_says(text, 1) == ()


@given(st.binary(max_size=300))
def test_any_bytes_are_an_fstab(content: bytes) -> None:
    """Also with bytes that are no text: what is read is written back, and each entry has all its fields."""
    for line in fstab.parse(content):
        if line.entry is not None:
            assert all(isinstance(value, str) for value in (line.entry.source, line.entry.path, line.entry.dump, line.entry.passno))
            (again,) = fstab.parse(f"{line.entry}\n".encode(errors="surrogateescape"))
            assert again.entry is not None
            assert replace(again.entry, options=line.entry.options) == line.entry
    assert fstab.render(fstab.parse(content)) == content


@given(st.text())
def test_any_complaint_of_findmnt_is_survived(text: str) -> None:
    """Only errors count."""
    for problems in apply.verify_problems(text).values():
        assert all(problem in text for problem in problems)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(maps=st.text(), swaps=st.text())
@example(maps="a b c d e /f", swaps="Filename\n ")
def test_any_process_is_survived(fake: Fake, maps: str, swaps: str) -> None:
    """Maps and swaps of any content name nobody that is not there."""
    for path, text in {"proc/7/maps": maps, "proc/swaps": swaps}.items():
        place = fake.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text.encode(errors="replace"))
    assert holders.of_directory(fake.machine, "/no/such/place") == ()


@pytest.mark.parametrize("line", [b"UUID=1 /a ext4", b"UUID=1 /a ext4 ro", b"UUID=1\t/a\text4\tro\t0", b"  UUID=1   /a  ext4 ro 0 2 "])
def test_short_lines_are_lines(line: bytes) -> None:
    """Options, dump and passno may be left out; blanks and tabs separate alike."""
    (found,) = fstab.parse(line)
    assert found.entry is not None
    assert (found.entry.source, found.entry.path, found.entry.kind) == ("UUID=1", "/a", "ext4")
