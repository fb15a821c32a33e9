# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Lets tests import this checkout as `ansible_collections.steadfast.ec2`, and the sandbox as `sandbox`; gives a run an end."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent


def _checkout_as_collection() -> None:
    """What Ansible's own loader does: a package `ansible_collections.steadfast.ec2` that is this directory."""
    paths: dict[str, list[str]] = {"ansible_collections": [], "ansible_collections.steadfast": []}
    for name, path in {**paths, "ansible_collections.steadfast.ec2": [str(ROOT)]}.items():
        package = ModuleType(name)
        package.__path__ = path
        sys.modules[name] = package


_checkout_as_collection()
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test that takes minutes does not begin after STEADFAST_TESTS_UNTIL (seconds since 1970): it is skipped, by its name."""
    until = float(os.environ.get("STEADFAST_TESTS_UNTIL", "inf"))
    if time.time() > until and item.get_closest_marker("long"):
        pytest.skip(f"{item.name}: no time was left for it")
