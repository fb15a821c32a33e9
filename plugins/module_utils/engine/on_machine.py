# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs a module on a machine from a parcel that the controller made, without loading Ansible's own code there.

The text of this file is in the parcel and is the first that runs. Standard library only, and little of it.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from typing import Any, List, Mapping, Optional


class Sources:
    """Finds and loads the modules of the parcel: {dotted name: text}; what is above them are empty packages."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self._packages = {name.rsplit(".", depth)[0] for name in texts for depth in range(1, name.count(".") + 1)}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Optional[ModuleSpec]:
        """Of what is in the parcel; everything else is the standard library's."""
        if name in self._packages or name in self._texts:
            return ModuleSpec(name, self, is_package=name in self._packages)  # type: ignore[arg-type]
        return None

    def create_module(self, spec: ModuleSpec) -> None:
        """Python makes an ordinary one."""

    def exec_module(self, module: Any) -> None:
        """With the name in place of a file, for tracebacks."""
        name = module.__name__
        exec(compile(self._texts.get(name, ""), f"<{name}>", "exec", dont_inherit=True), module.__dict__)  # noqa: S102


def main(parcel: Mapping[str, Any]) -> int:
    """Run what the parcel asks for, print its result as JSON, and return the exit code.

    {"sources": {name: text}, "definition": name of the module that has DEFINITION, "options": as validated, "check_mode": …,
    "log": None or [name, facility, text] for the machine's log}
    """
    sys.meta_path.insert(0, Sources(parcel["sources"]))
    _log(parcel["log"])
    result = import_module(parcel["definition"]).DEFINITION.result(parcel["options"], parcel["check_mode"])
    told = {"changed": False, **result, "invocation": {"module_args": parcel["options"]}}
    sys.stdout.write(json.dumps(told, default=str) + "\n")
    return 1 if result.get("failed") else 0


def _log(entry: Optional[List[str]]) -> None:
    """The line that every module of Ansible leaves on the machine it runs on."""
    if entry:
        import syslog

        name, facility, text = entry
        syslog.openlog(name, 0, getattr(syslog, facility, syslog.LOG_USER))
        syslog.syslog(syslog.LOG_INFO, text)
