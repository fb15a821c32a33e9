# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Lets tests import this checkout as `ansible_collections.steadfast.ec2`, and the sandbox as `sandbox`."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

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
