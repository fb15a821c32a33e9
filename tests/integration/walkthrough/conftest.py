# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one sandbox that the walkthrough happens on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .story import Story, running_story


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """A sandbox with real machines and an empty account, with nothing of it left afterwards."""
    directory: Path = tmp_path_factory.mktemp("walkthrough")
    with running_story(directory) as story:
        yield story
