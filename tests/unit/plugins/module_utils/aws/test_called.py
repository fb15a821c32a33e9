# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The list of called operations is the code's: one that is missing could not be called, one too many costs time in every task."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import botocore.loaders
from ansible_collections.steadfast.ec2.plugins.module_utils.aws.called import CALLED, only_called

PLUGINS = Path(__file__).resolve().parents[5] / "plugins"


def everything() -> dict[str, Any]:
    """botocore's own description of EC2."""
    found: dict[str, Any] = botocore.loaders.create_loader().load_service_model("ec2", "service-2")
    return found


def named_in_code() -> set[str]:
    """Every text in the plugins, those that are put together for both directions of a rule included."""
    found: set[str] = set()
    for path in PLUGINS.rglob("*.py"):
        if path.name == "called.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
            elif isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                found |= {f"{node.values[0].value}{direction}" for direction in ("Ingress", "Egress")}
    return found


def test_the_list_is_what_the_code_names() -> None:
    """No operation more and none less."""
    assert named_in_code() & set(everything()["operations"]) == CALLED


def test_what_is_left_is_described_as_before() -> None:
    """The operations themselves, and all that they are made of, are botocore's."""
    model = everything()
    small = only_called(model)
    assert set(small["operations"]) == CALLED < set(model["operations"])
    assert all(small["operations"][name] == model["operations"][name] for name in CALLED)
    assert {name: part for name, part in small.items() if name != "operations"} == {
        name: part for name, part in model.items() if name != "operations"
    }
