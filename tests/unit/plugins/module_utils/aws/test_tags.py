# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tags: what stays, what goes, and how a resource is found by them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.aws import tags

THERE = {"Name": "web", "aws:cloudformation:stack-id": "x", "steadfast:fleet": "shop", "Owner": "me"}
KEPT = {name: value for name, value in THERE.items() if name != "Owner"}


@pytest.mark.parametrize(
    ("declared", "purge", "result"),
    [
        (None, True, THERE),
        ({}, True, KEPT),
        ({}, False, THERE),
        ({"Owner": "you"}, True, {**THERE, "Owner": "you"}),
        ({"Role": "web"}, True, {**KEPT, "Role": "web"}),
        ({"Role": "web"}, False, {**THERE, "Role": "web"}),
        ({"Name": "other"}, True, {**KEPT, "Name": "other"}),
    ],
)
def test_purge_removes_what_is_the_users_and_no_longer_declared(declared: Any, purge: bool, result: dict[str, str]) -> None:
    """None leaves all alone; Amazon's tags, ours and the name are never purged."""
    assert tags.wanted(THERE, declared, {}, purge) == result


def test_a_name_inside_a_fleet_reads_as_one_word() -> None:
    """The readable Name has no slash, the exact name is in a tag of its own."""
    assert tags.identity("shop", "web-1/images") == {"steadfast:fleet": "shop", "steadfast:name": "web-1/images", "Name": "web-1-images"}
    assert tags.identity(None, "web") == {"Name": "web"}


def test_the_form_of_the_api_and_back() -> None:
    """Keys in order, values as text."""
    assert tags.to_api({"b": "2", "a": "1"}) == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    assert tags.from_api(tags.to_api(THERE)) == THERE
    assert tags.from_api(None) == {}
