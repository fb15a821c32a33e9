# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Ansible sends to a machine for a disk task where it has to run it, taken from what Ansible itself builds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[5]
#: Builds the module as a task does, and prints {file of the collection: (bytes in the archive, first line)}.
PROGRAM = """
import base64, io, json, re, sys, zipfile
from ansible.executor.module_common import modify_module
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar
init_plugin_loader()
name, path = sys.argv[1:]
built = modify_module(
    module_name=name, module_path=path, module_args={}, templar=Templar(DataLoader()),
    task_vars={"ansible_python_interpreter": "/usr/bin/python3"}, module_compression="ZIP_DEFLATED",
)
data = getattr(built, "b_module_data", None) or built[0]
archive = max(re.findall(rb"[A-Za-z0-9+/=]{200,}", data.replace(b"\\n", b"")), key=len)
files = zipfile.ZipFile(io.BytesIO(base64.b64decode(archive))).infolist()
print(json.dumps({file.filename: file.compress_size for file in files}))
"""


@pytest.mark.parametrize("module", ["disk", "disk_freeze", "disk_info"])
def test_what_travels_to_the_machine_stays_small(module: str, tmp_path: Path) -> None:
    """The collection's part of the archive is at most 60 KiB; nothing of EC2 travels."""
    place = tmp_path / "ansible_collections" / "steadfast"
    place.mkdir(parents=True)
    (place / "ec2").symlink_to(ROOT)
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(tmp_path), "ANSIBLE_HOME": str(tmp_path), "HOME": str(tmp_path)}
    path = f"{place}/ec2/plugins/modules/{module}.py"
    command = [sys.executable, "-c", PROGRAM, f"ansible_collections.steadfast.ec2.plugins.modules.{module}", path]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    files = {name: size for name, size in json.loads(done.stdout).items() if name.startswith("ansible_collections/steadfast")}
    assert {"disk", "engine"} <= {name.split("/")[5] for name in files if name.count("/") > 5}
    assert [name for name in files if "/aws/" in name or "/ec2/plugins/module_utils/ec2" in name] == []
    assert sum(files.values()) <= 60 * 1024
