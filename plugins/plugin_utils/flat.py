# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of a host as amazon.aws.aws_ec2 spreads them, for playbooks that were written for it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ansible.module_utils.common.dict_transformations import camel_dict_to_snake_dict

from ..module_utils.aws import tags as tag_words


def variables(raw: Mapping[str, Any], region: str, prefix: str = "", suffix: str = "") -> dict[str, Any]:
    """Each attribute of the API as a variable of its own: `instance_type`, `placement.region`, `tags`."""
    found = {_snake(name): _plain(value) for name, value in raw.items() if name != "Tags"}
    found["tags"] = tag_words.from_api(raw.get("Tags"))
    found["placement"] = {**(found.get("placement") or {}), "region": region}
    return {f"{prefix}{name}{suffix}": value for name, value in found.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_snake(str(name)): _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value.isoformat() if hasattr(value, "isoformat") else value


@lru_cache(maxsize=4096)
def _snake(name: str) -> str:
    """`vpc_id` for `VpcId`, by the rules that all of Ansible's modules use; the same few hundred names come again and again."""
    return str(*camel_dict_to_snake_dict({name: None}))
