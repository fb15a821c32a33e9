# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A folder for checks of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.drift import Checks


@pytest.fixture
def checks(tmp_path: Path) -> Checks:
    """Two hosts that are this machine."""
    return Checks(tmp_path)
