# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filter steadfast.ec2.mount_unit."""

from __future__ import annotations

DOCUMENTATION = r"""
name: mount_unit
short_description: The systemd unit of a mount point
version_added: 0.1.0
description:
  - The name under which systemd knows what is mounted at a path, escaped as C(systemd-escape --path --suffix=mount) does it.
options:
  _input:
    description: An absolute path.
    type: string
    required: true
author:
  - The steadfast.ec2 authors (@steadfast-collections)
"""

EXAMPLES = r"""
- name: The unit of the images volume
  ansible.builtin.debug:
    msg: "{{ '/var/www/html/images' | steadfast.ec2.mount_unit }}"
  # => var-www-html-images.mount
"""

RETURN = r"""
_value:
  description: The name of the unit.
  type: string
"""

import posixpath
import string
from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

PLAIN = frozenset(string.ascii_letters + string.digits + ":_.")


def mount_unit(path: str) -> str:
    """The mount unit of an absolute path; a clear error for any other."""
    if not isinstance(path, str) or not path.startswith("/") or ".." in path.split("/"):
        raise AnsibleFilterError(f"steadfast.ec2.mount_unit: {path!r} is not an absolute path")
    inside = posixpath.normpath(path).strip("/")
    if not inside:
        return "-.mount"
    name = "".join(_escaped(letter) for letter in inside)
    return (f"\\x2e{name[1:]}" if name.startswith(".") else name) + ".mount"


def _escaped(letter: str) -> str:
    if letter == "/":
        return "-"
    return letter if letter in PLAIN else "".join(f"\\x{byte:02x}" for byte in letter.encode())


class FilterModule:
    """The filter under its name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name → function."""
        return {"mount_unit": mount_unit}
