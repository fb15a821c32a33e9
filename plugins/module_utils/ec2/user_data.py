# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""User data from files. Read-only."""

from __future__ import annotations

import os
from typing import Dict, Iterable

from ..engine.errors import NotFound
from .declaration import Instance


def load(instances: Iterable[Instance]) -> Dict[str, bytes]:
    """{path: what is in it} for the files that instances name; raises NotFound for one that cannot be read."""
    found: Dict[str, bytes] = {}
    for one in instances:
        path = one.user_data_file
        if path and path not in found:
            try:
                with open(os.path.expanduser(path), "rb") as file:
                    found[path] = file.read()
            except OSError as error:
                raise NotFound(
                    "its user data file cannot be read",
                    resource=f"instance {one.name}",
                    wanted=path,
                    found=str(error.strerror),
                    do="Correct user_data_file; it is read on the machine where the task runs.",
                ) from error
    return found
