# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The log of calls tells writing from reading, so that a check can be shown to have written nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sandbox.calls import CallLog, is_write


@pytest.mark.parametrize(
    ("action", "write"),
    [
        ("DescribeInstances", False),
        ("GetConsoleOutput", False),
        ("ListBuckets", False),
        ("AssumeRole", False),
        ("RunInstances", True),
        ("ModifyVolume", True),
        ("PUT /bucket/key", True),
        ("GET /bucket/key", False),
    ],
)
def test_operations_are_told_apart_by_their_name(action: str, write: bool) -> None:
    """What is not known to read counts as a write."""
    assert is_write(action) is write


def test_a_dry_run_is_no_write() -> None:
    """It cannot change anything."""
    assert not is_write("RunInstances", dry_run=True)


def test_calls_are_numbered_and_written_at_once(tmp_path: Path) -> None:
    """The file can be read while the sandbox runs."""
    log = CallLog(tmp_path / "calls.jsonl")
    log.add(action="A", write=True)
    log.add(action="B", write=False)
    assert [call["action"] for call in log.since(1)] == ["B"]
    lines = (tmp_path / "calls.jsonl").read_text().splitlines()
    assert [json.loads(line)["number"] for line in lines] == [1, 2]
    log.close()
