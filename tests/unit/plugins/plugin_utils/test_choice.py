# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which instances are meant, when several filters are put into one question."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import InvalidInput
from ansible_collections.steadfast.ec2.plugins.plugin_utils.choice import Choice

STATES = ["running"]


def raw(**more: Any) -> dict[str, Any]:
    """An instance as DescribeInstances gives it."""
    plain = {
        "InstanceId": "i-1",
        "State": {"Name": "running", "Code": 16},
        "Tags": [{"Key": "Role", "Value": "web"}, {"Key": "Note", "Value": "a*b"}],
        "NetworkInterfaces": [{"Groups": [{"GroupId": "sg-1"}]}, {"Groups": [{"GroupId": "sg-2"}]}],
        "EbsOptimized": True,
    }
    return {**plain, **more}


def test_one_filter_is_left_to_the_api() -> None:
    """Nothing is decided here, so every filter of the API may be used, also one that is unknown here."""
    choice = Choice.of({"tag:Role": "web", "some_new.filter": ["a", "b"]}, [], [], STATES)
    assert choice.request() == [
        {"Name": "instance-state-name", "Values": ["running"]},
        {"Name": "some-new.filter", "Values": ["a", "b"]},
        {"Name": "tag:Role", "Values": ["web"]},
    ]
    assert not choice.local
    assert choice.takes(raw())


@pytest.mark.parametrize(
    ("included", "excluded", "states", "option"),
    [([{}], [], STATES, "include_filters"), ([], [{}], STATES, "exclude_filters"), ([], [], [], "states")],
)
def test_what_would_mean_every_instance_or_none_is_refused(
    included: list[Any], excluded: list[Any], states: list[str], option: str
) -> None:
    """An empty filter that excludes would make an account without hosts of any."""
    with pytest.raises(InvalidInput, match=option):
        Choice.of({}, included, excluded, states)


def test_several_filters_become_one_question_with_what_they_have_in_common() -> None:
    """The API may give too many, never too few."""
    choice = Choice.of({"tag:Role": "web"}, [{"tag:Role": ["db"], "vpc-id": "vpc-1"}], [], STATES)
    assert choice.request() == [{"Name": "instance-state-name", "Values": ["running"]}, {"Name": "tag:Role", "Values": ["web", "db"]}]
    assert choice.takes(raw())
    assert not choice.takes(raw(Tags=[{"Key": "Role", "Value": "db"}]))
    assert choice.takes(raw(Tags=[{"Key": "Role", "Value": "db"}], VpcId="vpc-1"))


@pytest.mark.parametrize(
    ("name", "value", "fits"),
    [
        ("tag:Role", "web", True),
        ("tag:Role", "w?b", True),
        ("tag:Role", "*", True),
        ("tag:Role", "Web", False),
        ("tag:Role", ["db", "we*"], True),
        ("tag:Missing", "*", False),
        ("tag:Note", "a\\*b", True),
        ("tag:Role", "w\\*b", False),
        ("tag-key", "Role", True),
        ("tag-value", "web", True),
        ("network_interface.group_id", "sg-2", True),
        ("network-interface.group-id", "sg-3", False),
        ("instance-state-code", 16, True),
        ("ebs-optimized", True, True),
        ("ebs-optimized", "false", False),
        ("subnet-id", "*", False),
    ],
)
def test_a_filter_is_told_apart_as_the_api_does_it(name: str, value: Any, fits: bool) -> None:
    """Any of the values, by upper and lower case, with its wildcards; what an instance does not have fits nothing."""
    assert Choice.of({}, [], [{name: value}], STATES).takes(raw()) is not fits


def test_what_is_excluded_is_out_whatever_else_it_fits() -> None:
    """Exclusion counts before inclusion."""
    assert not Choice.of({"tag:Role": "web"}, [{"tag:Note": "*"}], [{"instance-id": "i-1"}], STATES).takes(raw())


def test_a_filter_that_names_states_is_not_limited_by_the_states_option() -> None:
    """The more explicit one counts."""
    choice = Choice.of({"instance-state-name": "stopped"}, [], [], STATES)
    assert choice.request() == [{"Name": "instance-state-name", "Values": ["stopped"]}]


@pytest.mark.parametrize("option", ["include_filters", "exclude_filters"])
def test_what_only_the_api_can_decide_is_refused_before_any_call(option: str) -> None:
    """The message names the filter and where it can be used."""
    given = {"include_filters": [{"no-such.thing": "x"}, {"tag:A": "b"}], "exclude_filters": []}
    if option == "exclude_filters":
        given = {"include_filters": [], "exclude_filters": [{"no-such.thing": "x"}]}
    with pytest.raises(InvalidInput, match=r"no-such\.thing"):
        Choice.of({}, given["include_filters"], given["exclude_filters"], STATES)


@pytest.mark.parametrize("filters", [{"tag:Role": {}}, {"tag:Role": []}, {"tag:Role": None}])
def test_a_filter_without_values_is_refused(filters: dict[str, Any]) -> None:
    """Otherwise it would silently choose everything or nothing."""
    with pytest.raises(InvalidInput, match="tag:Role"):
        Choice.of(filters, [], [], STATES)
