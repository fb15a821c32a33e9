# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What counts as served, and what the error says otherwise."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import InvalidInput
from ansible_collections.steadfast.ec2.plugins.module_utils.site.probe import Probe, ProbeFailed

from .conftest import serving


@pytest.mark.parametrize(
    ("status", "body", "found"),
    [(500, b"", "status 500"), (404, b"welcome", "status 404"), (301, b"", "status 301"), (200, b"other", "without that text")],
)
def test_any_other_answer_fails_with_what_was_answered(status: int, body: bytes, found: str) -> None:
    """Status and text both have to be as declared; a redirect is an answer and not followed."""
    with serving(lambda path: (status, body)) as address, pytest.raises(ProbeFailed, match=found):
        Probe(address, contains="welcome", timeout=0)()


def test_no_answer_fails(free_port: int) -> None:
    """A server that does not run is said to be silent."""
    with pytest.raises(ProbeFailed, match="no answer"):
        Probe(f"http://127.0.0.1:{free_port}/", timeout=0)()


def test_a_server_that_is_just_reloading_is_given_time() -> None:
    """It is asked again until it answers as declared."""
    answers = [(502, b""), (200, b"welcome")]
    with serving(lambda path: answers.pop(0)) as address:
        Probe(address, contains="welcome", timeout=30)()
    assert answers == []


def test_a_declared_status_counts_as_served() -> None:
    """A site behind a login answers 401, and is fine."""
    with serving(lambda path: (401, b"")) as address:
        Probe(address, status=(200, 401), timeout=0)()


@pytest.mark.parametrize("url", ["http://ex ample/", "http://user:hidden@127.0.0.1:1/?token=hidden"])
def test_a_url_that_cannot_be_asked_fails_as_a_page_that_is_not_served(url: str) -> None:
    """Whatever is wrong with it, the link leads back, and neither password nor query is shown."""
    with pytest.raises(ProbeFailed, match="no answer") as caught:
        Probe(url, timeout=0)()
    assert "hidden" not in caught.value.message


@pytest.mark.parametrize(
    ("option", "named"),
    [
        ({"url": "ftp://127.0.0.1/"}, "probe.url"),
        ({"status": []}, r"probe.status.*found \[\]"),
        ({"status": [200, 20]}, "probe.status.*20"),
        ({"timeout": -1.0}, "probe.timeout.*-1"),
    ],
)
def test_a_probe_that_no_page_could_pass_is_refused(option: dict[str, Any], named: str) -> None:
    """A release would be switched, found wanting and switched back for nothing."""
    with pytest.raises(InvalidInput, match=named):
        Probe.from_params({"url": "http://127.0.0.1/", "status": [200], "timeout": 15.0, **option})
