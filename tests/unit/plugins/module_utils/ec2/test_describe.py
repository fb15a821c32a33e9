# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How the API is asked for what passes filters: in as few requests as it allows, and in none where nothing can pass."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.describe import FILTER_VALUES, api_filter, at_once, describe, portions
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import CallFailed
from hypothesis import given
from hypothesis import strategies as st


class Requests:
    """A client that finds one thing for each request, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def pages(self, operation: str, result: str, params: dict[str, Any]) -> list[dict[str, Any]]:
        self.asked.append(params)
        return [{"operation": operation, "result": result}]


def asked(*filters: dict[str, Any], kind: str = "volumes", **more: Any) -> list[dict[str, Any]]:
    """The requests that are made."""
    client = Requests()
    describe(client, kind, filters, **more)  # type: ignore[arg-type]
    return client.asked


def test_without_a_filter_everything_is_asked_for() -> None:
    """With what the kind and the caller add; the caller counts."""
    assert asked(kind="images") == [{"Owners": ["self"]}]
    assert asked(kind="images", Owners=["amazon"]) == [{"Owners": ["amazon"]}]


def test_a_filter_without_a_value_passes_nothing() -> None:
    """So no request is made; to the API it would be an error, or everything."""
    assert asked(api_filter("volume-id", []), api_filter("size", ["8"])) == []


@given(st.integers(1, 3 * FILTER_VALUES))
def test_a_long_list_is_asked_for_in_parts_and_the_other_filters_with_each(count: int) -> None:
    """Every value once, never more than the API takes."""
    ids, others = [f"vol-{number}" for number in range(count)], api_filter("size", ["8"])
    requests = [one["Filters"] for one in asked(others, api_filter("volume-id", ids))]
    parts = [next(one["Values"] for one in filters if one["Name"] == "volume-id") for filters in requests]
    assert sorted(value for part in parts for value in part) == sorted(ids)
    assert max(len(part) for part in parts) <= FILTER_VALUES
    assert all(others in filters for filters in requests)
    assert len(parts) == -(-count // FILTER_VALUES)


def test_the_same_values_are_the_same_request() -> None:
    """Whatever order they come in, as from a set."""
    assert api_filter("a", {"z", "b"}) == api_filter("a", ["z", "b"]) == {"Name": "a", "Values": ["b", "z"]}
    assert portions({"c", "a", "b"}, 2) == [["a", "b"], ["c"]]


def test_of_several_calls_a_failure_is_raised() -> None:
    """And no answer of the others is taken for all there is."""

    def fails() -> Any:
        raise CallFailed("no", code="AuthFailure")

    assert at_once({"a": lambda: [1], "b": lambda: [2]}) == {"a": [1], "b": [2]}
    with pytest.raises(CallFailed):
        at_once({"a": lambda: [1], "b": fails})
