# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Archives are read without trusting them: what they hold, and what is refused before anything is written."""

from __future__ import annotations

import hashlib
import io
import stat
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import InvalidInput, NotFound, Refused
from ansible_collections.steadfast.ec2.plugins.module_utils.site.archive import files_from_dict, read_files

from .conftest import make_tar, make_zip

FILES = {"index.html": "<h1>", "css/site.css": "body{}"}


def tar_of(path: Path, name: str, kind: bytes, target: str = "") -> str:
    """A tar with one entry of a kind."""
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, target
        archive.addfile(info, io.BytesIO())
    return str(path)


def test_zip_and_tar_of_the_same_files_hold_the_same(tmp_path: Path) -> None:
    """How a site was packed does not matter."""
    tar, packed = read_files(str(make_tar(tmp_path / "a", FILES))), read_files(str(make_zip(tmp_path / "b", FILES)))
    assert {path: entry.sha256 for path, entry in tar.items()} == {path: entry.sha256 for path, entry in packed.items()}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_every_compression_of_tar_is_read(tmp_path: Path, mode: Any) -> None:
    """The kind is found in the content, whatever the name ends with."""
    with tarfile.open(tmp_path / "site.bin", mode) as archive:
        info = tarfile.TarInfo("./index.html")
        info.size = 3
        archive.addfile(info, io.BytesIO(b"abc"))
    assert list(read_files(str(tmp_path / "site.bin"))) == ["index.html"]


def test_leading_folders_are_dropped_on_request(tmp_path: Path) -> None:
    """A template archive usually has one folder around everything; files beside it fall away."""
    archive = make_tar(tmp_path / "a", {"theme-1.0/index.html": "x", "theme-1.0/css/a.css": "y", "README": "z"})
    assert sorted(read_files(str(archive), strip=1)) == ["css/a.css", "index.html"]


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/etc/cron.d/evil", "a\\..\\evil", "a/.."])
def test_names_that_lead_out_of_the_release_are_refused(tmp_path: Path, name: str) -> None:
    """Neither `..` nor an absolute name gets anywhere, in either format."""
    with pytest.raises(Refused, match="leads out"):
        read_files(tar_of(tmp_path / "a", name, tarfile.REGTYPE))
    with pytest.raises(Refused, match="leads out"):
        read_files(str(make_zip(tmp_path / "b", {name: "x"})))


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.LNKTYPE])
def test_devices_pipes_and_hard_links_are_refused(tmp_path: Path, kind: bytes) -> None:
    """A site has files and folders; a hard link could reach any file of the machine."""
    with pytest.raises(Refused, match="neither a file"):
        read_files(tar_of(tmp_path / "a", "x", kind, "/etc/passwd"))


