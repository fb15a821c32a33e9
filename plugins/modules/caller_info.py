#!/usr/bin/python
# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who am I, for AWS."""

from __future__ import annotations

DOCUMENTATION = r"""
module: caller_info
short_description: Tell which account, identity and region the credentials lead to
version_added: 0.1.0
description:
  - Asks AWS who the credentials belong to. Needs no permission. A good first task of a play that must not run in the wrong account.
  - When there are no credentials, or they are wrong or expired, the error says which, and what to do.
extends_documentation_fragment:
  - steadfast.ec2.attributes.info
  - steadfast.ec2.attributes
  - steadfast.ec2.connection
author:
  - The steadfast.ec2 authors (@steadfast-collections)
"""

EXAMPLES = r"""
- name: Who am I
  steadfast.ec2.caller_info:
  register: me

- name: Not in the wrong account
  ansible.builtin.assert:
    that: me.caller.account == expected_account
"""

RETURN = r"""
caller:
  description: The identity behind the credentials.
  returned: success
  type: dict
  contains:
    account:
      description: The number of the account.
      type: str
      sample: "123456789012"
    arn:
      description: The identity.
      type: str
      sample: arn:aws:iam::123456789012:user/me
    user_id:
      description: The unique id of the identity.
      type: str
    partition:
      description: The partition, V(aws) for most.
      type: str
    region:
      description: The region that is in use.
      type: str
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

from ansible_collections.steadfast.ec2.plugins.module_utils.aws.caller import CALLER_INFO
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.module import main

if __name__ == "__main__":
    main(CALLER_INFO)
