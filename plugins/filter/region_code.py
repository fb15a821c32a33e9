# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter steadfast.ec2.region_code."""

from __future__ import annotations

DOCUMENTATION = r"""
name: region_code
short_description: The short code of a region
version_added: 0.1.0
description:
  - Four letters of the place that a region stands for, for names that people read, such as V(nvir) for V(us-east-1).
  - A region that the collection does not know yet keeps its own name without dashes, so that its code is unique and stays.
  - The whole table is in the guide on names, C(docs/naming.md).
options:
  _input:
    description: The name of a region.
    type: string
    required: true
author:
  - The steadfast.ec2 authors (@steadfast-collections)
"""

EXAMPLES = r"""
- name: Northern Virginia
  ansible.builtin.debug:
    msg: "{{ 'us-east-1' | steadfast.ec2.region_code }}"
  # => nvir
"""

RETURN = r"""
_value:
  description: The code.
  type: string
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils.naming import region_code as code_of


def region_code(region: str) -> str:
    """The short code of a region; a clear error for what is none."""
    try:
        return code_of(region)
    except ValueError as error:
        raise AnsibleFilterError(f"steadfast.ec2.region_code: {error}") from error


class FilterModule:
    """The filter under its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name → function."""
        return {"region_code": region_code}
