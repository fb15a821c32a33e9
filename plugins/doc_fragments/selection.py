# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options that say which of the existing resources are meant."""

from __future__ import annotations


class ModuleDocFragment:
    """The options of modules that look resources up."""

    DOCUMENTATION = r"""
options:
  ids:
    description:
      - Only those with one of these ids. An id that does not exist is no error, it is just not in the answer.
      - When several of the options that select are given, all of them must hold. When none is given, everything in the region is returned.
    type: list
    elements: str
  names:
    description:
      - Only those with one of these names, where V(*) and V(?) stand for any characters.
      - Key pairs, security groups and images have names of their own; of the others it is the C(Name) tag.
    type: list
    elements: str
    aliases: [name]
  tags:
    description: Only those that carry these tags; a value may be a list of values, of which one must be there.
    type: dict
  filters:
    description:
      - Filters of the EC2 API, with their values; see the operation in its reference. V(_) may be written for V(-) in their names.
    type: dict
"""

    FLEET = r"""
options:
  fleet:
    description: Only what this fleet owns. What has no name of its own is then called by its name in the fleet in O(names).
    type: str
"""

    BACKUPS = r"""
options:
  series:
    description: Only those of this series.
    type: str
  owners:
    description: The accounts whose snapshots or images are meant, by number, or V(self) or V(amazon). Nobody else's are returned.
    type: list
    elements: str
    default: [self]
    aliases: [owner]
  sharing:
    description: Whether to ask with whom each is shared, which takes a call for each.
    type: bool
    default: false
"""
