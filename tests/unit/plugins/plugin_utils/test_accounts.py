# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The accounts of an inventory, as the user names them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.aws.connection import Connection
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import InvalidInput
from ansible_collections.steadfast.ec2.plugins.plugin_utils.accounts import Account, open_account

ROLE = "arn:aws:iam::123456789012:role/inventory"
HERE = Connection(region="eu-central-1", profile="work", endpoint_url="http://127.0.0.1:1")


def test_without_accounts_it_is_the_one_of_the_connection() -> None:
    """Its regions need no name in front of them."""
    assert Account.all_of(HERE, None, []) == (Account("", HERE, None),)
    assert Account.all_of(HERE, ROLE, [])[0].place("eu-central-1") == "eu-central-1"


def test_an_account_is_named_by_its_name_or_profile_or_the_number_in_its_role() -> None:
    """What a message can say to a person."""
    given = [{"name": "shop", "profile": "a"}, {"profile": "b"}, {"role_arn": ROLE}, {"access_key": "AK", "secret_key": "x"}]
    assert [one.name for one in Account.all_of(HERE, None, given)] == ["shop", "b", "123456789012", "account 4"]


def test_credentials_of_an_account_are_not_mixed_with_those_beside_it() -> None:
    """Its own keys take the place of the profile; where it has none, a role is entered from the common ones."""
    by_key, by_role = Account.all_of(HERE, None, [{"access_key": "AK", "secret_key": "x"}, {"role_arn": ROLE}])
    assert (by_key.connection.profile, by_key.connection.access_key) == (None, "AK")
    assert (by_role.connection, by_role.role_arn) == (HERE, ROLE)
    assert by_key.connection.endpoint_url == HERE.endpoint_url


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["prod"], "mapping"),
        ([{"profile": "a", "regions": {"us-east-1": True}}], "entry 1: regions"),
        ([{"rolearn": ROLE}], "rolearn"),
        ([{"profile": "a"}, {"profile": "a"}], "same name"),
    ],
)
def test_what_cannot_be_meant_is_refused(given: list[Any], words: str) -> None:
    """No misspelt option is passed over, and no two accounts can be taken for each other."""
    with pytest.raises(InvalidInput, match=words):
        Account.all_of(HERE, None, given)


def test_an_account_may_have_regions_of_its_own() -> None:
    """One account lives in Europe, the other where all the others do; a single name needs no list."""
    given = [{"profile": "a", "regions": ["eu-central-1", "eu-west-1"]}, {"profile": "b", "regions": "all"}, {"profile": "c"}]
    assert [one.regions for one in Account.all_of(HERE, None, given)] == [("eu-central-1", "eu-west-1"), ("all",), ()]


def test_regions_of_an_account_take_the_place_of_those_beside_it() -> None:
    """And the cache knows one from the other."""
    keys = {"access_key": "AK", "secret_key": "x"}
    own, common = Account.all_of(HERE, None, [{"name": "a", **keys, "regions": ["sa-east-1"]}, {"name": "b", **keys}])
    asked = [[client.region for client in open_account(one, ["us-east-1", "us-west-2"], 5)] for one in (own, common)]
    assert asked == [["sa-east-1"], ["us-east-1", "us-west-2"]]
    assert own.identity((), 5)[1:] != common.identity((), 5)[1:]
