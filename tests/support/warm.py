# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible's programs without the second that each start of them takes.

A process imports Ansible once, and forks for each run; so every run is a process of its own, with its own environment, and nothing
that one leaves behind reaches the next. `run(…)` is for tests; as a script this file is that process, on any Python with Ansible.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = {"ansible-inventory": "ansible.cli.inventory", "ansible": "ansible.cli.adhoc"}
#: What Python and Ansible read when they start. The rest is told to each run; pytest, for one, sets a variable for each test.
READ_AT_IMPORT = ("ANSIBLE_", "PYTHON", "PATH", "HOME", "USER", "LANG", "LC_", "TERM", "TMPDIR", "COLUMNS")
#: Those that wait, by their Python and by what they have read.
_WAITING: dict[tuple[str, str], subprocess.Popen[str]] = {}


def run(python: Path, program: str, arguments: list[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """What `subprocess.run` of the program beside this Python would give."""
    server = _server(python, environment)
    if server.stdin is None or server.stdout is None:
        raise RuntimeError("no pipes to the process")
    server.stdin.write(json.dumps({"program": program, "arguments": arguments, "environment": dict(environment)}) + "\n")
    server.stdin.flush()
    answer = server.stdout.readline()
    if not answer:
        raise RuntimeError(f"{python} {__file__} ended with {server.wait()}")
    found = json.loads(answer)
    return subprocess.CompletedProcess([program, *arguments], found["status"], found["stdout"], found["stderr"])


def _server(python: Path, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    """The process for this Python and these settings of Ansible's."""
    read_at_import = {name: value for name, value in environment.items() if name.startswith(READ_AT_IMPORT)}
    key = (str(python), json.dumps(sorted(read_at_import.items())))
    if key not in _WAITING or _WAITING[key].poll() is not None:
        command = [str(python), __file__]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        _WAITING[key] = subprocess.Popen(command, env=read_at_import, cwd=ROOT, **pipes)
    return _WAITING[key]


@atexit.register
def _end() -> None:
    """A process whose input ends, ends."""
    for server in _WAITING.values():
        if server.stdin is not None:
            server.stdin.close()
        server.wait()


# --- the process that waits -----------------------------------------------------------------------------------------------


def _wait() -> None:
    """Fork for each line of the input; answer with a line each."""
    modules = {program: importlib.import_module(module) for program, module in PROGRAMS.items()}
    with contextlib.suppress(ImportError):
        importlib.import_module("boto3")
    _read_routing_once()
    for line in sys.stdin:
        request = json.loads(line)
        with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
            pid = os.fork()
            if not pid:
                _become(modules[request["program"]], request, stdout.fileno(), stderr.fileno())
            _pid, status = os.waitpid(pid, 0)
            texts = {name: _text(file) for name, file in (("stdout", stdout), ("stderr", stderr))}
            print(json.dumps({"status": os.waitstatus_to_exitcode(status), **texts}), flush=True)


def _read_routing_once() -> None:
    """Ansible's own table of moved plugins is a large YAML file, and the same for every run."""
    finder: Any = importlib.import_module("ansible.utils.collection_loader._collection_finder")
    finder._meta_yml_to_dict = functools.lru_cache(maxsize=8)(finder._meta_yml_to_dict)
    content = (Path(importlib.import_module("ansible").__file__ or "").parent / "config" / "ansible_builtin_runtime.yml").read_bytes()
    finder._meta_yml_to_dict(content, ("ansible.builtin", "runtime.yml"))


def _become(module: Any, request: Mapping[str, Any], stdout: int, stderr: int) -> None:
    """In the fork: run the program as if it had just been started, and end."""
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (stdout, 1), (stderr, 2)):
            os.dup2(source, target)
        os.environ.clear()
        os.environ.update(request["environment"])
        sys.argv = [request["program"], *request["arguments"]]
        module.main(sys.argv)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(bool(end.code))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _text(file: Any) -> str:
    file.seek(0)
    return str(file.read().decode())


if __name__ == "__main__":
    _wait()
