# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One sandbox without machines for all tests here; each test starts with an empty account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.sandbox import Sandbox, api_only_sandbox


@pytest.fixture(scope="session")
def shared_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox without machines."""
    with api_only_sandbox(tmp_path_factory.mktemp("sandbox") / "state") as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared_sandbox: Sandbox) -> Sandbox:
    """An empty account."""
    shared_sandbox.reset()
    return shared_sandbox


@pytest.fixture
def ec2(sandbox: Sandbox) -> Any:
    """A client of the empty account."""
    return sandbox.client()


@pytest.fixture
def image_id(ec2: Any) -> str:
    """The image that every region offers."""
    return str(ec2.describe_images(Owners=["136693071363"])["Images"][0]["ImageId"])