@pytest.mark.parametrize("target", ["/etc/passwd", "../../etc", "a/../../../x", ".."])
def test_links_out_of_the_release_are_refused(tmp_path: Path, target: str) -> None:
    """A symbolic link stays inside, in either format."""
    with pytest.raises(Refused, match="link leads out"):
        read_files(tar_of(tmp_path / "a", "b/link" if target != ".." else "link", tarfile.SYMTYPE, target))
    with zipfile.ZipFile(tmp_path / "b", "w") as archive:
        info = zipfile.ZipInfo("b/link" if target != ".." else "link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, target)
    with pytest.raises(Refused, match="link leads out"):
        read_files(str(tmp_path / "b"))


def test_links_inside_the_release_are_kept(tmp_path: Path) -> None:
    """A relative link to a sibling is content like any other."""
    archive = make_tar(tmp_path / "a", FILES, links={"home.html": "index.html", "css/main.css": "site.css"})
    assert read_files(str(archive))["css/main.css"].link == "site.css"


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    """A link that is then used as a folder would lead a write elsewhere."""
    archive = make_tar(tmp_path / "a", {"x/file": "evil"}, links={"x": "y"})
    with pytest.raises(Refused, match="written through it"):
        read_files(str(archive))


def test_a_device_in_a_zip_is_refused(tmp_path: Path) -> None:
    """A zip made on Unix can carry file types too."""
    with zipfile.ZipFile(tmp_path / "a", "w") as archive:
        info = zipfile.ZipInfo("x")
        info.external_attr = (stat.S_IFCHR | 0o666) << 16
        archive.writestr(info, "")
    with pytest.raises(Refused, match="neither a file"):
        read_files(str(tmp_path / "a"))


def test_the_same_name_twice_is_refused(tmp_path: Path) -> None:
    """Which of two it is must not depend on who unpacks."""
    with tarfile.open(tmp_path / "a", "w") as archive:
        for name in ("index.html", "./index.html"):
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    with pytest.raises(Refused, match="twice"):
        read_files(str(tmp_path / "a"))


@pytest.mark.parametrize("content", [b"", b"<!doctype html>Not found", b"PK\x03\x04 broken", b"\x1f\x8b broken"])
def test_what_is_no_archive_is_said_so(tmp_path: Path, content: bytes) -> None:
    """A saved error page, or a half download, ends as a message that names the file."""
    (tmp_path / "site.zip").write_bytes(content)
    with pytest.raises(InvalidInput, match=r"site.zip: it cannot be read as a zip or tar archive"):
        read_files(str(tmp_path / "site.zip"))


def test_a_truncated_archive_is_said_so(tmp_path: Path) -> None:
    """A download that was cut off is found while it is read, before anything is written."""
    whole = make_tar(tmp_path / "a", {f"page-{number}.html": "x" * 5000 for number in range(50)}).read_bytes()
    (tmp_path / "b").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_files(str(tmp_path / "b"))


def test_a_missing_archive_is_said_so(tmp_path: Path) -> None:
    """The file is named."""
    with pytest.raises(NotFound, match="no such archive"):
        read_files(str(tmp_path / "none.zip"))


def test_an_archive_without_files_is_refused(tmp_path: Path) -> None:
    """An empty site would take the pages away; dropping too many folders is the usual reason."""
    with pytest.raises(InvalidInput, match="no files below 3 leading folders"):
        read_files(str(make_tar(tmp_path / "a", FILES)), strip=3)


def test_the_list_of_files_survives_json(tmp_path: Path) -> None:
    """What is sent to the machine in check mode is what the archive holds."""
    files = read_files(str(make_tar(tmp_path / "a", FILES, links={"home.html": "index.html"})))
    assert files_from_dict({path: entry.to_dict() for path, entry in files.items()}) == files


@pytest.mark.parametrize("mode", ["w:gz", "w:xz", "w:bz2"])
def test_damage_anywhere_in_a_compressed_archive_is_refused(tmp_path: Path, mode: Any) -> None:
    """Neither a traceback nor a site with other bytes in it, wherever a byte was changed or the end was lost."""
    with tarfile.open(tmp_path / "good", mode) as archive:
        for name in ("a", "b"):
            info = tarfile.TarInfo(name)
            info.size = 20000
            archive.addfile(info, io.BytesIO(hashlib.shake_256(name.encode()).digest(info.size)))
    good = (tmp_path / "good").read_bytes()
    damaged = [good[: len(good) * part // 8] for part in range(1, 8)] + [good[:-5]]
    for place in range(len(good) // 9, len(good), len(good) // 9):
        damaged.append(good[:place] + bytes([good[place] ^ 255]) + good[place + 1 :])
    for content in damaged:
        (tmp_path / "bad").write_bytes(content)
        with pytest.raises(InvalidInput, match="cannot be read"):
            read_files(str(tmp_path / "bad"))


def test_damage_in_a_zip_is_refused(tmp_path: Path) -> None:
    """A file that does not have its checksum, or is packed in a way that is not known, is an error and no traceback."""
    with zipfile.ZipFile(tmp_path / "good", "w") as archive:
        archive.writestr("i", b"abc" * 1000)
    good = (tmp_path / "good").read_bytes()
    entry = good.rfind(b"PK\x01\x02")
    for place, value in ((100, good[100] ^ 255), (entry + 10, 99)):
        (tmp_path / "bad").write_bytes(good[:place] + bytes([value]) + good[place + 1 :])
        with pytest.raises(InvalidInput, match="cannot be read"):
            read_files(str(tmp_path / "bad"))


def test_a_zip_with_an_impossible_month_is_read(tmp_path: Path) -> None:
    """A time that no calendar has is no reason to fail."""
    with zipfile.ZipFile(tmp_path / "a", "w") as archive:
        info = zipfile.ZipInfo("i")
        info.date_time = (1990, 15, 31, 0, 0, 0)
        archive.writestr(info, b"x")
    assert list(read_files(str(tmp_path / "a"))) == ["i"]


def test_a_link_that_leaves_through_another_link_is_refused(tmp_path: Path) -> None:
    """By its words the second link stays inside; followed through the first, it is above the release."""
    with tarfile.open(tmp_path / "a", "w") as archive:
        for name, target in (("a/b/c/up", "../../.."), ("out", "a/b/c/up/../../../etc/passwd")):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    with pytest.raises(Refused, match="through other links"):
        read_files(str(tmp_path / "a"))


def test_links_that_go_round_in_circles_reach_nothing_and_are_kept(tmp_path: Path) -> None:
    """Following them ends, here as in the kernel."""
    assert list(read_files(tar_of(tmp_path / "a", "round", tarfile.SYMTYPE, "round"))) == ["round"]


@pytest.mark.parametrize(("name", "target", "why"), [("l", "", "nowhere"), ("\udcff", "x", "not UTF-8"), ("l", "\udcff", "not UTF-8")])
def test_names_and_targets_that_no_one_can_write_down_are_refused(tmp_path: Path, name: str, target: str, why: str) -> None:
    """A link without a target, or bytes that are no text, are refused by name."""
    with pytest.raises(Refused, match=why):
        read_files(tar_of(tmp_path / "a", name, tarfile.SYMTYPE, target))
