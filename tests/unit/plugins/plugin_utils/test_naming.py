# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names that say project, environment and region."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.steadfast.ec2.plugins.plugin_utils.naming import REGION_CODES, region_code, resource_name
from botocore.session import Session

GUIDE = Path(__file__).parents[4] / "docs" / "naming.md"


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("Moso", "dev", "us-east-1"), "Moso-dev-nvir"),
        (("moso", "web", "dev", "sg"), "moso-web-dev-sg"),
        (("moso", "dev", "us-gov-west-1"), "moso-dev-govw"),
        (("moso", "prod", "eu-newland-7"), "moso-prod-eunewland7"),
        (("moso_2", "web-a", "v1.2"), "moso_2-web-a-v1.2"),
    ],
)
def test_a_name_is_its_words_with_regions_as_codes(words: tuple[str, ...], name: str) -> None:
    """Words stay as given; what reads like a region becomes its code."""
    assert resource_name(*words) == name


@pytest.mark.parametrize("word", ["", "my shop", "a/b", "-dev", "dév"])
def test_a_word_that_aws_would_refuse_is_refused_by_name(word: str) -> None:
    """The error shows the word that cannot be meant."""
    with pytest.raises(ValueError, match=re.escape(repr(word))):
        resource_name("moso", word)


def test_every_public_region_has_a_code() -> None:
    """Each region that the AWS library knows is in the table."""
    session = Session()
    known = [name for part in ("aws", "aws-cn", "aws-us-gov") for name in session.get_available_regions("ec2", part)]
    assert [name for name in known if name not in REGION_CODES] == []


def test_codes_are_unique() -> None:
    """Two regions never share a code, so names never collide."""
    assert len(set(REGION_CODES.values())) == len(REGION_CODES)


def test_what_is_no_region_has_no_code() -> None:
    """A zone is not mistaken for a region."""
    with pytest.raises(ValueError, match="us-east-1a"):
        region_code("us-east-1a")


def test_the_guide_lists_the_table() -> None:
    """The table that people read is the table that is used."""
    rows = dict(re.findall(r"^\| `([a-z0-9-]+)` \| `([a-z]+)` \|", GUIDE.read_text(), re.M))
    assert rows == REGION_CODES
