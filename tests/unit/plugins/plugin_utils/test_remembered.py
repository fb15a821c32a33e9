# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a cache keeps of an inventory, and what is taken from it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2 import facts
from ansible_collections.steadfast.ec2.plugins.plugin_utils.regions import Answer
from ansible_collections.steadfast.ec2.plugins.plugin_utils.remembered import from_cache, to_cache

RAW = {
    "InstanceId": "i-1",
    "ImageId": "ami-1",
    "InstanceType": "t3.micro",
    "State": {"Name": "running"},
    "LaunchTime": datetime(2026, 1, 15, tzinfo=UTC),
    "Placement": {"AvailabilityZone": "us-east-1a"},
    "Tags": [{"Key": "Name", "Value": "web"}],
}


def stored() -> dict[str, Any]:
    """What a cache on a disk gives back."""
    (instance,) = facts.instances([copy.deepcopy(RAW)], "us-east-1", {}, [], [])
    answer = Answer([{**instance, "account": "1", "account_id": "1"}], {"ami-1": "debian-12"}, {"i-1": RAW})
    return dict(json.loads(json.dumps(to_cache(answer))))


def test_what_was_kept_comes_back() -> None:
    """Facts, image names and, as text, the moments of the raw form."""
    found = from_cache(stored(), raw=True)
    assert found is not None
    assert (found.instances[0]["id"], found.instances[0]["tags"], found.image_names) == ("i-1", {"Name": "web"}, {"ami-1": "debian-12"})
    assert found.raw["i-1"]["LaunchTime"] == "2026-01-15T00:00:00+00:00"


SPOILED: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no mapping": lambda kept: [kept],
    "nothing": lambda kept: None,
    "another key": lambda kept: kept.update(more=1),
    "a key is gone": lambda kept: kept.pop("raw"),
    "instances are a text": lambda kept: kept.update(instances="abc"),
    "instances are numbers": lambda kept: kept.update(instances=[1]),
    "an empty instance": lambda kept: kept.update(instances=[{}]),
    "an instance without an id": lambda kept: kept["instances"][0].update(id=None),
    "an id that is a number": lambda kept: kept["instances"][0].update(id=5),
    "no tags": lambda kept: kept["instances"][0].update(tags=None),
    "a tag that is a list": lambda kept: kept["instances"][0].update(tags={"Name": ["web"]}),
    "a fleet that is a list": lambda kept: kept["instances"][0].update(fleet=[]),
    "volumes are a list": lambda kept: kept["instances"][0].update(volumes=[]),
    "image names are a list": lambda kept: kept.update(image_names=[]),
    "the raw form is of another": lambda kept: kept.update(raw={"i-2": {}}),
}


@pytest.mark.parametrize("how", SPOILED)
def test_what_is_anything_else_is_not_taken(how: str) -> None:
    """Whoever wrote it: the regions are asked anew, and nothing breaks later."""
    kept = stored()
    other = SPOILED[how](kept)
    assert from_cache(other if how in ("no mapping", "nothing") else kept, raw=True) is None
