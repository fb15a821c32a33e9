# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The record of a server is read only if it is whole, and believed only if the process is that one."""

from __future__ import annotations

import os
from pathlib import Path

from sandbox.processes import Identity, identity_of
from sandbox.record import Record


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    """And says whether its server lives."""
    path = tmp_path / "server.json"
    record = Record("http://127.0.0.1:1", True, identity_of(os.getpid()), "127.64.0.0/16")
    record.write(path)
    assert Record.read(path) == record
    assert record.alive
    assert [entry.name for entry in tmp_path.iterdir()] == ["server.json"]


def test_a_record_of_a_dead_server_is_not_alive() -> None:
    """As after a power cut."""
    assert not Record("http://127.0.0.1:1", True, Identity(os.getpid(), 1), "").alive


def test_no_record_and_half_a_record_are_none(tmp_path: Path) -> None:
    """Never an exception."""
    path = tmp_path / "server.json"
    assert Record.read(path) is None
    path.write_text('{"endpoint": "http://127')
    assert Record.read(path) is None
