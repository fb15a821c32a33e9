# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The quick reader of EC2's answers says what botocore says."""

from __future__ import annotations

from functools import cache
from typing import Any

import botocore.parsers
import botocore.session
import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.aws.wire import Reader
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2 import facts
from ansible_collections.steadfast.ec2.plugins.plugin_utils.needed import answers

from tests.support.replay import NAMESPACE, Account, Replay

HEADERS: dict[str, str] = {}


@cache
def shape(operation: str) -> Any:
    """botocore's description of an answer."""
    return botocore.session.Session().get_service_model("ec2").operation_model(operation).output_shape


def by_botocore(operation: str, body: bytes) -> dict[str, Any]:
    """The answer as botocore reads it."""
    response = {"status_code": 200, "headers": HEADERS, "body": body}
    found: dict[str, Any] = botocore.parsers.create_parser("ec2").parse(response, shape(operation))
    found.pop("ResponseMetadata")
    return found


def pages(operation: str) -> list[bytes]:
    """Answers with everything that EC2 says, in two pages, with names that XML has to escape."""
    account = Account(instances=5, tags=lambda number: {"Name": f"web & <{number}> ü", "Empty": ""})
    return Replay(account)._ready(operation, "us-east-1", 3)


@pytest.mark.parametrize("operation", ["DescribeInstances", "DescribeVolumes"])
def test_a_whole_answer_is_read_as_botocore_reads_it(operation: str) -> None:
    """Every member, its type, its absence: nothing may be different."""
    reader = Reader({shape(operation).name: None})
    found = [reader.read(shape(operation), body) for body in pages(operation)]
    assert len(found) > 1
    assert found == [by_botocore(operation, body) for body in pages(operation)]


def test_what_the_facts_need_is_all_that_the_facts_say() -> None:
    """The facts of a part of the answer are those of the whole: nothing is lost by not reading it."""
    needed = Reader(answers(whole=False))
    read = {operation: pages(operation)[0] for operation in ("DescribeInstances", "DescribeVolumes")}
    lean = {operation: needed.read(shape(operation), body) for operation, body in read.items()}
    whole = {operation: by_botocore(operation, body) for operation, body in read.items()}
    assert lean["DescribeInstances"] != whole["DescribeInstances"]
    assert _facts(lean) == _facts(whole)


def _facts(answers_: dict[str, Any]) -> Any:
    raws = [raw for reservation in answers_["DescribeInstances"]["Reservations"] for raw in reservation["Instances"]]
    volumes = [facts.volume(raw) for raw in answers_["DescribeVolumes"]["Volumes"]]
    return facts.instances(raws, "us-east-1", {}, volumes, [])


@pytest.mark.parametrize(
    "body",
    [
        b"<DescribeInstancesResponse",
        b'<DescribeInstancesResponse xmlns="x"><reservationSet><item><instancesSet><item><amiLaunchIndex>many</amiLaunchIndex></item>'
        b"</instancesSet></item></reservationSet></DescribeInstancesResponse>",
    ],
)
def test_what_cannot_be_read_is_left_to_botocore(body: bytes) -> None:
    """A broken answer is an error of botocore's, with its retries, and not one of ours."""
    assert Reader({"DescribeInstancesResult": None}).read(shape("DescribeInstances"), body) is None


def test_an_answer_that_was_not_named_is_left_to_botocore() -> None:
    """Only what pays is read here."""
    body = f'<DescribeRegionsResponse xmlns="{NAMESPACE}"><regionInfo/></DescribeRegionsResponse>'.encode()
    assert Reader(answers(whole=False)).read(shape("DescribeRegions"), body) is None


def test_an_answer_with_nothing_in_it_has_empty_lists() -> None:
    """No instance is not the same as no answer."""
    body = f'<DescribeInstancesResponse xmlns="{NAMESPACE}"><reservationSet/></DescribeInstancesResponse>'.encode()
    assert Reader(answers(whole=False)).read(shape("DescribeInstances"), body) == {"Reservations": []}
