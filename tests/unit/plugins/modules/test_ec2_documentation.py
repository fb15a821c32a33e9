# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the EC2 modules document is what they take and return."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.plugin_docs import read_docstring
from ansible_collections.steadfast.ec2.plugins.doc_fragments.connection import ModuleDocFragment as ConnectionFragment
from ansible_collections.steadfast.ec2.plugins.doc_fragments.resources import ModuleDocFragment as ResourceFragments
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2 import definitions, facts

MODULES = Path(__file__).resolve().parents[4] / "plugins" / "modules"
NAMES = ("fleet", "key_pair", "security_group", "instance", "volume", "elastic_ip")
RAW: dict[str, dict[str, Any]] = {
    "key_pair": {"KeyName": "k"},
    "instance": {"InstanceId": "i-1"},
    "volume": {"VolumeId": "vol-1"},
    "elastic_ip": {},
}
#: What a module returns beside the facts that inventory and modules share.
ADDED = {"key_pair": {"planned", "private_key_file"}, "instance": {"planned"}, "volume": {"planned"}, "elastic_ip": {"planned"}}


def documented(name: str) -> dict[str, Any]:
    """The options of a module, from its fragments."""
    own = yaml.safe_load(getattr(ResourceFragments, name.upper()))["options"]
    return {**own, **yaml.safe_load(ConnectionFragment.DOCUMENTATION)["options"]}


def comparable(options: Mapping[str, Any], inner: str) -> dict[str, Any]:
    """Options without their descriptions; `inner` is the word for the options inside an option."""
    return {
        name: {
            **{word: option.get(word) for word in ("type", "elements", "choices", "aliases", "default", "required") if option.get(word)},
            "options": comparable(option.get(inner) or {}, inner),
        }
        for name, option in options.items()
    }


@pytest.mark.parametrize("name", NAMES)
def test_documented_options_are_the_options(name: str) -> None:
    """Names, types, choices, defaults and aliases, at every depth."""
    definition = getattr(definitions, name.upper())
    assert comparable(documented(name), "suboptions") == comparable(definition.argument_spec, "options")


@pytest.mark.parametrize("name", RAW)
def test_documented_results_are_the_facts(name: str) -> None:
    """A module documents every fact of its resource, and nothing else."""
    returned = read_docstring(str(MODULES / f"{name}.py"))["returndocs"]
    shape = set(getattr(facts, name)(RAW[name])) | ADDED[name]
    assert set(yaml.safe_load(returned)[name]["contains"] if isinstance(returned, str) else returned[name]["contains"]) == shape


@pytest.mark.parametrize("name", NAMES)
def test_every_part_is_documented(name: str) -> None:
    """A module has a short description, examples, results and the promises of its attributes."""
    found = read_docstring(str(MODULES / f"{name}.py"))
    assert found["doc"]["short_description"]
    assert found["plainexamples"]
    assert "steadfast.ec2.attributes" in found["doc"]["extends_documentation_fragment"]
