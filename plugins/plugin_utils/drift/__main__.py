# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Lets the Python that is given run this folder, wherever the collection is installed, without Ansible's loader."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036 - an older one that somebody calls this with must hear why
        raise SystemExit("drift: Python 3.11 or newer is needed; run it with the Python of Ansible (STEADFAST_PYTHON=…/bin/python)")
    root = Path(__file__).resolve().parents[3]
    name = "ansible_collections.steadfast.ec2"
    for package, path in (("ansible_collections", []), ("ansible_collections.steadfast", []), (name, [str(root)])):
        module = ModuleType(package)
        module.__path__ = path
        sys.modules[package] = module
    from importlib import import_module

    try:
        code = import_module(f"{name}.plugins.plugin_utils.drift.command").main(sys.argv[1:])
    except KeyboardInterrupt:
        code = 1
    sys.exit(code)
