# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What docs/disk.md says is shown by a test has that test."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TABLE = "## What is tested where"


def test_every_scenario_of_the_disk_names_tests_that_exist() -> None:
    """Each row of the table names a function or a file of tests, and all of them are there."""
    text = (ROOT / "docs" / "disk.md").read_text().partition(TABLE)[2]
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    files = [*(ROOT / "tests").rglob("test_*.py")]
    there = {file.name.removesuffix(".py") for file in files}
    there |= {name for file in files for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)}
    named = {row.split("|")[1].strip(): set(re.findall(r"\btest_\w+", row)) for row in rows}
    assert len(named) >= 13
    assert [scenario for scenario, names in named.items() if not names] == []
    assert {scenario: names - there for scenario, names in named.items() if names - there} == {}
