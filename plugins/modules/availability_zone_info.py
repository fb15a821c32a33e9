#!/usr/bin/python
# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The zones of a region."""

from __future__ import annotations

DOCUMENTATION = r"""
module: availability_zone_info
short_description: Look up the availability zones of a region
version_added: 0.1.0
description:
  - Returns the zones of the region. A zone's name (V(us-east-1a)) means another place in every account, its id (V(use1-az1)) does not.
  - The modules of this collection take both.
options:
  names:
    description: Only the zones with these names.
    type: list
    elements: str
    aliases: [name]
  ids:
    description: Only the zones with these ids.
    type: list
    elements: str
  filters:
    description: Filters of C(DescribeAvailabilityZones). V(_) may be written for V(-) in their names.
    type: dict
  all:
    description: Whether zones that the account has not opted in to are returned too.
    type: bool
    default: false
extends_documentation_fragment:
  - steadfast.ec2.attributes.info
  - steadfast.ec2.attributes
  - steadfast.ec2.connection
seealso:
  - module: steadfast.ec2.instance_type_info
  - module: steadfast.ec2.fleet
author:
  - The steadfast.ec2 authors (@steadfast-collections)
"""

EXAMPLES = r"""
- name: Where to spread a fleet
  steadfast.ec2.availability_zone_info:
    filters:
      zone_type: availability-zone
  register: found

- name: The ids
  ansible.builtin.debug:
    msg: "{{ found.availability_zones | selectattr('state', 'eq', 'available') | map(attribute='id') | list }}"
"""

RETURN = r"""
availability_zones:
  description: The zones, in order of name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name in this account.
      type: str
      sample: us-east-1a
    id:
      description: Its id, the same in every account.
      type: str
      sample: use1-az1
    region:
      description: Its region.
      type: str
    state:
      description: V(available), or what is wrong with it.
      type: str
    type:
      description: V(availability-zone), V(local-zone) or V(wavelength-zone).
      type: str
    group:
      description: The group that is opted in to as a whole.
      type: str
    opt_in_status:
      description: V(opt-in-not-required), V(opted-in) or V(not-opted-in).
      type: str
    network_border_group:
      description: Where addresses of the zone are announced from.
      type: str
    parent_zone:
      description: The zone that a local zone is run from.
      type: str
    parent_zone_id:
      description: The id of that zone.
      type: str
    messages:
      description: What AWS says about it.
      type: list
      elements: str
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

from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.catalogue import AVAILABILITY_ZONE_INFO
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.module import main

if __name__ == "__main__":
    main(AVAILABILITY_ZONE_INFO)
