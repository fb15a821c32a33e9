# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The private key of an instance is found by its public half."""

from __future__ import annotations

import subprocess
from pathlib import Path

from sandbox.keys import find_private_key


def test_a_key_is_found_by_its_public_half_whatever_its_name(tmp_path: Path) -> None:
    """Other files in the directory do not disturb."""
    for name in ("one.pem", "two"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(tmp_path / name)], check=True)
    (tmp_path / "config").write_text("Host *\n")
    (tmp_path / "broken").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nx\n")
    public = (tmp_path / "two.pub").read_text().split()[:2]
    assert find_private_key(f"{' '.join(public)} another comment", (tmp_path,)) == str(tmp_path / "two")


def test_an_unknown_key_is_none(tmp_path: Path) -> None:
    """Nor is there one for an instance without key, or in a place that does not exist."""
    assert find_private_key("ssh-ed25519 AAAA", (tmp_path, tmp_path / "none")) is None
    assert find_private_key("", (tmp_path,)) is None
