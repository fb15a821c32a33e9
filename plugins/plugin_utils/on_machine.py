# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs a module of ours on its machine with nothing but our own code, because loading Ansible's there costs most of its time.

Only the program that travels is another one. Which Python runs it, as whom, with which environment, through which connection, in the
background or not, and how its result is read: all of that stays Ansible's own. What Ansible has something to say about (options that it
refuses or warns of, paths to expand on the machine, files that are to be kept) goes the ordinary way, as if there were no action plugin.
"""

from __future__ import annotations

import dataclasses
import json
import re
import zlib
from base64 import b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.plugins.action.normal import ActionModule as OrdinaryModule

from ..module_utils.engine.definition import ModuleDefinition
from ..module_utils.site.probe import without_secrets
from .validated import validated

#: Where what travels is, and what it is called.
FOLDER = Path(__file__).resolve().parents[1] / "module_utils"
PACKAGE = __package__.rpartition(".")[0] + ".module_utils"
#: The oldest Python of a machine, as README.md says it.
OLDEST = (3, 8)

#: An import of one of our own files: its dots, its module, and what is taken from it.
_IMPORT = re.compile(r"^ *from (\.+)([\w.]*) import (\([^)]*\)|[^\n]*)", re.MULTILINE)

#: What the interpreter is given, below the line that names it. What lies where it was started is not to be taken for the standard library.
_PROGRAM = """
import sys
if not getattr(sys.flags, "safe_path", False):
    del sys.path[0]
if sys.version_info < {oldest}:
    sys.stdout.write({too_old})
    sys.exit(1)
import binascii, json, zlib
parcel = json.loads(zlib.decompress(binascii.a2b_base64("{parcel}")))
program = {{"__name__": "steadfast"}}
exec(compile(parcel["program"], "<on_machine>", "exec"), program)
sys.exit(program["main"](parcel))
"""


class OnMachine(OrdinaryModule):
    """Action of a module that works on the machine itself; a subclass names its definition."""

    definition: ModuleDefinition
    #: The file that has it, below module_utils: it travels with all that it imports.
    defined_in: str

    def _configure_module(self, module_name: str, module_args: dict[str, Any], task_vars: Mapping[str, Any]) -> tuple[Any, ...]:
        """What Ansible has made to be run on the machine, with our program in the place of its own.

        Ansible's is made all the same: on the way it finds the interpreter, and whether the task may run there at all.
        """
        built: tuple[Any, ...] = super()._configure_module(module_name, module_args, task_vars)
        if module_name.rpartition(".")[2] != self._task.action.rpartition(".")[2]:
            return built  # what runs ours in the background
        options = None if constants.config.get_config_value("DEFAULT_KEEP_REMOTE_FILES") else self._options(module_args)
        if options is None:
            return built
        log = _log_entry(module_name, module_args, options)
        data = program(self.defined_in, options, bool(self._task.check_mode), log)
        if len(built) == 4:  # ansible-core 2.18
            style, shebang, _theirs, path = built
            return style, shebang, shebang.encode() + data, path
        module, path = built
        return dataclasses.replace(module, b_module_data=module.shebang.encode() + data), path

    def _options(self, given: Mapping[str, Any]) -> dict[str, Any] | None:
        """The options as the module would see them; None where that takes the machine, or Ansible has to complain or to warn."""
        try:
            arguments = json.loads(json.dumps({name: value for name, value in given.items() if not name.startswith("_ansible_")}))
        except (TypeError, ValueError):
            return None
        if any("~" in path or "$" in path for path in _paths(self.definition.argument_spec, arguments)):
            return None
        found = validated(self.definition, arguments)
        return None if found is None or found._no_log_values else found.validated_parameters


def program(defined_in: str, options: Mapping[str, Any], check_mode: bool, log: list[str] | None) -> bytes:
    """What a machine's Python is given to run the module of `defined_in`, a file below module_utils, with validated options."""
    texts = _texts(FOLDER / defined_in)
    parcel = {
        "program": (FOLDER / "engine" / "on_machine.py").read_text(encoding="utf-8"),
        "sources": texts,
        "definition": _name(FOLDER / defined_in),
        "options": options,
        "check_mode": check_mode,
        "log": log,
    }
    too_old = "needs Python {}.{} or newer on the machine; give one by ansible_python_interpreter".format(*OLDEST)
    packed = b64encode(zlib.compress(json.dumps(parcel).encode(), 9)).decode()
    return _PROGRAM.format(oldest=OLDEST, too_old=repr(json.dumps({"failed": True, "msg": too_old})), parcel=packed).encode()


def _texts(definition: Path) -> dict[str, str]:
    """{dotted name: text} of a definition and all that it imports, in whatever function."""
    texts: dict[str, str] = {}
    files = [definition]
    while files:
        file = files.pop()
        if _name(file) in texts:
            continue
        texts[_name(file)] = text = file.read_text(encoding="utf-8")
        for dots, module, names in _IMPORT.findall(text):
            place = file.parents[len(dots) - 1].joinpath(*module.split("."))
            found = [place.with_suffix(".py"), *(place / f"{name}.py" for name in re.findall(r"\w+", names))]
            files += [path for path in found if path.is_file()]
    return texts


def _name(file: Path) -> str:
    return ".".join([PACKAGE, *file.relative_to(FOLDER).with_suffix("").parts])


def _paths(specification: Mapping[str, Any], arguments: Mapping[str, Any]) -> Iterator[str]:
    """The values of options that are paths, at any depth."""
    names = {alias: name for name, option in specification.items() for alias in (name, *option.get("aliases", ()))}
    for given, value in arguments.items():
        option = specification.get(names.get(given, ""), {})
        values = value if isinstance(value, list) else [value]
        if "path" in (option.get("type"), option.get("elements")):
            yield from (str(one) for one in values)
        for one in values:
            if option.get("options") and isinstance(one, dict):
                yield from _paths(option["options"], one)


def _log_entry(module_name: str, module_args: Mapping[str, Any], options: Mapping[str, Any]) -> list[str] | None:
    """For the machine's log, as each module of Ansible leaves a line there, unless Ansible was told not to.

    It is shorter than theirs: no contents of files, and addresses without names, passwords and queries.
    """
    if module_args.get("_ansible_no_log"):
        return None
    plain = {name: value for name, value in sorted(options.items()) if isinstance(value, (str, int, float)) and "\n" not in str(value)}
    said = " ".join(f"{name}={without_secrets(str(value)) if '//' in str(value) else value}" for name, value in plain.items())
    return [
        f"ansible-{module_name}",
        str(module_args.get("_ansible_syslog_facility", "LOG_USER")),
        f"Invoked with {said}".replace("\0", ""),
    ]
