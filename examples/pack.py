#!/usr/bin/env python3
# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Packs a folder into a zip that is the same wherever and whenever it is packed: examples/pack.py [FOLDER [ARCHIVE]]."""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
#: The time of every file in the archive; their own depend on when the checkout was made.
MOMENT = (2026, 1, 1, 0, 0, 0)


def packed(folder: Path) -> bytes:
    """The archive of a folder: names in order, one time and mode for all, stored without compression levels to differ by."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            info = zipfile.ZipInfo(path.relative_to(folder).as_posix(), MOMENT)
            info.external_attr = 0o100644 << 16
            info.create_system = 3
            archive.writestr(info, path.read_bytes())
    return target.getvalue()


def main(arguments: list[str]) -> None:
    """Pack what was named, or the example site."""
    folder = Path(arguments[0]) if arguments else HERE / "site"
    archive = Path(arguments[1]) if len(arguments) > 1 else folder.with_suffix(".zip")
    archive.write_bytes(packed(folder))
    print(f"{archive}: {archive.stat().st_size} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
