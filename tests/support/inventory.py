# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An inventory file, and what Ansible's own programs make of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import yaml

from tests.support import warm
from tests.support.cores import Core
from tests.support.peers import PEERS

ROOT = Path(__file__).resolve().parents[2]


class Endpoint(Protocol):
    """Something that answers as EC2 does."""

    @property
    def environment(self) -> Mapping[str, str]: ...


def plain(value: dict[str, Any]) -> Any:
    """The string itself, where Ansible has written down that it is no template."""
    return value["__ansible_unsafe"] if set(value) == {"__ansible_unsafe"} else value


class Inventory:
    """An inventory file of this plugin, and what Ansible makes of it."""

    def __init__(
        self, path: Path, endpoint: Endpoint, *, plugin: str = "steadfast.ec2.instances", core: Core | None = None, **options: Any
    ) -> None:
        path.write_text(yaml.safe_dump({"plugin": plugin, **options}, allow_unicode=True))
        self.path = path
        self.python = core.python if core else Path(sys.executable)
        self.environment = {
            **endpoint.environment,
            **({"PYTHONPATH": core.path} if core else {}),
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": f"{ROOT / '.dev' / 'collections'}:{PEERS}",
            "ANSIBLE_NOCOLOR": "1",
        }

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one of Ansible's programs with this inventory."""
        return warm.run(self.python, program, ["-i", str(self.path), *arguments], self.environment)

    def listing(self) -> subprocess.CompletedProcess[str]:
        """`ansible-inventory --list`, which has to succeed."""
        done = self.run("ansible-inventory", "--list")
        assert done.returncode == 0, done.stderr
        return done

    def read(self) -> dict[str, Any]:
        """{host: variables}, and the groups under their names."""
        return dict(json.loads(self.listing().stdout, object_hook=plain))

    def hosts(self) -> dict[str, dict[str, Any]]:
        """{host: variables}."""
        return dict(self.read()["_meta"]["hostvars"])

    def error(self) -> str:
        """What it says when it fails."""
        done = self.run("ansible-inventory", "--list")
        assert done.returncode != 0, done.stdout
        return done.stderr
