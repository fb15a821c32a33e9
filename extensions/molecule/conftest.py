# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The machine of a scenario, reached as its inventory says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import testinfra

SSH = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o ConnectTimeout=60"


def plain(value: dict[str, Any]) -> Any:
    """The string itself, where ansible-inventory has written down that it is no template."""
    return value["__ansible_unsafe"] if set(value) == {"__ansible_unsafe"} else value


@pytest.fixture(scope="session")
def variables() -> dict[str, Any]:
    """The variables of the one machine."""
    inventory = Path(os.environ["MOLECULE_INVENTORY_FILE"]).parent
    listed = subprocess.run(["ansible-inventory", "-i", inventory, "--list"], check=True, capture_output=True, text=True).stdout
    found = json.loads(listed, object_hook=plain)
    (machine,) = found["_meta"]["hostvars"].keys() - {"localhost"}
    return dict(found["_meta"]["hostvars"][machine])


@pytest.fixture(scope="session")
def host(variables: dict[str, Any]) -> Iterator[Any]:
    """The machine, as testinfra looks at it: over ssh, as root by sudo."""
    # A handshake takes a second of an emulated processor, so all commands share one connection; the name of its socket must be short.
    sockets = tempfile.mkdtemp(prefix="ssh-")
    options = {"ssh_identity_file": variables["ansible_ssh_private_key_file"], "controlpath": f"{sockets}/master"}
    address = f"ssh://{variables['ansible_user']}@{variables['ansible_host']}"
    try:
        yield testinfra.get_host(address, ssh_extra_args=SSH, sudo=True, **options)
    finally:
        shutil.rmtree(sockets)
