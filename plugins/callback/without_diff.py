# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Callback steadfast.ec2.without_diff."""

from __future__ import annotations

DOCUMENTATION = r"""
name: without_diff
type: stdout
short_description: The usual output, without diffs
version_added: 0.1.0
description:
  - With C(--diff), Ansible prints what files contain, and with that any secret in them, to the screen and to the logs of CI.
    This prints the same as P(ansible.builtin.default#callback) but the diffs.
    C(scripts/drift) uses it, since diffs are collected for the report.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
author:
  - The steadfast.ec2 authors (@steadfast-collections)
"""

EXAMPLES = r"""
ansible.cfg: |
  [defaults]
  stdout_callback = steadfast.ec2.without_diff
"""

from typing import Any

from ansible.plugins.callback.default import CallbackModule as Default


class CallbackModule(Default):
    """The default output, but diffs."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "steadfast.ec2.without_diff"

    def v2_on_file_diff(self, result: Any) -> None:
        """Nothing is printed."""
