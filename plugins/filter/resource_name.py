# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter steadfast.ec2.resource_name."""

from __future__ import annotations

DOCUMENTATION = r"""
name: resource_name
short_description: Name a resource after its project, environment and region
version_added: 0.1.0
description:
  - Joins the project and the other parts by dashes, so that names are made the same way everywhere.
  - A part that is the name of a region, such as V(us-east-1), is replaced by its short code, such as V(nvir); see
    P(steadfast.ec2.region_code#filter).
  - Upper and lower case stay as they are given.
positional: parts
options:
  _input:
    description: The project.
    type: string
    required: true
  parts:
    description:
      - What follows the project, in this order; for example role, environment and region.
      - Letters, digits, dots, underscores and dashes; anything else is an error, because AWS would refuse the name later.
    type: list
    elements: string
    required: true
author:
  - The steadfast.ec2 authors (@steadfast-collections)
"""

EXAMPLES = r"""
- name: One key pair for each project, environment and region
  ansible.builtin.debug:
    msg: "{{ 'Moso' | steadfast.ec2.resource_name('dev', 'us-east-1') }}"
  # => Moso-dev-nvir

- name: One security group for each role and environment
  ansible.builtin.debug:
    msg: "{{ 'moso' | steadfast.ec2.resource_name('web', 'dev', 'sg') }}"
  # => moso-web-dev-sg
"""

RETURN = r"""
_value:
  description: The name.
  type: string
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils.naming import resource_name as name_of


def resource_name(project: str, *parts: str) -> str:
    """The name of a resource; a clear error for what AWS would refuse."""
    try:
        return name_of(project, *parts)
    except ValueError as error:
        raise AnsibleFilterError(f"steadfast.ec2.resource_name: {error}") from error


class FilterModule:
    """The filter under its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name → function."""
        return {"resource_name": resource_name}
