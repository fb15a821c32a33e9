# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is released works where it is installed, without the checkout."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

from tests.support.sandbox import api_only_sandbox

ROOT = Path(__file__).resolve().parents[2]
TOOLS = Path(sys.executable).parent

PLAYBOOK = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - steadfast.ec2.key_pair:
        name: "{{ 'Moso' | steadfast.ec2.resource_name('dev', 'us-east-1') }}"
        private_key_file: "{{ playbook_dir }}/key.pem"
      register: made
    - ansible.builtin.assert:
        that: made is changed and made.key_pair.name == 'Moso-dev-nvir'
"""


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that `ansible-galaxy collection build` makes of the checkout."""
    folder = tmp_path_factory.mktemp("artifact")
    subprocess.run([TOOLS / "ansible-galaxy", "collection", "build", "--output-path", folder], cwd=ROOT, check=True, capture_output=True)
    (made,) = folder.glob("steadfast-ec2-*.tar.gz")
    return made


def test_an_installed_release_runs_by_its_full_names(artifact: Path, tmp_path: Path) -> None:
    """Module and filter are found by FQCN in a collection that was installed from the file."""
    collections = tmp_path / "collections"
    # --force: the checkout, which the settings of developers name, counts as an installation of the same version
    install = [TOOLS / "ansible-galaxy", "collection", "install", "--offline", "--force", "--collections-path", collections, artifact]
    subprocess.run(install, check=True, capture_output=True, cwd=tmp_path)
    (tmp_path / "playbook.yml").write_text(PLAYBOOK)
    with api_only_sandbox(tmp_path / "sandbox") as sandbox:
        environment = {**sandbox.environment, "ANSIBLE_COLLECTIONS_PATH": str(collections), "ANSIBLE_LOCALHOST_WARNING": "false"}
        environment.pop("ANSIBLE_CONFIG", None)
        command = [TOOLS / "ansible-playbook", "-i", "localhost,", "playbook.yml"]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert [key["KeyName"] for key in sandbox.client().describe_key_pairs()["KeyPairs"]] == ["Moso-dev-nvir"]


def test_a_release_has_what_users_need_and_nothing_of_the_workshop(artifact: Path) -> None:
    """Plugins, roles and playbooks are in it; the sandbox, tests and caches of developers are not."""
    with tarfile.open(artifact) as archive:
        tops = {name.split("/")[0] for name in archive.getnames()}
    assert {"plugins", "roles", "playbooks", "meta", "docs", "README.md", "LICENSE", "MANIFEST.json"} <= tops
    assert tops & {".dev", ".git", ".ci", "dev", "sandbox", "requirements", "pyproject.toml", "extensions"} == set()


def test_the_versions_agree() -> None:
    """What a release needs is said once: the execution environment's floors are those of the connection options."""
    floors = (ROOT / "meta" / "ee-requirements.txt").read_text()
    assert "boto3>=1.40" in floors
    assert yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["requires_ansible"] == ">=2.18.0"
