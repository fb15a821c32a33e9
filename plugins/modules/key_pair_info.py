#!/usr/bin/python
# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Look up key pairs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: key_pair_info
short_description: Look up key pairs
version_added: 0.1.0
description:
  - Returns key pairs with their public halves. AWS has no private halves.
  - Makes only calls that read, and the fewest that the API allows.
extends_documentation_fragment:
  - steadfast.ec2.selection
  - steadfast.ec2.selection.fleet
  - steadfast.ec2.attributes.info
  - steadfast.ec2.attributes
  - steadfast.ec2.connection
seealso:
  - module: steadfast.ec2.key_pair
  - module: steadfast.ec2.fleet_info
author:
  - The steadfast.ec2 authors (@steadfast-collections)
"""

EXAMPLES = r"""
- name: All key pairs of the region
  steadfast.ec2.key_pair_info:
  register: all

- name: Two of them
  steadfast.ec2.key_pair_info:
    names: [Shop-dev-fran, Shop-stage-fran]
"""

RETURN = r"""
key_pairs:
  description: What was found, each as M(steadfast.ec2.key_pair) returns it, without C(planned); in order of name and id.
  returned: success
  type: list
  elements: dict
api:
  description: What the task cost.
  returned: success
  type: dict
  contains:
    calls:
      description: Requests sent, with those that were sent again.
      type: int
    retries:
      description: How many were sent again.
      type: int
    seconds:
      description: How long it took.
      type: float
"""

from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.info import KEY_PAIR_INFO
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.module import main

if __name__ == "__main__":
    main(KEY_PAIR_INFO)
