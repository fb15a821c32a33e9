#!/usr/bin/python
# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Key pairs: made on this machine, or imported."""

from __future__ import annotations

DOCUMENTATION = r"""
module: key_pair
short_description: Create or import an EC2 key pair, keeping the private key on this machine
version_added: 0.1.0
description:
  - Makes a key with C(ssh-keygen), keeps its private half in a file that only its owner can read, and imports the public half.
  - A run that is killed never loses a key, since the file is complete before the account hears of it; the next run imports the same key.
  - Whether the key in the account is the declared one is decided on this machine, by its public half or its fingerprint. One that is not is
    refused.
extends_documentation_fragment:
  - steadfast.ec2.resources.key_pair
  - steadfast.ec2.connection
  - steadfast.ec2.attributes
seealso:
  - module: steadfast.ec2.fleet
  - module: steadfast.ec2.instance
author:
  - The steadfast.ec2 authors (@steadfast-collections)
"""

EXAMPLES = r"""
- name: A key for this project, made once
  steadfast.ec2.key_pair:
    name: Moso-dev-nvir
    private_key_file: ~/.ssh/Moso-dev-nvir.pem
    tags:
      Project: moso

- name: A key for an old client, which needs RSA
  steadfast.ec2.key_pair:
    name: legacy
    key_type: rsa
    private_key_file: ~/.ssh/legacy.pem

- name: The public key of somebody who has one
  steadfast.ec2.key_pair:
    name: alice
    public_key: "{{ lookup('ansible.builtin.file', '~/.ssh/id_ed25519.pub') }}"

- name: Gone from the account; the private key file stays
  steadfast.ec2.key_pair:
    name: Moso-dev-nvir
    state: absent
"""

RETURN = r"""
key_pair:
  description: The key pair, without any secret. V(null) when it is absent.
  returned: success
  type: dict
  contains:
    id:
      description: The id of the key pair.
      type: str
    name:
      description: Its name.
      type: str
    type:
      description: V(ed25519) or V(rsa).
      type: str
    fingerprint:
      description: The fingerprint that AWS shows.
      type: str
    public_key:
      description: The public half.
      type: str
    private_key_file:
      description: Where the private half is, as declared.
      type: str
    tags:
      description: Its tags.
      type: dict
    fleet:
      description: The fleet that owns it.
      type: str
    planned:
      description: Whether it is only planned, in check mode; its ids are null then.
      type: bool
summary:
  description: The plan in one line, for people.
  returned: success
  type: str
  sample: "Plan: 1 to create."
plan:
  description: The changes, each with its reasons, the attributes that differ, and the API calls in order.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: The kind of resource.
      type: str
    name:
      description: Its name.
      type: str
    action:
      description: One of V(create), V(update), V(restart), V(delete).
      type: str
    reasons:
      description: Why.
      type: list
      elements: str
    attributes:
      description: What differs, as C(name), C(before) and C(after).
      type: list
      elements: dict
    steps:
      description: The operations of the API.
      type: list
      elements: str
notes:
  description: What is not changed, but should be known.
  returned: success
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
error:
  description: Why the task failed, as data.
  returned: failure
  type: dict
  contains:
    code:
      description: The API's error code, or the kind of error.
      type: str
    operation:
      description: The operation of the API that failed.
      type: str
    resource:
      description: What it is about.
      type: str
    wanted:
      description: What was declared.
      type: str
    found:
      description: What there is.
      type: str
    why:
      description: What is wrong.
      type: str
    do:
      description: What to do about it.
      type: str
done:
  description: Changes that were carried out before it failed; C(failed_changes) and C(not_done) hold the others.
  returned: when some changes failed
  type: list
  elements: dict
failed_changes:
  description: Changes that failed, each with its C(error).
  returned: when some changes failed
  type: list
  elements: dict
not_done:
  description: Changes that were not begun or not finished, because they need one that failed.
  returned: when some changes failed
  type: list
  elements: dict
"""

from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.definitions import KEY_PAIR
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.module import main

if __name__ == "__main__":
    main(KEY_PAIR)
