# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What has no token is sent once; after a lost answer it is looked for, and a wish always gets the same token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.aws.failures import from_api_error
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2 import declare
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.fleet import Fleet
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.once import PAUSES, sent_once, token
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import CallFailed
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.execute import Limits
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.reconcile import reconcile
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.wait import Pace

from tests.support.account import Account, Api

LOST = CallFailed("the connection was closed", code="ConnectionClosedError")
REFUSED = CallFailed("there are too many", code="AddressLimitExceeded")


def attempt(answer: Any, *seen: Any) -> tuple[Any, list[float]]:
    """What comes of it, and the pauses: `answer` is returned or raised, `seen` is what one look after the other finds."""
    looks, slept = iter(seen), list[float]()

    def send() -> Any:
        if isinstance(answer, CallFailed):
            raise answer
        return answer

    try:
        return sent_once(send, lambda: next(looks, None), slept.append), slept
    except CallFailed as error:
        return error, slept


def test_an_answer_is_taken_without_a_look() -> None:
    """Nothing is asked when nothing was lost."""
    assert attempt("made") == ("made", [])


def test_what_a_lost_answer_made_is_found_although_it_is_visible_late() -> None:
    """Looked for until it is there, and then no more."""
    assert attempt(LOST, None, None, "made") == ("made", list(PAUSES[:3]))


def test_what_is_never_found_was_not_made() -> None:
    """Then the lost answer is the error."""
    assert attempt(LOST) == (LOST, list(PAUSES))


def test_a_refusal_is_believed() -> None:
    """The API has answered: there is nothing to look for."""
    assert attempt(REFUSED, "of somebody else") == (REFUSED, [])


@pytest.mark.parametrize("other", [({"a": 1, "b": 3}, 0), ({"a": 1, "b": 2}, 1)])
def test_a_wish_has_one_token(other: tuple[dict[str, int], int]) -> None:
    """In whatever order it is written; another wish, or another generation, has another one; AWS takes 64 ASCII characters."""
    mine = token({"a": 1, "b": 2}, 0)
    assert mine == token({"b": 2, "a": 1}, 0) != token(*other)
    assert len(mine) <= 64 and mine.isascii()


class Broken(Api):
    """Launches fail inside the service; with `works` they are carried out nevertheless, and only their answers are lost."""

    works = False

    def call(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        if operation != "RunInstances":
            return super().call(operation, params)
        self.tokens.append(params["ClientToken"])
        if self.works:
            super().call(operation, params)
        raise from_api_error({"Error": {"Code": "InternalError", "Message": "An internal error has occurred"}}, "ec2:RunInstances", "")

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self.tokens: list[str] = []


@pytest.mark.parametrize("works", [False, True])
def test_a_launch_that_fails_inside_the_service_is_given_up_in_time(works: bool) -> None:
    """Tried for as long as the task may wait, always with the same token; the error names the member, and the next run makes just one."""
    account = Account()
    broken = Broken(account)
    broken.works = works
    options = {"name": "shop", "state": "present", "instances": [{"name": "web", "image": "ami-1", "instance_type": "t3.micro"}]}
    with pytest.raises(CallFailed) as caught:
        reconcile(Fleet(declare.fleet(options), broken, Limits(wait_timeout=0.2, pace=Pace(first=0.02, gather=0.0))), False)
    assert caught.value.message.startswith("instance web: RunInstances failed: InternalError")
    assert "Run again" in caught.value.do
    assert len(broken.tokens) > 1 and len(set(broken.tokens)) == 1
    reconcile(Fleet(declare.fleet(options), Api(account), Limits(pace=Pace(first=0.0, gather=0.0))), False)
    assert len(account.instances) == 1
