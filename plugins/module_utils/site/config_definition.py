# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of module config_files, and what it does with them."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Tuple

from ..engine.definition import ModuleDefinition
from ..engine.errors import CommandFailed, InvalidInput
from ..engine.reconcile import reconcile
from .config import ConfigFiles, File, TreeTest, text_diff
from .files import explained, group_id, octal, user_id

FILE_SPEC: Dict[str, Any] = {
    "path": {"type": "path", "required": True},
    "content": {"type": "str", "required": True},
    "mode": {"type": "str", "default": "0644"},
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
}

ARGUMENT_SPEC: Dict[str, Any] = {
    "files": {"type": "list", "elements": "dict", "default": [], "options": FILE_SPEC},
    "absent": {"type": "list", "elements": "path", "default": []},
    "test": {
        "type": "dict",
        "options": {
            "command": {"type": "list", "elements": "str", "required": True},
            "root": {"type": "path", "required": True},
        },
    },
}


@explained()
def run(params: Mapping[str, Any], check_mode: bool) -> Dict[str, Any]:
    """Bring the files to what is declared, tested first, or say what would change; the result of the task."""
    target = ConfigFiles(_files(params), _absent(params))
    test = _test(params)
    plan = target.plan(target.read())
    if test and plan.changed:
        _try(test, target, check_mode)
    outcome = reconcile(target, check_mode)
    result = outcome.plan.to_result()
    result["diff"] = [text_diff(change) for change in outcome.plan.effective]
    result["changed_files"] = [change.name for change in outcome.plan.effective]
    return result


def _try(test: TreeTest, target: ConfigFiles, check_mode: bool) -> None:
    """Test what the files would be; where that cannot be done beforehand, have it done right after they are written."""
    if not test.installed:
        if check_mode:
            return  # the package is not there yet either; there is nothing that could test it
        raise CommandFailed("there is no such program on this machine", resource=test.command[0])
    if not test.before(target.plan(target.read())):
        target.verify = test.in_place


def _test(params: Mapping[str, Any]) -> Optional[TreeTest]:
    if not params["test"]:
        return None
    if not params["test"]["command"]:
        raise InvalidInput("must name a program", resource="test.command", found="[]")
    return TreeTest(tuple(params["test"]["command"]), params["test"]["root"].rstrip("/"))


def _absent(params: Mapping[str, Any]) -> Tuple[str, ...]:
    for pattern in params["absent"]:
        if not pattern.startswith("/"):
            raise InvalidInput("must be an absolute path", resource="absent", found=repr(pattern))
    return tuple(params["absent"])


def _files(params: Mapping[str, Any]) -> Dict[str, File]:
    files: Dict[str, File] = {}
    for file in params["files"]:
        if file["path"] in files:
            raise InvalidInput("is declared twice", resource=file["path"])
        if not file["path"].startswith("/"):
            raise InvalidInput("must be an absolute path", resource="files.path", found=file["path"])
        mode, uid, gid = octal(file["mode"], "mode"), user_id(file["owner"]), group_id(file["group"])
        files[file["path"]] = File(file["content"].encode("utf-8", "surrogateescape"), mode, uid, gid)
    return files


DEFINITION = ModuleDefinition(argument_spec=ARGUMENT_SPEC, run=run)
