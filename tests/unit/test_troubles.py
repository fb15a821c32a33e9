# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""docs/troubles.md promises a test for each trouble; the promise is worth what its tests are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
TABLE = [line for line in (CHECKOUT / "docs" / "troubles.md").read_text().splitlines() if re.match(r"\| \d+ \|", line)]


@pytest.mark.parametrize("row", TABLE, ids=[row.split("|")[1].strip() for row in TABLE])
def test_every_trouble_has_tests_that_exist(row: str) -> None:
    """Each row names at least one test, by a file and a function that are there."""
    named = re.findall(r"`(tests/[^\s`]+\.py)::(test_\w+)`", row)
    assert named
    for path, test in named:
        assert f"def {test}(" in (CHECKOUT / path).read_text()


def test_no_trouble_is_left_out() -> None:
    """They are numbered without a gap."""
    assert [int(row.split("|")[1]) for row in TABLE] == list(range(1, 26))
