# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An error of the API says what to do; an answer that was lost is told apart from one that says no."""

from __future__ import annotations

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.aws.failures import (
    ADVICE,
    LOCAL,
    answer_lost,
    from_api_error,
    from_local_error,
    throttled,
)


def test_a_missing_permission_names_the_iam_action() -> None:
    """What to allow is in the message; the encoded blob of AWS is not."""
    message = "You are not authorized to perform this operation. Encoded authorization failure message: AAAABBBB"
    error = from_api_error({"Error": {"Code": "UnauthorizedOperation", "Message": message}}, "ec2:RunInstances", "")
    assert "ec2:RunInstances" in error.do
    assert "AAAABBBB" not in error.message
    assert (error.code, error.operation) == ("UnauthorizedOperation", "RunInstances")


@pytest.mark.parametrize("code", ADVICE)
def test_known_codes_say_what_to_do(code: str) -> None:
    """Every code in the table gives advice beside the API's own words."""
    error = from_api_error({"Error": {"Code": code, "Message": "its words"}}, "ec2:CreateVolume", "")
    assert error.message.startswith(f"CreateVolume failed: {code}: its words. ")
    assert error.do == ADVICE[code]


@pytest.mark.parametrize("name", LOCAL)
def test_failures_before_the_api_say_what_to_do(name: str) -> None:
    """No credentials, no region, no network: each has its own words."""
    error = from_local_error(name, "details of\n the library", "DescribeInstances", "http://127.0.0.1:1")
    assert error.code == name
    assert error.do
    assert error.found == "details of the library"


def test_an_unknown_error_keeps_its_own_words() -> None:
    """Nothing is invented for what is not known."""
    error = from_api_error({"Error": {"Code": "NewCode", "Message": "new words"}}, "ec2:RunInstances", "")
    assert error.message == "RunInstances failed: NewCode: new words."


def test_lost_answers_and_throttling_are_told_apart() -> None:
    """A time-out may have done its work; a throttled request has not; a refusal is neither."""
    lost = from_local_error("ReadTimeoutError", "", "AllocateAddress", "")
    slow = from_api_error({"Error": {"Code": "RequestLimitExceeded"}}, "ec2:AllocateAddress", "")
    refusal = from_api_error({"Error": {"Code": "AddressLimitExceeded"}}, "ec2:AllocateAddress", "")
    assert [answer_lost(error) for error in (lost, slow, refusal)] == [True, False, False]
    assert [throttled(error) for error in (lost, slow, refusal)] == [False, True, False]
