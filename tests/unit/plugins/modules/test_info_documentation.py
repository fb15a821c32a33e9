# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the modules that look things up, and those for backups, document is what they take and return."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
import yaml
from ansible.parsing.plugin_docs import read_docstring
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.backup import state

from .test_ec2_documentation import MODULES, comparable

PLUGINS = "ansible_collections.steadfast.ec2.plugins"
OTHERS = ("caller_info", "disk_info")
BACKUPS = ("snapshot", "image")
NAMES = sorted(path.stem for path in MODULES.glob("*_info.py") if path.stem not in OTHERS)


def documented(name: str) -> dict[str, Any]:
    """The options of a module, its own and those of its fragments."""
    doc = read_docstring(str(MODULES / f"{name}.py"))["doc"]
    options: dict[str, Any] = dict(doc.get("options") or {})
    for fragment in doc["extends_documentation_fragment"]:
        words = fragment.removeprefix("steadfast.ec2.").split(".")
        found = importlib.import_module(f"{PLUGINS}.doc_fragments.{words[0]}").ModuleDocFragment
        text = getattr(found, words[1].upper() if len(words) > 1 else "DOCUMENTATION")
        options.update(yaml.safe_load(text).get("options") or {})
    return options


@pytest.mark.parametrize("name", [*NAMES, *BACKUPS])
def test_documented_options_are_the_options(name: str) -> None:
    """Names, types, choices, defaults and aliases."""
    definition = importlib.import_module(f"{PLUGINS}.action.{name}").ActionModule.definition
    assert comparable(documented(name), "suboptions") == comparable(definition.argument_spec, "options")


@pytest.mark.parametrize("name", NAMES)
def test_every_part_is_documented(name: str) -> None:
    """A module has a short description, examples, results and the promise to change nothing."""
    found = read_docstring(str(MODULES / f"{name}.py"))
    assert found["doc"]["short_description"]
    assert found["plainexamples"]
    assert "steadfast.ec2.attributes.info" in found["doc"]["extends_documentation_fragment"]
    assert "api" in _returned(name)


@pytest.mark.parametrize("name", BACKUPS)
def test_documented_results_of_backups_are_the_facts(name: str) -> None:
    """The module and its twin document every fact, and nothing else but what only a plan has."""
    facts = set(getattr(state, name)({"SnapshotId": "snap-1", "ImageId": "ami-1"}))
    planned = {"planned", "copy_of"} | ({"instance_id"} if name == "image" else set())
    assert set(_returned(name)[name]["contains"]) == facts | planned
    assert set(_returned(f"{name}_info")[f"{name}s"]["contains"]) == facts


def _returned(name: str) -> dict[str, Any]:
    found = read_docstring(str(MODULES / f"{name}.py"))["returndocs"]
    return dict(yaml.safe_load(found) if isinstance(found, str) else found)
