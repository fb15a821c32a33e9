# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Expressions without templates mean what they mean to Ansible."""

from __future__ import annotations

from typing import Any

import pytest
from ansible import template
from ansible.parsing.dataloader import DataLoader
from ansible_collections.steadfast.ec2.plugins.plugin_utils import expressions
from hypothesis import given
from hypothesis import strategies as st

TRUSTED = getattr(template, "trust_as_template", None)
pytestmark = pytest.mark.skipif(TRUSTED is None, reason="before ansible-core 2.19 every expression goes to Ansible")

VARIABLES: dict[str, Any] = {
    "ec2": {
        "state": "running",
        "fleet": None,
        "tags": {"Role": "web,db", "Empty": "", "items": "a tag", "Note": "{{ 6 * 7 }}", "Number": "5"},
        "volumes": {"root": {"size": 8}},
        "groups": ["a", "b"],
    },
    "tags": {"Role": "web"},
}
WORDS = "ec2 tags state fleet Role Empty items Note Number volumes root size groups missing lipsum"
LITERALS = ["'web'", '"running"', "5", "8", "''", "true", "none", "'a'"]


def by_ansible(expression: str) -> Any:
    """What a template gives; the word `error` where it fails."""
    templar = template.Templar(loader=DataLoader(), variables=VARIABLES)
    try:
        return templar.evaluate_expression(TRUSTED(expression))
    except Exception:
        return "error"


def by_us(expression: str) -> Any:
    """What we give; `error` for what is not defined; None where it is left to Ansible."""
    evaluate = expressions.plain(expression)
    try:
        return evaluate(VARIABLES) if evaluate else None
    except expressions.NotDefined:
        return "error"
    except expressions.NotPlain:
        return None


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("ec2.tags.Role", "web,db"),
        ("ec2.tags['Role']", "web,db"),
        ("tags.Role == 'web' and ec2.state == 'running'", True),
        ("'db' in ec2.tags.Role", True),
        ("not (ec2.state == 'stopped' or 'a' not in ec2.groups)", True),
        ("ec2.volumes.images is defined", False),
        ("ec2.tags.Missing | default('none')", "none"),
        ("ec2.tags.Empty | default('none', true)", "none"),
        ("ec2.tags", VARIABLES["ec2"]["tags"]),
        ("ec2.tags.Note", "{{ 6 * 7 }}"),
    ],
)
def test_look_ups_and_comparisons_need_no_template(expression: str, value: Any) -> None:
    """The forms that people write for tags and attributes."""
    assert by_us(expression) == value
    assert by_ansible(expression) == value


@pytest.mark.parametrize("expression", ["ec2.tags.Role | upper", "ec2.tags.items", "lookup('pipe', 'id')", "ec2.fleet", "1 +", "a }}{{ b"])
def test_everything_else_is_left_to_ansible(expression: str) -> None:
    """Also what could be a method or a tag of that name, and a value that is null."""
    assert by_us(expression) is None


def test_what_is_not_there_is_not_defined() -> None:
    """The two say it alike."""
    assert by_us("ec2.tags.Missing") == by_ansible("ec2.tags.Missing") == "error"


paths = st.lists(st.sampled_from(WORDS.split()), min_size=1, max_size=4).map(".".join)
terms = st.one_of(
    paths, st.sampled_from(LITERALS), paths.map(lambda path: f"({path} | default('x'))"), paths.map(lambda p: f"({p} is defined)")
)
comparisons = st.builds("{} {} {}".format, terms, st.sampled_from(["==", "!=", "in", "not in"]), terms)
formulas = st.one_of(terms, comparisons, st.builds("({}) {} ({})".format, comparisons, st.sampled_from(["and", "or"]), comparisons))


@given(formulas)
def test_whatever_we_say_ansible_says_too(expression: str) -> None:
    """The law of the whole file: the same value, or the same refusal, or no opinion."""
    ours = by_us(expression)
    if ours is not None:
        assert ours == by_ansible(expression)
