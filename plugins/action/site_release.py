# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action of site_release: brings an archive from the controller to the machine, when the machine has to have it."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ..module_utils.engine.definition import failure
from ..module_utils.engine.errors import InvalidInput, NotFound, SteadfastError
from ..module_utils.site.archive import read_files, sha256_of
from ..module_utils.site.definition import DEFINITION
from ..module_utils.site.layout import ARCHIVE_NEEDED
from ..plugin_utils.on_machine import OnMachine


class ActionModule(OnMachine):
    """Asks by checksum first; sends the list of files (check mode) or the archive only when that was not enough."""

    _supports_check_mode = True
    _supports_async = False
    _requires_connection = True
    definition = DEFINITION
    defined_in = "site/definition.py"

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """The result of the module."""
        ActionBase.run(self, tmp, task_vars)
        args = dict(self._task.args)
        if not args.get("src") or any(args.get(rival) for rival in ("url", "archive", "release")):
            return self._module(args, task_vars)  # which refuses two sources in Ansible's own words
        try:
            return self._from_controller(args, task_vars)
        except SteadfastError as error:
            return failure(error)
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)

    def _from_controller(self, args: dict[str, Any], task_vars: Any) -> dict[str, Any]:
        source = self._found(str(args.pop("src")))
        checksum = sha256_of(source)
        if args.get("checksum") not in (None, checksum):
            raise InvalidInput("the archive is not the one declared", resource=source, wanted=args["checksum"], found=checksum)
        args["checksum"] = checksum
        result = self._module(args, task_vars)
        if result.get("error", {}).get("code") != ARCHIVE_NEEDED:
            return result
        files = read_files(source, int(args.get("strip_components", 0)))
        if self._task.check_mode:
            manifest = {path: entry.to_dict() for path, entry in files.items()}
            return self._module({**args, "manifest": manifest}, task_vars)
        return self._module({**args, "archive": self._sent(source)}, task_vars)

    def _found(self, source: str) -> str:
        """The archive on the controller: an absolute path, or one relative to the playbook or role, or their `files`."""
        try:
            return str(self._find_needle("files", source))
        except AnsibleError as error:
            raise NotFound(
                "there is no such archive on the controller",
                resource=source,
                found=str(error).splitlines()[0],
                do="Give an absolute path, or put it into the folder `files` beside the playbook.",
            ) from error

    def _sent(self, source: str) -> str:
        """The path of the archive on the machine, in the task's temporary folder."""
        folder = self._make_tmp_path()
        target = self._transfer_file(source, self._connection._shell.join_path(folder, "archive"))
        self._fixup_perms2((folder, target))
        return str(target)

    def _module(self, args: dict[str, Any], task_vars: Any) -> dict[str, Any]:
        result: dict[str, Any] = self._execute_module(module_name="steadfast.ec2.site_release", module_args=args, task_vars=task_vars)
        return result
