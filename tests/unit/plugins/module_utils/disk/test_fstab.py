# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""fstab as bytes: foreign lines come out as they went in, and ours is there once."""

from __future__ import annotations

import os

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.fstab import Entry, lines_of, parse, place, remove, render
from hypothesis import given
from hypothesis import strategies as st

OURS = Entry("UUID=1234", "/srv/data", "ext4", ("defaults", "nofail"), "0", "2")
RAW = b"UUID=1234 /srv/data ext4 defaults,nofail 0 2\n"

#: Lines as people write them, and bytes that nobody meant.
WRITTEN = st.sampled_from(
    [
        b"# a comment\n", b"\n", b"  \t\n", b"UUID=99 / ext4 errors=remount-ro 0 1\n", b"/dev/sr0 /media/cd udf,iso9660 user,noauto\n",
        b"host:/export /mnt/nfs nfs4 _netdev 0 0\n", b"tmpfs\t/tmp\ttmpfs\tdefaults\t0\t0\n", b"half a\n", b"\xff\xfe /x ext4\r\n",
        b"UUID=1234 /srv/data ext4 noatime 0 0 # mine\n", b'UUID="1234"\t/srv/data/\text4\n', b"LABEL=x /with\\040space ext4 defaults 0 2",
    ]
)  # fmt: skip
CONTENT = st.one_of(st.binary(max_size=200), st.lists(WRITTEN, max_size=8).map(b"".join))


def ours(entry: Entry) -> bool:
    """Whether a line is about our filesystem or our path."""
    return entry.source == OURS.source or entry.path == OURS.path


@given(CONTENT)
def test_whatever_is_read_is_written_back_to_the_byte(content: bytes) -> None:
    """render(parse(x)) is x, for all bytes, and parse(render(x)) is x again."""
    lines = parse(content)
    assert render(lines) == content
    assert parse(render(lines)) == lines


@given(CONTENT)
def test_foreign_lines_survive_in_their_order(content: bytes) -> None:
    """Placing and removing our line leaves all others as they are."""
    foreign = [line.raw for line in parse(content) if line.entry is None or not ours(line.entry)]
    placed = place(content, OURS, ours)
    kept = [line.raw for line in parse(placed) if line.entry is None or not ours(line.entry)]
    assert [line.rstrip(b"\n") for line in kept] == [line.rstrip(b"\n") for line in foreign]
    assert remove(content, ours) == b"".join(foreign)


@given(CONTENT)
def test_our_line_is_there_exactly_once_and_placing_it_again_changes_nothing(content: bytes) -> None:
    """One entry per path and UUID, however many there were."""
    placed = place(content, OURS, ours)
    entries = [line.entry for line in parse(placed) if line.entry and ours(line.entry)]
    assert len(entries) == 1
    assert entries[0].same_as(OURS)
    assert place(placed, OURS, ours) == placed


# A path whose last name is "." is another spelling of its parent, and is read as that: we never write one.
NAMES = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0\r/"), min_size=1, max_size=20).filter(lambda name: name != ".")


@given(NAMES)
def test_any_path_can_be_written_and_read(name: str) -> None:
    """Blanks, tabs, hashes and backslashes in a path are escaped as fstab(5) asks for."""
    entry = Entry("UUID=1", f"/srv/{name}", "ext4")
    (line,) = parse(os.fsencode(f"{entry}\n"))
    assert line.entry == entry


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", RAW),
        (b"# no newline", b"# no newline\n" + RAW),
        (RAW, RAW),
        (b"UUID=1234  /srv/data\text4  nofail,defaults 0 2\n", b"UUID=1234  /srv/data\text4  nofail,defaults 0 2\n"),
        (b"UUID=1234 /srv/data ext4\n# end\n", RAW + b"# end\n"),
        (b"UUID=1234 /elsewhere ext4 defaults 0 2\nUUID=7 /srv/data/ xfs\n", RAW),
        (b"/dev/disk/by-uuid/1234 /mnt ext4\n", RAW),
    ],
)
def test_a_line_is_replaced_where_it_stands(before: bytes, after: bytes) -> None:
    """Ours is found by path and by any way to write its UUID; a line that says the same stays as somebody wrote it."""
    assert place(before, OURS, ours) == after


def test_our_lines_can_be_shown() -> None:
    """A diff shows our lines, readable whatever bytes they have."""
    assert lines_of(b"# x\nUUID=1234 /a\xff ext4\n" + RAW, ours) == "UUID=1234 /a\ufffd ext4\nUUID=1234 /srv/data ext4 defaults,nofail 0 2"
