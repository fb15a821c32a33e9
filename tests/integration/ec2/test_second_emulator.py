# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The four-way stories against an EC2 that shares no code with our sandbox: what we believe of the API is not only what moto says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2 import definitions

from tests.support.second_emulator import reset, second_emulator

from .stories import STORIES

#: An image that it has; it ignores the zone of a launch, so everything is in its first; and it changes no type.
REPLACED = {"image": "ami-0c2023a1b2c3d4e5f", "zone": "use1-az1", "instance_type": "t3.micro"}
_KEY_TAGS = "it knows no tags of key pairs"
_ATTRIBUTE = "it has no ModifyInstanceAttribute"

#: {story: {step: why it is left out}}. A step after one that is left out, and that needs it, is left out too.
LEFT_OUT: dict[str, dict[int, str]] = {
    "key_pair": {1: _KEY_TAGS, 2: _KEY_TAGS, 3: "it keeps no RSA key that is imported", 4: _KEY_TAGS},
    "security_group": {
        4: "it has no UpdateSecurityGroupRuleDescriptionsIngress",
        7: "it forgets prefix lists in rules",
    },
    "instance": {2: "it has no ModifyInstanceMetadataOptions", 3: _ATTRIBUTE},
    "volume": {1: "it shows no throughput", 4: _ATTRIBUTE},
    "elastic_ip": {},
    "fleet": {4: _ATTRIBUTE},
}
#: {story: options that are left out}.
WITHOUT = {"fleet": ("key_pairs", "key_pair", "on_change")}


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running MiniStack."""
    with second_emulator(tmp_path_factory.mktemp("emulator")) as found:
        yield found


def fitting(options: Any, without: tuple[str, ...]) -> Any:
    """Options with what is there in place of what is not."""
    if isinstance(options, list):
        return [fitting(one, without) for one in options]
    if not isinstance(options, dict):
        return options
    return {name: REPLACED.get(name) or fitting(value, without) for name, value in options.items() if name not in without}


@pytest.mark.long
@pytest.mark.parametrize("story", LEFT_OUT)
def test_four_ways_elsewhere(story: str, endpoint: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """changed = yes, yes, no, no, and what check mode predicts is what is done."""
    reset(endpoint)
    monkeypatch.setenv("HOME", str(tmp_path))
    connection = {"endpoint_url": endpoint, "region": "us-east-1", "access_key": "test", "secret_key": "test"}
    for number, (module, options) in enumerate(STORIES[story]):
        if number in LEFT_OUT[story]:
            continue
        definition = getattr(definitions, module.upper())
        wanted = {**fitting(options, WITHOUT.get(story, ())), **connection}
        found = ArgumentSpecValidator(dict(definition.argument_spec), **definition.rules).validate(wanted)
        assert not found.error_messages
        check, done, again, check_again = (definition.run(found.validated_parameters, mode) for mode in (True, False, False, True))
        label = f"{story} step {number}: {module} {options}"
        assert [one["changed"] for one in (check, done, again, check_again)] == [True, True, False, False], label
        assert check["plan"] == done["plan"], label
        assert check["diff"] == done["diff"], label
