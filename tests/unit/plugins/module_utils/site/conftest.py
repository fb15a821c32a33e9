# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A document root in a temporary folder, and archives to put there."""

from __future__ import annotations

import io
import os
import socket
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.site.definition import ARGUMENT_SPEC, run

MOMENT = 1_700_000_000


def make_tar(path: Path, files: Mapping[str, str], links: Mapping[str, str] | None = None, mtime: int = MOMENT) -> Path:
    """A tar.gz of these files and symbolic links."""
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(text.encode()), mtime
            archive.addfile(info, io.BytesIO(text.encode()))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return path


def make_zip(path: Path, files: Mapping[str, str]) -> Path:
    """A zip of these files."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


class Site:
    """A document root, and the module as a task calls it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "www"
        self.count = 0

    def tar(self, files: Mapping[str, str], **options: Any) -> str:
        self.count += 1
        return str(make_tar(self.folder / f"{self.count}.tar.gz", files, **options))

    def params(self, **given: Any) -> dict[str, Any]:
        """The module's parameters with its defaults."""
        defaults = {name: option.get("default") for name, option in ARGUMENT_SPEC.items()}
        own = {"path": str(self.root), "owner": str(os.getuid()), "group": str(os.getgid())}
        return {**defaults, **own, **given}

    def run(self, check_mode: bool = False, **given: Any) -> dict[str, Any]:
        return run(self.params(**given), check_mode)

    def deploy(self, files: Mapping[str, str], **given: Any) -> dict[str, Any]:
        return self.run(archive=self.tar(files), **given)

    def served(self, name: str) -> str:
        """What a web server would serve."""
        return (self.root / "current" / name).read_text()

    def snapshot(self) -> dict[str, Any]:
        """Everything that is on the disk: path → content, or target of a link."""
        return {
            str(path.relative_to(self.folder)): os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
            for path in self.folder.rglob("*")
            if path.suffix != ".gz"
        }


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """An empty place for a site."""
    return Site(tmp_path)


@pytest.fixture
def web_server(site: Site) -> Iterator[str]:
    """The address of a server that serves what is live."""
    with serving(lambda path: _page(site, path)) as address:
        yield address


def _page(site: Site, path: str) -> tuple[int, bytes]:
    file = site.root / "current" / (path.strip("/") or "index.html")
    return (200, file.read_bytes()) if file.is_file() else (404, b"not found")


class serving:  # noqa: N801 (used like a function)
    """A web server for as long as the block lasts; `answer(path)` gives status and body."""

    def __init__(self, answer: Callable[[str], tuple[int, bytes]]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = answer(self.path)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> str:
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def __exit__(self, *args: object) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
