# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which permissions API calls need, and the policies of docs/iam.md made of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

#: Where the part of docs/iam.md begins that is made from recorded calls.
MARK = "<!-- What follows is made from recorded calls: STEADFAST_WRITE_DOCS=1 pytest tests/integration/ec2/test_four_ways.py -->\n"
_READS = ("Describe", "Get", "List")
#: Calls that every credential may make.
_FREE = ("sts:GetCallerIdentity",)


def actions(service: str, operation: str, params: Mapping[str, Any]) -> set[str]:
    """The IAM actions that one call needs: its own, and those that AWS demands for what it carries."""
    needed = {f"{service}:{operation}"}
    if params.get("TagSpecifications"):
        needed.add("ec2:CreateTags")
    if params.get("IamInstanceProfile"):
        needed.add("iam:PassRole")
    return needed - set(_FREE)


def policies(recorded: Mapping[str, Iterable[str]]) -> str:
    """One section for each module."""
    return MARK + "".join(_section(module, set(needed)) for module, needed in sorted(recorded.items()))


def _section(module: str, needed: set[str]) -> str:
    if not needed:
        return f"\n### `{module}`\n\nNothing: every identity may make its only call.\n"
    policy = {"Version": "2012-10-17", "Statement": [_statement(sid, group) for sid, group in _groups(needed) if group]}
    return f"\n### `{module}`\n\n```json\n{json.dumps(policy, indent=2)}\n```\n"


def _groups(needed: set[str]) -> list[tuple[str, set[str]]]:
    """Looking, changing, and handing on a role, which are limited in different ways."""
    roles = {one for one in needed if one.startswith("iam:")}
    reads = {one for one in needed - roles if one.split(":")[1].startswith(_READS)}
    return [("Read", reads), ("Change", needed - reads - roles), ("Roles", roles)]


def _statement(sid: str, group: set[str]) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": sorted(group), "Resource": "*"}
