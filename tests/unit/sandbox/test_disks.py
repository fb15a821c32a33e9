# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Disk files: sparse, whole, never smaller, and never half made."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from sandbox import disks
from sandbox.trouble import DiskError

MIB = 1 << 20


def written(path: Path, offset: int, data: bytes) -> Path:
    """The file with `data` at `offset`."""
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)
    return path


def allocated(path: Path) -> int:
    """The bytes that a file takes on the disk."""
    return path.stat().st_blocks * 512


def test_a_new_volume_has_its_size_and_takes_no_space(tmp_path: Path) -> None:
    """A terabyte volume is created in no time on a laptop."""
    disks.create(tmp_path / "v.raw", 1 << 40)
    assert (tmp_path / "v.raw").stat().st_size == 1 << 40
    assert allocated(tmp_path / "v.raw") == 0


def test_a_copy_has_the_data_and_the_holes(tmp_path: Path) -> None:
    """Copying a sparse volume costs what was written, not what it could hold."""
    source, copy = tmp_path / "v.raw", tmp_path / "c.raw"
    disks.create(source, 64 * MIB)
    written(source, 5 * MIB, b"five")
    written(source, 64 * MIB - 4, b"last")
    disks.copy(source, copy)
    assert copy.stat().st_size == 64 * MIB
    assert copy.read_bytes() == source.read_bytes()
    assert allocated(copy) < MIB


def test_a_blank_volume_can_be_copied(tmp_path: Path) -> None:
    """Nothing but a hole is fine."""
    disks.create(tmp_path / "v.raw", MIB)
    disks.copy(tmp_path / "v.raw", tmp_path / "c.raw")
    assert (tmp_path / "c.raw").read_bytes() == bytes(MIB)


def test_a_copy_does_not_change_with_its_source(tmp_path: Path) -> None:
    """A snapshot is of one moment."""
    source, copy = tmp_path / "v.raw", tmp_path / "c.raw"
    disks.create(source, MIB)
    written(source, 0, b"before")
    disks.copy(source, copy)
    written(source, 0, b"after!")
    assert copy.read_bytes()[:6] == b"before"


def test_an_overlay_starts_as_its_base_and_may_be_larger(tmp_path: Path) -> None:
    """A root disk is the image until it is written to."""
    base, root, copy = tmp_path / "base.raw", tmp_path / "root.qcow2", tmp_path / "copy.raw"
    disks.create(base, 2 * MIB)
    written(base, MIB, b"image")
    disks.overlay(base, root, 4 * MIB)
    assert disks.virtual_size(root) == 4 * MIB
    disks.copy(root, copy)
    assert copy.stat().st_size == 4 * MIB
    assert copy.read_bytes()[MIB : MIB + 5] == b"image"


def test_an_overlay_smaller_than_its_base_is_refused(tmp_path: Path) -> None:
    """It would cut off the end of the image."""
    disks.create(tmp_path / "base.raw", 2 * MIB)
    with pytest.raises(DiskError, match="smaller than its image"):
        disks.overlay(tmp_path / "base.raw", tmp_path / "root.qcow2", MIB)
    assert not (tmp_path / "root.qcow2").exists()


@pytest.mark.parametrize("name", ["v.raw", "v.qcow2"])
def test_growing_keeps_the_data(tmp_path: Path, name: str) -> None:
    """Both kinds of disk become larger with what is on them."""
    base, disk = tmp_path / "base.raw", tmp_path / name
    disks.create(base, MIB)
    written(base, 0, b"data")
    if disk.suffix == ".raw":
        disks.copy(base, disk)
    else:
        disks.overlay(base, disk, MIB)
    disks.grow(disk, 3 * MIB)
    assert disks.virtual_size(disk) == 3 * MIB
    disks.copy(disk, tmp_path / "seen.raw")
    assert (tmp_path / "seen.raw").read_bytes()[:4] == b"data"


@pytest.mark.parametrize("name", ["v.raw", "v.qcow2"])
def test_shrinking_is_refused_and_changes_nothing(tmp_path: Path, name: str) -> None:
    """The end of a disk may hold data, whatever the caller believes."""
    disks.create(tmp_path / "base.raw", 2 * MIB)
    disk = tmp_path / name
    if disk.suffix == ".raw":
        disks.create(disk, 2 * MIB)
    else:
        disks.overlay(tmp_path / "base.raw", disk, 2 * MIB)
    with pytest.raises(DiskError, match="cannot become smaller"):
        disks.grow(disk, MIB)
    assert disks.virtual_size(disk) == 2 * MIB


def test_a_guest_cannot_make_its_volume_something_else(tmp_path: Path) -> None:
    """A raw volume whose content looks like qcow2 stays raw: its header would name any file of the host."""
    disks.create(tmp_path / "v.raw", MIB)
    written(tmp_path / "v.raw", 0, disks.QCOW2_MAGIC)
    assert disks.disk_format(tmp_path / "v.raw") == "raw"


def test_a_full_disk_is_said_so_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No half copy stays behind, and the message says what is the matter."""

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    source = tmp_path / "v.raw"
    disks.create(source, MIB)
    written(source, 0, b"data")
    monkeypatch.setattr(os, "copy_file_range", full)
    monkeypatch.setattr("fcntl.ioctl", full)
    with pytest.raises(DiskError, match="the disk is full"):
        disks.copy(source, tmp_path / "c.raw")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["v.raw"]


def test_an_interrupted_copy_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new content takes its place only when it is whole."""
    disks.create(tmp_path / "v.raw", MIB)
    disks.create(tmp_path / "c.raw", 2 * MIB)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(disks, "_copy_raw", interrupted)
    with pytest.raises(KeyboardInterrupt):
        disks.copy(tmp_path / "v.raw", tmp_path / "c.raw")
    assert (tmp_path / "c.raw").stat().st_size == 2 * MIB


def test_a_missing_disk_is_named(tmp_path: Path) -> None:
    """The message has the path."""
    with pytest.raises(DiskError, match=r"gone\.raw"):
        disks.copy(tmp_path / "gone.raw", tmp_path / "c.raw")
