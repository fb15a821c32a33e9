# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Moving content: what is copied is compared, and what changed meanwhile stops the move with everything as it was."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.disk import transfer
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.machine import Machine
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.state import COMPLETE, PARTIAL
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import Busy, NotConverged, Refused


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory `site` with content, and an empty volume `aside`."""
    site = tmp_path / "site"
    (site / "sub").mkdir(parents=True)
    (site / "one").write_text("one")
    (site / "sub" / "hard").hardlink_to(site / "one")
    (site / "link").symlink_to("one")
    with (site / "sparse").open("wb") as file:
        file.truncate(1 << 20)
        file.seek(1 << 19)
        file.write(b"x")
    (site / "one").chmod(0o640)
    os.utime(site / "one", (1, 1))
    site.chmod(0o750)
    (tmp_path / "aside" / "lost+found").mkdir(parents=True)
    return tmp_path


def copy(place: Path) -> None:
    """Copy the site to the volume."""
    transfer.copy(Machine(), str(place / "site"), str(place / "aside"), 1000, 5)


def test_everything_arrives(place: Path) -> None:
    """Hard links, symbolic links, modes, times and holes; and the top gets the directory's mode."""
    copy(place)
    transfer.verify(str(place / "site"), str(place / "aside"))
    transfer.switch(str(place / "site"), str(place / "aside"), str(place / "site.before"))
    transfer.promote(str(place / "aside"))
    aside = place / "aside"
    assert sorted(path.name for path in aside.iterdir()) == ["link", "lost+found", "one", "sparse", "sub"]
    assert (aside / "one").stat().st_ino == (aside / "sub" / "hard").stat().st_ino
    assert (aside / "sparse").stat().st_blocks < 2048
    assert ((aside / "one").stat().st_mtime, (aside / "one").stat().st_mode & 0o777) == (1, 0o640)
    assert aside.stat().st_mode & 0o777 == (place / "site").stat().st_mode & 0o777 == 0o750
    assert list((place / "site").iterdir()) == []
    assert (place / "site.before" / "one").read_text() == "one"


def test_a_copy_that_was_interrupted_is_thrown_away(place: Path) -> None:
    """It is never trusted, whatever it is called."""
    for name in (PARTIAL, COMPLETE):
        (place / "aside" / name).mkdir()
        (place / "aside" / name / "stale").write_text("stale")
    copy(place)
    transfer.verify(str(place / "site"), str(place / "aside"))
    assert not (place / "aside" / COMPLETE / "stale").exists()


def _longer(site: Path) -> None:
    (site / "one").write_text("longer")


def _same_length(site: Path) -> None:
    found = (site / "one").stat()
    (site / "one").write_text("two")
    os.utime(site / "one", ns=(found.st_atime_ns, found.st_mtime_ns))


def _one_more(site: Path) -> None:
    (site / "sub" / "new").touch()


def _another_mode(site: Path) -> None:
    (site / "sub").chmod(0o700)


def _no_hard_link(site: Path) -> None:
    (site / "one").rename(site / "sub" / "hard.new")
    (site / "one").write_text("one")
    (site / "one").chmod(0o640)
    os.utime(site / "one", (1, 1))
    (site / "sub" / "hard.new").unlink()


@pytest.mark.parametrize("change", [_longer, _same_length, _one_more, _another_mode, _no_hard_link])
def test_a_change_while_it_is_copied_stops_the_move(place: Path, change: Callable[[Path], None]) -> None:
    """Size, content, entries, modes and links are compared, byte by byte."""
    copy(place)
    change(place / "site")
    with pytest.raises(Busy, match="changed while it was copied"):
        transfer.verify(str(place / "site"), str(place / "aside"))
    assert not (place / "aside" / COMPLETE).exists()


def test_a_change_after_the_comparison_brings_the_directory_back(place: Path) -> None:
    """The last look is after the rename, when nobody can write by the path any more."""
    copy(place)
    transfer.verify(str(place / "site"), str(place / "aside"))
    _one_more(place / "site")
    with pytest.raises(Busy):
        transfer.switch(str(place / "site"), str(place / "aside"), str(place / "site.before"))
    assert (place / "site" / "sub" / "new").exists()
    assert not (place / "site.before").exists()


def test_a_volume_with_content_of_its_own_is_not_copied_to(place: Path) -> None:
    """Seen before anything is written."""
    (place / "aside" / "mine").touch()
    with pytest.raises(NotConverged, match="mine"):
        copy(place)


def test_content_that_does_not_fit_is_refused_before_it_is_copied(place: Path) -> None:
    """By bytes and by number of files."""
    for size, inodes in ((1 << 60, 1), (1, 1 << 60)):
        with pytest.raises(Refused, match="does not fit"):
            transfer.copy(Machine(), str(place / "site"), str(place / "aside"), size, inodes)
    assert sorted(path.name for path in (place / "aside").iterdir()) == ["lost+found"]


def test_a_promotion_that_was_interrupted_continues(place: Path) -> None:
    """Each entry is renamed once; those that are at the top already stay."""
    copy(place)
    transfer.verify(str(place / "site"), str(place / "aside"))
    (place / "aside" / COMPLETE / "one").rename(place / "aside" / "one")
    transfer.promote(str(place / "aside"))
    assert (place / "aside" / "one").read_text() == "one"
    assert (place / "aside" / "link").is_symlink()


def test_promoting_what_is_at_the_top_already_does_nothing(place: Path) -> None:
    """After a power cut it cannot be seen from outside how far a move has come."""
    before = sorted((place / "aside").iterdir())
    transfer.promote(str(place / "aside"))
    assert sorted((place / "aside").iterdir()) == before
