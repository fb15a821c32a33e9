# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A client token stands for one request."""

from __future__ import annotations

import pytest

from sandbox.ec2.tokens import Tokens
from sandbox.errors import Ec2Error


def test_the_same_request_is_known_again_whatever_the_order_of_its_parameters() -> None:
    """Order and the token itself are no part of what is asked for."""
    tokens = Tokens()
    tokens.remember("Run", {"ClientToken": "t", "A": 1, "B": [2]}, ["r-1"])
    assert tokens.made_for("Run", {"B": [2], "A": 1, "ClientToken": "t"}) == ["r-1"]
    assert tokens.made_for("Create", {"B": [2], "A": 1, "ClientToken": "t"}) is None
    assert tokens.made_for("Run", {"A": 1, "ClientToken": "u"}) is None
    assert tokens.made_for("Run", {"A": 1}) is None


def test_another_request_under_the_same_token_is_an_error() -> None:
    """IdempotentParameterMismatch."""
    tokens = Tokens()
    tokens.remember("Run", {"ClientToken": "t", "A": 1}, ["r-1"])
    with pytest.raises(Ec2Error) as caught:
        tokens.made_for("Run", {"ClientToken": "t", "A": 2})
    assert caught.value.code == "IdempotentParameterMismatch"


def test_without_a_token_nothing_is_remembered() -> None:
    """Two requests without token are two requests."""
    tokens = Tokens()
    tokens.remember("Run", {"A": 1}, ["r-1"])
    assert tokens.made_for("Run", {"A": 1}) is None
