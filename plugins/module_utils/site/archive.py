# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a site archive (zip or tar) holds, read without trusting it. Standard library only; runs on both ends."""

from __future__ import annotations

import calendar
import hashlib
import posixpath
import stat
import tarfile
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, Callable, Dict, Iterator, List, Mapping, Optional, Tuple

from ..engine.errors import InvalidInput, NotFound, Refused

try:
    from lzma import LZMAError
except ImportError:  # a Python that was built without it
    LZMAError = EOFError  # type: ignore[assignment, misc]

CHUNK = 1 << 20
ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
ZIP_ENCRYPTED = 0x1
#: What the readers of the standard library raise for an archive that is damaged, cut off, or packed in a way they do not know.
UNREADABLE = (tarfile.TarError, zipfile.BadZipFile, zlib.error, LZMAError, EOFError, OSError, NotImplementedError, UnicodeError)
#: Links that Linux follows in one path (path_resolution(7)); beyond them it gives up, so nothing is reached.
MOST_LINKS = 40


@dataclass(frozen=True)
class Entry:
    """One file of a site (`sha256`), or one relative link (`link`)."""

    sha256: str = ""
    size: int = 0
    mtime: int = 0
    link: str = ""

    def to_dict(self) -> Dict[str, Any]:
        """The entry as JSON-ready data."""
        if self.link:
            return {"link": self.link}
        return {"sha256": self.sha256, "size": self.size, "mtime": self.mtime}


Files = Mapping[str, Entry]


@dataclass(frozen=True)
class Member:
    """One entry as the archive has it: a raw name, and either bytes to open or the target of a link."""

    name: str
    size: int
    mtime: int
    link: str
    open: Callable[[], IO[bytes]]


def files_from_dict(data: Mapping[str, Mapping[str, Any]]) -> Dict[str, Entry]:
    """The inverse of `Entry.to_dict`, for a whole site."""
    return {path: Entry(**entry) for path, entry in data.items()}


def read_files(archive: str, strip: int = 0) -> Dict[str, Entry]:
    """Everything the archive would put into a release, by path; raises Refused where a name would leave it."""
    found: Dict[str, Entry] = {}
    with _readable(archive):
        for path, member in safe_members(archive, strip):
            if path in found:
                raise Refused("the archive has it twice", resource=f"{archive}: {member.name}", do="Pack it again.")
            if member.link:
                found[path] = Entry(link=member.link)
            else:
                found[path] = Entry(_digest(member.open()), member.size, member.mtime)
    _refuse_files_as_folders(archive, found)
    _refuse_leaving_chains(archive, found)
    if not found:
        raise InvalidInput("the archive has no files" + (f" below {strip} leading folders" if strip else ""), resource=archive)
    return found


def safe_members(archive: str, strip: int = 0) -> Iterator[Tuple[str, Member]]:
    """(path in the release, member) of every file and link, in the order of the archive; unsafe names raise Refused."""
    for member in _members(archive):
        path = _safe_path(archive, member.name, strip)
        if path is None:
            continue
        if member.link:
            _refuse_leaving_link(archive, path, member.link)
        yield path, member


def sha256_of(path: str) -> str:
    """The sha256 of a file, as hexadecimal."""
    try:
        with open(path, "rb") as stream:
            return _digest(stream)
    except FileNotFoundError:
        raise NotFound("there is no such file", resource=path) from None


