# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The program that a machine's Python is given in the place of Ansible's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.action import config_files, disk, disk_freeze, disk_info, site_release
from ansible_collections.steadfast.ec2.plugins.plugin_utils import on_machine

ACTIONS = {module.__name__.rpartition(".")[2]: module.ActionModule for module in (config_files, disk, disk_freeze, disk_info, site_release)}
PYENV = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
#: No folder of packages (-S) and no setting (-E): a Python without Ansible.
BARE = ("-S", "-E")


def options_of(name: str, **given: Any) -> dict[str, Any] | None:
    """What the module of an action would see of these options; None where it is for Ansible's own way."""
    action = ACTIONS[name]
    return action._options(action.__new__(action), given)


def run(name: str, python: str | Path = sys.executable, cwd: Path | None = None, **given: Any) -> subprocess.CompletedProcess[str]:
    """The program of a module in check mode, read from standard input as over ssh, by a Python that has nothing but itself."""
    options = options_of(name, **given)
    assert options is not None
    data = on_machine.program(ACTIONS[name].defined_in, options, True, None)
    return subprocess.run([python, *BARE], input=data.decode(), capture_output=True, text=True, check=False, cwd=cwd)


NOWHERE = {"device": "/dev/nowhere", "path": "/srv/data", "timeout": 0}
EXAMPLES: dict[str, dict[str, Any]] = {
    "config_files": {"files": [{"path": "/nowhere/site.conf", "content": "listen 80;"}]},
    "disk": NOWHERE,
    "disk_freeze": {"paths": ["/nowhere"], "state": "frozen"},
    "disk_info": {},
    "site_release": {"path": "/nowhere", "checksum": "0" * 64},
}


@pytest.mark.parametrize("name", ACTIONS)
def test_it_runs_where_there_is_no_ansible(name: str) -> None:
    """One JSON document, and no traceback: a result, or an error that says why."""
    done = run(name, **EXAMPLES[name])
    assert done.stderr == ""
    result = json.loads(done.stdout)
    assert done.returncode == (1 if result.get("failed") else 0)
    assert isinstance(result["changed"], bool)
    assert result["invocation"]["module_args"] == options_of(name, **EXAMPLES[name])


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.12", "3.13"])
def test_any_supported_python_runs_it(version: str) -> None:
    """The same error as here, from each Python that is installed."""
    there = [*PYENV.glob(f"versions/{version}.*/bin/python{version}")]
    if not there:
        pytest.skip(f"no Python {version} here")
    done = run("disk", there[0], **NOWHERE)
    assert (done.stderr, json.loads(done.stdout)["error"]["code"]) == ("", "NotFound")


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.7"])
def test_an_older_python_is_told_so(version: str) -> None:
    """In the words of an error, not of a traceback."""
    there = [*PYENV.glob(f"versions/{version}.*/bin/python{version}")]
    if not there:
        pytest.skip(f"no Python {version} here")
    done = run("disk", there[0], **NOWHERE)
    assert (done.stderr, done.returncode) == ("", 1)
    assert "needs Python 3.8 or newer" in json.loads(done.stdout)["msg"]


def test_what_lies_beside_it_is_not_the_standard_library(tmp_path: Path) -> None:
    """Nobody who can write where a login begins can have something run as root."""
    (tmp_path / "json.py").write_text("raise SystemExit('taken')")
    (tmp_path / "zlib.py").write_text("raise SystemExit('taken')")
    assert json.loads(run("disk", cwd=tmp_path, **NOWHERE).stdout)["error"]["code"] == "NotFound"


def test_a_fault_of_ours_is_shown_with_its_place(tmp_path: Path) -> None:
    """A traceback names our file, for whoever reports it; Ansible makes a failure of it."""
    data = on_machine.program("disk/definition.py", {}, True, None)
    done = subprocess.run([sys.executable, *BARE], input=data.decode(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "module_utils.disk.definition>" in done.stderr


@pytest.mark.parametrize("name", ACTIONS)
def test_what_travels_stays_small(name: str) -> None:
    """All of the program is at most 60 KiB, as it is sent, and nothing of EC2 is in it."""
    data = on_machine.program(ACTIONS[name].defined_in, options_of(name, **EXAMPLES[name]) or {}, False, None)
    assert len(data) <= 60 * 1024


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("disk", {**NOWHERE, "path": "~/data"}),
        ("disk", {**NOWHERE, "path": "$HOME/data"}),
        ("config_files", {"files": [{"path": "~/site.conf", "content": "x"}]}),
        ("disk", {**NOWHERE, "state": "mouned"}),
        ("disk", {"path": "/srv/data"}),
        ("disk", {**NOWHERE, "mode": object()}),
    ],
)
def test_what_needs_ansible_goes_its_way(name: str, given: dict[str, Any]) -> None:
    """Paths to expand on the machine, and options that Ansible refuses in its own words."""
    assert options_of(name, **given) is None


def test_a_dollar_in_a_file_is_no_path_to_expand() -> None:
    """nginx's variables are no reason to take the long way."""
    assert options_of("config_files", files=[{"path": "/etc/site.conf", "content": "return 301 https://$host;"}])


@pytest.mark.parametrize("name", ACTIONS)
def test_no_option_is_a_secret(name: str) -> None:
    """Hiding them in results and logs is Ansible's work, which is not done on this way."""
    assert "'no_log': True" not in str(ACTIONS[name].definition.argument_spec)


def test_the_log_of_the_machine_has_no_secret_and_no_contents() -> None:
    """A line for each run, as Ansible's modules leave one; none where Ansible is told not to."""
    options = {
        "path": "/srv",
        "url": "https://me:secret@example.com/site.zip?token=secret",
        "files": [{"content": "secret"}],
        "text": "a\nsecret",
    }
    entry = on_machine._log_entry("steadfast.ec2.site_release", {"_ansible_syslog_facility": "LOG_LOCAL1"}, options)
    assert entry == ["ansible-steadfast.ec2.site_release", "LOG_LOCAL1", "Invoked with path=/srv url=https://example.com/site.zip"]
    assert on_machine._log_entry("steadfast.ec2.disk", {"_ansible_no_log": True}, options) is None


@dataclass(frozen=True)
class Built:
    """What ansible-core from 2.19 on makes of a module."""

    b_module_data: bytes
    module_style: str
    shebang: str
    serialization_profile: str


@pytest.mark.parametrize("old", [True, False])
def test_only_the_program_is_another_one(old: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interpreter, style and the way to read the result are Ansible's, in its old form and in its new one; its helpers stay its own."""
    line = "#!/usr/bin/python3"
    new = Built(b"theirs", "new", line, "legacy")
    built: tuple[Any, ...] = ("new", line, b"theirs", "/path") if old else (new, "/path")
    monkeypatch.setattr(on_machine.OrdinaryModule, "_configure_module", lambda self, name, args, task_vars: built)
    action = disk.ActionModule.__new__(disk.ActionModule)
    action._task = SimpleNamespace(action="steadfast.ec2.disk", check_mode=True)
    assert action._configure_module("ansible.legacy.async_wrapper", {}, {}) == built
    assert action._configure_module("steadfast.ec2.disk", {"path": "~/data"}, {}) == built
    found = action._configure_module("steadfast.ec2.disk", {**NOWHERE, "_ansible_check_mode": True}, {})
    data = found[2] if old else found[0].b_module_data
    assert data.startswith(b"#!/usr/bin/python3\nimport sys")
    assert found == (("new", line, data, "/path") if old else (replace(new, b_module_data=data), "/path"))
