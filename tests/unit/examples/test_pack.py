# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The example site: its archive is what its folder holds, and packing it again gives the same bytes."""

from __future__ import annotations

import os
import runpy
from html.parser import HTMLParser
from pathlib import Path

from ansible_collections.steadfast.ec2.plugins.module_utils.site.archive import read_files

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
packed = runpy.run_path(str(EXAMPLES / "pack.py"))["packed"]

#: Put on the machine by the sandbox's user data, before the volume is there; so they are not in the archive.
FROM_USER_DATA = {"images/opening-day.svg", "images/first-harvest.svg"}


def test_the_archive_is_the_folder() -> None:
    """Whoever changes the site packs it: examples/pack.py."""
    assert (EXAMPLES / "site.zip").read_bytes() == packed(EXAMPLES / "site")


def test_packing_does_not_depend_on_when_and_by_whom(tmp_path: Path) -> None:
    """Times and modes of the files are not in it."""
    (tmp_path / "index.html").write_text("x")
    first = packed(tmp_path)
    (tmp_path / "index.html").chmod(0o600)
    os.utime(tmp_path / "index.html", (1, 1))
    assert packed(tmp_path) == first


def test_every_page_finds_what_it_names() -> None:
    """No link of the example site leads nowhere."""
    here = set(read_files(str(EXAMPLES / "site.zip"))) | FROM_USER_DATA
    missing = {name for page in here if page.endswith(".html") for name in _named(page)} - here
    assert missing == set()


def _named(page: str) -> set[str]:
    found: set[str] = set()

    class Links(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.update(value.lstrip("/") or "index.html" for name, value in attrs if name in ("src", "href") and value)

    Links().feed((EXAMPLES / "site" / page).read_text())
    return found
