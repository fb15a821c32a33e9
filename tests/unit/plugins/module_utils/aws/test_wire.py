# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The quick way to write EC2's requests and to read its answers says what botocore says."""

from __future__ import annotations

from functools import cache
from typing import Any
from urllib.parse import parse_qsl

import botocore.parsers
import botocore.serialize
import botocore.session
import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.aws.wire import Reader, Unreadable, encoded, error_of, form_of
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2 import facts
from ansible_collections.steadfast.ec2.plugins.plugin_utils.needed import FORMS

from tests.support.replay import NAMESPACE, Account, Replay

HEADERS: dict[str, str] = {}
LISTED = ("DescribeInstances", "DescribeVolumes")


@cache
def model(operation: str) -> Any:
    """botocore's description of an operation."""
    return service().operation_model(operation)


@cache
def service() -> Any:
    """botocore's description of EC2."""
    return botocore.session.Session().get_service_model("ec2")


def by_botocore(operation: str, body: bytes) -> dict[str, Any]:
    """The answer as botocore reads it."""
    response = {"status_code": 200, "headers": HEADERS, "body": body}
    found: dict[str, Any] = botocore.parsers.create_parser("ec2").parse(response, model(operation).output_shape)
    found.pop("ResponseMetadata")
    return found


def pages(operation: str) -> list[bytes]:
    """Answers with everything that EC2 says, in two pages, with names that XML has to escape."""
    account = Account(instances=5, tags=lambda number: {"Name": f"web & <{number}> ü", "Empty": ""})
    return Replay(account)._ready(operation, "us-east-1", 3)


@pytest.mark.parametrize("operation", LISTED)
def test_a_whole_answer_is_read_as_botocore_reads_it(operation: str) -> None:
    """Every member, its type, its absence: nothing may be different."""
    reader = Reader({operation: form_of(model(operation).output_shape)})
    found = [reader.read(operation, body) for body in pages(operation)]
    assert len(found) > 1
    assert found == [by_botocore(operation, body) for body in pages(operation)]


def test_what_the_facts_need_is_all_that_the_facts_say() -> None:
    """The facts of a part of the answer are those of the whole: nothing is lost by not reading it."""
    read = {operation: pages(operation)[0] for operation in LISTED}
    lean = {operation: Reader(FORMS).read(operation, body) for operation, body in read.items()}
    whole = {operation: by_botocore(operation, body) for operation, body in read.items()}
    assert lean["DescribeInstances"] != whole["DescribeInstances"]
    assert _facts(lean) == _facts(whole)


def _facts(answers_: dict[str, Any]) -> Any:
    raws = [raw for reservation in answers_["DescribeInstances"]["Reservations"] for raw in reservation["Instances"]]
    volumes = [facts.volume(raw) for raw in answers_["DescribeVolumes"]["Volumes"]]
    return facts.instances(raws, "us-east-1", {}, volumes, [])


@pytest.mark.parametrize("operation", FORMS)
def test_every_form_is_an_extract_of_botocores_description(operation: str) -> None:
    """No tag and no type is misspelt; what botocore does not know yet would be read by nobody."""
    assert extract(FORMS[operation], form_of(model(operation).output_shape)) == FORMS[operation]


def extract(part: Any, whole: Any) -> Any:
    """What `whole` says about the members that `part` has."""
    if isinstance(part, dict):
        return {name: (whole[name][0], extract(inner, whole[name][1])) for name, (_tag, inner) in part.items()}
    return [extract(part[0], whole[0])] if isinstance(part, list) else whole


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("DescribeRegions", {}),
        (
            "DescribeInstances",
            {
                "MaxResults": 1000,
                "NextToken": "a+b/c=",
                "Filters": [{"Name": "tag:Näme", "Values": ["a b", "*&="]}, {"Name": "vpc-id", "Values": ["x"]}],
            },
        ),
        ("DescribeImages", {"Filters": [{"Name": "image-id", "Values": ["ami-1", "ami-2"]}]}),
    ],
)
def test_a_request_is_written_as_botocore_writes_it(operation: str, params: dict[str, Any]) -> None:
    """The same fields with the same values."""
    theirs = botocore.serialize.create_serializer("ec2", include_validation=False).serialize_to_request(params, model(operation))
    ours = dict(parse_qsl(encoded(operation, params).decode(), keep_blank_values=True))
    assert ours == {name: str(value) for name, value in theirs["body"].items()}
    assert ours["Version"] == service().api_version


@pytest.mark.parametrize(
    "body",
    [
        b"<DescribeVolumesResponse",
        b'<DescribeVolumesResponse xmlns="x"><volumeSet><item><size>many</size></item></volumeSet></DescribeVolumesResponse>',
    ],
)
def test_what_cannot_be_read_is_said(body: bytes) -> None:
    """A broken answer is never taken for an empty one."""
    with pytest.raises(Unreadable):
        Reader(FORMS).read("DescribeVolumes", body)


def test_an_answer_with_nothing_in_it_has_empty_lists() -> None:
    """No instance is not the same as no answer."""
    body = f'<DescribeInstancesResponse xmlns="{NAMESPACE}"><reservationSet/></DescribeInstancesResponse>'.encode()
    assert Reader(FORMS).read("DescribeInstances", body) == {"Reservations": []}


@pytest.mark.parametrize(
    ("body", "status", "code", "message"),
    [
        (
            b"<Response><Errors><Error><Code>A</Code><Message>b c</Message></Error></Errors><RequestID>r</RequestID></Response>",
            400,
            "A",
            "b c",
        ),
        (b'<ErrorResponse xmlns="x"><Error><Type>Sender</Type><Code>A</Code><Message/></Error></ErrorResponse>', 403, "A", ""),
        (b"<html><body>Bad\n Gateway", 502, "502", "<html><body>Bad Gateway"),
        (b"", 503, "503", ""),
    ],
)
def test_an_error_has_a_code_whoever_made_it(body: bytes, status: int, code: str, message: str) -> None:
    """Also what a proxy says instead of the API."""
    assert error_of(body, status) == {"Code": code, "Message": message}
