# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the documentation says is tested, is."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[5]


def test_every_test_that_the_guide_names_is_there() -> None:
    """docs/drift.md names a test for each of sixteen promises."""
    rows = [line for line in (ROOT / "docs" / "drift.md").read_text().splitlines() if re.match(r"\| \d+ \|.*`test_", line)]
    named = {number + 1: set(re.findall(r"`(test_\w+)`", row)) for number, row in enumerate(rows)}
    assert len(named) == 16
    there = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"(?m)^def (test_\w+)", path.read_text(encoding="utf-8"))
    }
    assert {number: tests - there for number, tests in named.items() if not tests or tests - there} == {}
