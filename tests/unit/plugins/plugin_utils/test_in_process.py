# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""When an EC2 module may run inside the controller, and when it must not."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.action.volume import ActionModule
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.definition import ModuleDefinition
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import Refused

LOCAL = {"ansible_python_interpreter": sys.executable}


def action(args: dict[str, Any] | None = None, transport: str = "local", become: bool = False, **task: Any) -> ActionModule:
    """The action of a task, as far as the decision needs one."""
    made = ActionModule.__new__(ActionModule)
    made._task = SimpleNamespace(
        **{"async_val": 0, "become": None, "environment": [{}], "check_mode": False, "args": args or {"name": "data"}, **task}
    )
    made._play_context = SimpleNamespace(become=become)
    made._connection = SimpleNamespace(_load_name=transport)
    made._templar = SimpleNamespace(template=lambda value: value)
    return made


def test_a_plain_local_task_needs_no_process() -> None:
    """The usual case."""
    assert not action()._needs_process(LOCAL)
    assert not action()._needs_process({})
    assert not action()._needs_process({"ansible_python_interpreter": "auto_silent"})


@pytest.mark.parametrize(
    "made",
    [
        action(transport="ssh"),
        action(transport="community.docker.docker"),
        action(become=True),
        action(become=True),  # the keyword of the task
        action(async_val=60),
        action(environment=[{}, {"AWS_PROFILE": "other"}]),
        action(environment=["{{ proxies }}"]),
    ],
)
def test_what_only_a_process_gives_gets_one(made: ActionModule) -> None:
    """Another machine, another user, a background job, another environment."""
    assert made._needs_process(LOCAL)


def test_another_python_is_honoured(tmp_path: Path) -> None:
    """A declared interpreter may have other libraries, so it runs the module; a virtual environment is another Python."""
    assert action()._needs_process({"ansible_python_interpreter": "/opt/other/bin/python3"})
    (tmp_path / "python3").symlink_to(sys.executable)
    assert action()._needs_process({"ansible_python_interpreter": str(tmp_path / "python3")})


def test_the_same_python_by_another_name_is_the_same() -> None:
    """python, python3 and python3.11 of one environment are one interpreter."""
    siblings = [path for path in Path(sys.executable).parent.glob("python*") if path.resolve() == Path(sys.executable).resolve()]
    assert siblings
    assert not any(action()._needs_process({"ansible_python_interpreter": str(path)}) for path in siblings)


@pytest.mark.parametrize(
    "args",
    [
        {},
        {"size": 1},
        {"name": "data", "size": "large"},
        {"name": "data", "colour": "red"},
        {"name": "data", "state": "gone"},
        {"name": "data", "size": 1, "volume_size": 2},
    ],
)
def test_wrong_options_are_left_to_ansible(args: dict[str, Any]) -> None:
    """Whatever Ansible would complain or warn about, it does itself, in its own words."""
    made = action()
    made._task.args = args
    assert made._validated() is None


def test_options_are_what_a_module_would_see() -> None:
    """Aliases and types are resolved, and strings are plain strings."""

    class Tagged(str):
        """What Ansible makes of the strings in a playbook."""

        __slots__ = ()

    options = action({Tagged("name"): Tagged("data"), "volume_size": "8", "encrypted": "yes"})._validated().validated_parameters
    assert (options["size"], options["encrypted"], options["state"]) == (8, True, "present")
    assert type(options["name"]) is str


def test_an_error_is_the_result_of_the_task() -> None:
    """A refusal ends as a failed task with the same message and data that the module gives."""

    def refuse(options: Any, check_mode: bool) -> dict[str, Any]:
        raise Refused("it is protected", resource="volume data", do="Remove the tag.")

    result = ModuleDefinition({}, refuse).result({}, False)
    assert result["failed"]
    assert result["msg"] == "volume data: it is protected. Remove the tag."
    assert result["error"]["resource"] == "volume data"
