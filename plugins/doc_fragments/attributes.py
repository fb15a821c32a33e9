# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What every EC2 module promises."""

from __future__ import annotations


class ModuleDocFragment:
    """Attributes of modules that reconcile a declaration with the account."""

    DOCUMENTATION = r"""
attributes:
  check_mode:
    support: full
    description: Reads, makes the same plan that would be applied, and changes nothing; also on an account where nothing exists yet.
  diff_mode:
    support: full
    description: The diff is the plan. What only AWS can decide reads V((known after apply\)).
  idempotent:
    support: full
    description: A second run finds nothing to do. After every change the state is read back, and a difference that stayed fails the task.
  action_group:
    support: full
    description: Use C(group/steadfast.ec2.ec2) in C(module_defaults) to give the connection options once.
    membership:
      - steadfast.ec2.ec2
  platform:
    support: full
    description: Works by API calls alone. Run it on the controller, where it needs no process of its own.
    platforms: posix
"""

    INFO = r"""
attributes:
  check_mode:
    support: full
    description: Reads only, so it does the same in check mode.
  diff_mode:
    support: N/A
    description: Changes nothing.
  idempotent:
    support: full
    description: Changes nothing.
"""