def _digest(stream: IO[bytes]) -> str:
    digest = hashlib.sha256()
    with stream:
        for chunk in iter(lambda: stream.read(CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest()


def _members(archive: str) -> Iterator[Member]:
    with _readable(archive):
        with open(archive, "rb") as stream:
            magic = stream.read(4)
        yield from (_zip_members if magic in ZIP_MAGIC else _tar_members)(archive)


@contextmanager
def _readable(archive: str) -> Iterator[None]:
    """What goes wrong while the archive is read, as an error that names it."""
    try:
        yield
    except FileNotFoundError:
        raise NotFound("there is no such archive", resource=archive) from None
    except UNREADABLE as error:
        raise InvalidInput(
            f"it cannot be read as a zip or tar archive: {error}",
            resource=archive,
            do="Give a .zip, .tar.gz, .tar.xz, .tar.bz2 or .tar file; a web page saved by mistake is a usual cause.",
        ) from error


def _zip_members(archive: str) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as source:
        for info in source.infolist():
            if info.is_dir():
                continue
            if info.flag_bits & ZIP_ENCRYPTED:
                raise Refused("it is encrypted", resource=f"{archive}: {info.filename}")
            mode = info.external_attr >> 16
            _refuse_special(archive, info.filename, mode)
            link = source.read(info).decode() if stat.S_ISLNK(mode) else ""
            yield Member(info.filename, info.file_size, _zip_time(info), link, _opener(source, info))


def _zip_time(info: zipfile.ZipInfo) -> int:
    """A zip knows local time without a zone; it is taken as UTC, so that two machines agree. Some pack month 0."""
    year, month, day, *clock = info.date_time
    return calendar.timegm((year, min(max(month, 1), 12), max(day, 1), *clock))


def _opener(source: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], IO[bytes]]:
    return lambda: source.open(info)


def _tar_members(archive: str) -> Iterator[Member]:
    with tarfile.open(archive, "r:*") as source:
        for info in source:
            if info.isdir():
                continue
            if not (info.isfile() or info.issym()):
                raise Refused(
                    "it is neither a file, a folder nor a symbolic link",
                    resource=f"{archive}: {info.name}",
                    do="A site archive has no hard links, devices or pipes; pack it without them.",
                )
            link = info.linkname if info.issym() else ""
            if info.issym() and not link:
                raise Refused("the link leads nowhere", resource=f"{archive}: {info.name}", do="Pack the archive again.")
            yield Member(info.name, info.size, max(int(info.mtime), 0), link, _tar_opener(source, info))
        # Past the last entry, to where a compressed archive keeps its checksum: what is damaged must not go live.
        while source.fileobj is not None and source.fileobj.read(CHUNK):
            pass


def _tar_opener(source: tarfile.TarFile, info: tarfile.TarInfo) -> Callable[[], IO[bytes]]:
    def opened() -> IO[bytes]:
        stream = source.extractfile(info)
        if stream is None:
            raise InvalidInput("it is not a file", resource=info.name)
        return stream

    return opened


def _refuse_special(archive: str, name: str, mode: int) -> None:
    """A zip keeps the file type in the upper bits; 0 means that it was packed where there are none."""
    kind = stat.S_IFMT(mode)
    if kind not in (0, stat.S_IFREG, stat.S_IFLNK):
        raise Refused("it is neither a file, a folder nor a symbolic link", resource=f"{archive}: {name}")


def _safe_path(archive: str, name: str, strip: int) -> Optional[str]:
    """The path inside the release, None for what `strip` drops; raises Refused for a name that leads out of it."""
    if name.startswith("/") or "\\" in name or "\0" in name or ".." in name.split("/"):
        raise Refused(
            "the name leads out of the release",
            resource=f"{archive}: {name}",
            do="Pack the archive with relative names; nothing was unpacked.",
        )
    _refuse_unreadable_text(archive, name, name)
    parts = [part for part in name.split("/") if part not in ("", ".")]
    return "/".join(parts[strip:]) or None


def _refuse_leaving_link(archive: str, path: str, target: str) -> None:
    _refuse_unreadable_text(archive, path, target)
    reached = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    if target.startswith("/") or reached == ".." or reached.startswith("../"):
        raise Refused(
            "the link leads out of the release",
            resource=f"{archive}: {path}",
            found=target,
            do="Links in a site archive are relative and stay inside it; nothing was unpacked.",
        )


def _refuse_unreadable_text(archive: str, name: str, text: str) -> None:
    """Names are compared and recorded as UTF-8; bytes that are none have no name that both ends agree on."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        shown = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        raise Refused("its name is not UTF-8", resource=f"{archive}: {shown}", do="Rename it, and pack the archive again.") from None


def _refuse_leaving_chains(archive: str, files: Files) -> None:
    """A link that stays inside by its words may still get out through another link."""
    for path, entry in files.items():
        if entry.link and not _stays_inside(path, files):
            raise Refused(
                "the link leads out of the release, through other links",
                resource=f"{archive}: {path}",
                found=entry.link,
                do="Links in a site archive are relative and stay inside it; nothing was unpacked.",
            )


def _stays_inside(path: str, files: Files) -> bool:
    """Whether following `path` as the kernel does never climbs above the release."""
    ahead, followed = path.split("/"), 0
    here: List[str] = []
    while ahead:
        part = ahead.pop(0)
        if part in ("", "."):
            continue
        if part == "..":
            if not here:
                return False
            here.pop()
            continue
        entry = files.get("/".join([*here, part]))
        if entry is None or not entry.link:
            here.append(part)
            continue
        followed += 1
        if followed > MOST_LINKS:
            return True
        ahead = entry.link.split("/") + ahead
    return True


def _refuse_files_as_folders(archive: str, files: Files) -> None:
    for path in files:
        folder = posixpath.dirname(path)
        while folder:
            if folder in files:
                raise Refused(f"{path} would be written through it", resource=f"{archive}: {folder}", do="Pack the archive again.")
            folder = posixpath.dirname(folder)
