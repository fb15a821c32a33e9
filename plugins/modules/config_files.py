#!/usr/bin/python
# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Configuration files of a service, changed as one."""

from __future__ import annotations

DOCUMENTATION = r"""
module: config_files
short_description: Change the configuration files of a service as one, tested before they count
version_added: 0.1.0
description:
  - Brings a set of files to the declared content, and removes others, in one step of which either all or nothing happens.
  - With O(test) the tree as it would be is tested before the real one is touched. A copy of it stands in the place of
    O(test.root) in a mount namespace that only the command sees. What the command complains about is the error of the task, in
    check mode too, and a configuration that is not accepted is never on the disk, where the next reboot would find it.
  - Where the machine gives no mount namespace (in some containers), the files are written, tested in place, and restored when the test
    fails; check mode does not test there.
  - It reloads nothing. Notify a handler by its C(changed).
options:
  files:
    description: The files that must be there.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Where the file is. Missing folders are made.
        type: path
        required: true
      content:
        description: What is in it, whole.
        type: str
        required: true
      mode:
        description: Its mode, as an octal number in quotes.
        type: str
        default: "0644"
      owner:
        description: Its owner.
        type: str
        default: root
      group:
        description: Its group.
        type: str
        default: root
  absent:
    description: Files that must not be there, as paths or patterns (C(*), C(?)). Those in O(files) stay.
    type: list
    elements: path
    default: []
  test:
    description: How the files are tested. It is run only when something would change.
    type: dict
    suboptions:
      command:
        description: The program and its arguments; status 0 means good. Where the program is not installed, check mode does without.
        type: list
        elements: str
        required: true
      root:
        description: The folder with the whole configuration.
        type: path
        required: true
attributes:
  check_mode:
    description: Says what would change, without changing it.
    support: full
  diff_mode:
    description: Shows each file before and after.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
author: The steadfast.ec2 authors (@steadfast-collections)
"""

EXAMPLES = r"""
- name: Serve the site
  steadfast.ec2.config_files:
    files:
      - path: /etc/nginx/conf.d/site.conf
        content: "{{ lookup('ansible.builtin.template', 'site.conf.j2') }}"
    absent: [/etc/nginx/sites-enabled/default]
    test:
      command: [nginx, -t, -q]
      root: /etc/nginx
  notify: Reload nginx
"""

RETURN = r"""
changed_files:
  description: The paths that were, or would be, written or removed.
  returned: success
  type: list
  elements: str
plan:
  description: The changes, each with its kind, name, action and attributes.
  returned: success
  type: list
  elements: dict
summary:
  description: The plan in one line.
  returned: success
  type: str
notes:
  description: What is worth knowing and no change.
  returned: success
  type: list
  elements: str
error:
  description: Why it failed, as data.
  returned: failure
  type: dict
"""

from ansible_collections.steadfast.ec2.plugins.module_utils.engine.module import main
from ansible_collections.steadfast.ec2.plugins.module_utils.site.config_definition import DEFINITION

if __name__ == "__main__":
    main(DEFINITION)
