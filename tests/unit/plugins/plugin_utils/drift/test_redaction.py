# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is hidden, what is shown, and how a diff becomes attributes."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.plugin_utils.drift.attributes import Shower, from_diff, from_plan
from ansible_collections.steadfast.ec2.plugins.plugin_utils.drift.redact import HIDDEN, Redactor
from hypothesis import given
from hypothesis import strategies as st

KEY = b"k" * 32
WORDS = st.text(alphabet='ABCXYZ0123 \n"\\é', min_size=1, max_size=60)


@given(secret=WORDS.filter(lambda text: len(text.strip()) >= 4), before=WORDS, after=WORDS)
def test_a_known_secret_is_nowhere(secret: str, before: str, after: str) -> None:
    """Wherever it stands in a text or a value, as it is or as JSON spells it, it is gone."""
    redactor = Redactor(KEY, [secret])
    assert secret not in redactor.text(before + secret + after)
    assert secret not in str(redactor.value({"a": [before + secret], secret: 1})["a"])


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("postgres://me:hunter22@db/x", f"postgres://{HIDDEN}@db/x"),
        ("key AKIAIOSFODNN7EXAMPLE end", f"key AKIA{HIDDEN} end"),
        ("-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----\nx", f"-----BEGIN {HIDDEN}\nx"),
        ("-----BEGIN PRIVATE KEY-----\ncut off", f"-----BEGIN {HIDDEN}"),
        ("Authorization: Bearer abcdefgh.ijk", f"Authorization: Bearer {HIDDEN}"),
        ('password = "x y"; fine', f"password = {HIDDEN}; fine"),
        ("https://s3/x?X-Amz-Signature=abc&b=1", f"https://s3/x?X-Amz-Signature={HIDDEN}&b=1"),
        ("nothing here", "nothing here"),
    ],
)
def test_what_looks_like_a_secret_is_hidden(text: str, left: str) -> None:
    """By its form, wherever it stands; what is around it stays."""
    assert Redactor(KEY).text(text) == left


def test_a_value_that_is_named_like_a_secret_is_hidden_and_can_be_compared() -> None:
    """Not its value but a keyed hash, so that another value is noticed; without the key the hash says nothing."""
    first, second = (Redactor(KEY).value({"db_password": value})["db_password"] for value in ("one", "two"))
    assert first != second
    assert "one" not in first
    assert first != Redactor(b"o" * 32).value({"db_password": "one"})["db_password"]


def shown(diff: Any, resource: str = "/etc/x", texts: tuple[str, ...] = ()) -> list[tuple[Any, ...]]:
    """(path, expected, actual) of a stock module's diff."""
    difference = from_diff(diff, resource, Shower(Redactor(KEY), texts))
    return [(one["path"], one["expected"], one["actual"]) for one in difference.attributes]


@pytest.mark.parametrize(
    ("diff", "attributes"),
    [
        ({"before": {"mode": "0644", "path": "/x"}, "after": {"mode": "0600", "path": "/x"}}, [("mode", "0600", "0644")]),
        ([{"before": {"a": {"b": 1}}, "after": {"a": {"b": 2}}}], [("a.b", 2, 1)]),
        ({"before": '{"size": 1}', "after": '{"size": 2}'}, [("size", 2, 1)]),
        ({"before": {}, "after": {"x": [1]}}, [("x", [1], None)]),
        ([{"before": "", "after": ""}], []),
        ([{"src_binary": True, "dst_binary": True}], [("content", "binary content", "different")]),
        ([{"dst_larger": 104448}], [("content", "too large to compare", "different")]),
        (None, []),
        ("text", []),
        ([None, {"before": None, "after": None}], []),
    ],
)
def test_every_shape_of_diff_becomes_attributes(diff: Any, attributes: list[tuple[Any, ...]]) -> None:
    """Mappings, lists of them, JSON in texts, binaries, nothing, and what is no diff at all."""
    assert shown(diff) == attributes


def test_texts_are_counted_unless_their_file_is_allowed() -> None:
    """The lines of a file are shown only where somebody said so; then those that differ, and no more."""
    diff = {"before": "same\nold\n", "after": "same\nnew\nmore\n"}
    ((path, expected, actual),) = shown(diff)
    assert path == "content"
    assert "2 missing or different" in expected
    assert "1 not expected" in actual
    assert "new" not in expected
    assert shown(diff, texts=("/etc/*",)) == [("content", "new\nmore", "old")]


def test_a_plan_of_this_collection_gives_one_difference_for_each_resource() -> None:
    """With the resource's name, what is to be done, and each attribute that differs; content of files is counted."""
    tags = {"name": "tags", "before": {"a": "1", "b": "2"}, "after": {"a": "1", "b": "3"}}
    content = {"name": "content", "before": "x", "after": "y"}
    plan = [
        {"kind": "instance", "name": "web", "action": "update", "attributes": [tags]},
        {"kind": "file", "name": "/etc/x", "action": "create", "attributes": [content]},
    ]
    instance, file = from_plan(plan, Shower(Redactor(KEY)))
    assert (instance.name, instance.action) == ("instance web", "update")
    assert [(one["path"], one["expected"], one["actual"]) for one in instance.attributes] == [("tags.b", "3", "2")]
    assert file.attributes[0]["redacted"] is True


def test_a_value_that_is_very_long_is_cut() -> None:
    """A record stays small whatever a module says."""
    (attribute,) = from_diff({"before": {"x": 1}, "after": {"x": ["y" * 100] * 100}}, "r", Shower(Redactor(KEY))).attributes
    assert len(str(attribute)) < 1500
