# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the plan of a disk makes of /etc/fstab."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.plan import plan

from .states import FSTAB, PATH, UUID, WANTED, done

LINE_BYTES = FSTAB.encode()
TURNED = f"UUID={UUID}\t{PATH}\text4\t{','.join(reversed(WANTED.options))}\t0\t2\n".encode()
#: what stands in fstab when the volume is mounted, and what has to stand there after
TABLES: dict[str, tuple[bytes, bytes]] = {
    "nothing": (b"", LINE_BYTES),
    "comments, tabs and blank lines of others": (
        b"# a\n\n\t \nLABEL=x\t/x\text4\tro\t0\t0\n",
        b"# a\n\n\t \nLABEL=x\t/x\text4\tro\t0\t0\n" + LINE_BYTES,
    ),
    "no line end at the end": (b"LABEL=x /x ext4", b"LABEL=x /x ext4\n" + LINE_BYTES),
    "bytes that are no text": (b"# caf\xe9\n/dev/\xff\xfe /y ext4\n", b"# caf\xe9\n/dev/\xff\xfe /y ext4\n" + LINE_BYTES),
    "lines that end as on Windows": (b"LABEL=x /x ext4\r\n", b"LABEL=x /x ext4\r\n" + LINE_BYTES),
    "its path twice, both disks gone": (f"UUID=b {PATH} ext4\n# between\n/dev/xvdz {PATH} xfs\n".encode(), LINE_BYTES + b"# between\n"),
    "its UUID twice, at other paths": (f"UUID={UUID} /a ext4\nUUID={UUID} /b ext4\n".encode(), LINE_BYTES),
    "its UUID in quotes": (f'UUID="{UUID}" {PATH} ext4 defaults 0 0\n'.encode(), LINE_BYTES),
    "its path with a slash": (f"UUID={UUID} {PATH}/ ext4 defaults 0 0\n".encode(), LINE_BYTES),
    "its link by UUID": (f"/dev/disk/by-uuid/{UUID} {PATH} ext4 defaults 0 0\n".encode(), LINE_BYTES),
    "its line with four fields": (f"UUID={UUID} {PATH} ext4 defaults\n".encode(), LINE_BYTES),
    "its line with three fields": (f"UUID={UUID} {PATH} ext4\n".encode(), LINE_BYTES),
    "its line in another order": (TURNED, TURNED),
    "a line that is commented out": (f"#UUID={UUID} {PATH} ext4\n".encode(), f"#UUID={UUID} {PATH} ext4\n".encode() + LINE_BYTES),
    "a path that begins like its own": (f"LABEL=x {PATH}base ext4\n".encode(), f"LABEL=x {PATH}base ext4\n".encode() + LINE_BYTES),
}


@pytest.mark.parametrize("name", TABLES)
def test_fstab_has_one_line_of_ours_and_every_other_byte(name: str) -> None:
    """Whatever people wrote there; a second run finds nothing to do."""
    before, after = TABLES[name]
    changes = [change for change in plan(WANTED, replace(done(), table=before)).changes if change.kind == "fstab"]
    assert [change.steps[1].params["after"] for change in changes] == ([after] if after != before else [])
    assert not plan(WANTED, replace(done(), table=after)).changed
