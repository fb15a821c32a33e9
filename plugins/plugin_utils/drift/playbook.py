# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs ansible-playbook so that it records what it finds."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .problems import CannotTell

CALLBACK = "steadfast.ec2.drift"
#: Options that would turn a check into something else.
_NOT_FOR_CHECKS = ("--syntax-check", "--list-hosts", "--list-tasks", "--list-tags")
#: ansible-playbook's own codes with which a record can be whole: fine, failed hosts, unreachable hosts (2 and 4, or both: 6).
ENDED_BY_ITSELF = (0, 2, 4, 6)


@dataclass(frozen=True)
class Invocation:
    """One run of ansible-playbook: whose, what, which of how many shards, and for how long at most (seconds; 0 for no limit)."""

    directory: Path
    run: str
    arguments: tuple[str, ...]
    shard: str = "1"
    timeout: float = 0.0
    shards: int = 0

    def record(self, mode: str) -> int:
        """Run it as `check` or as `apply`; the exit code is ansible-playbook's, and 124 after the timeout."""
        refuse(self.arguments, mode)
        command = [find("ansible-playbook"), *(["--check", "--diff"] if mode == "check" else ["--diff"]), *self.arguments]
        try:
            process = subprocess.Popen(command, env=self._environment(mode), start_new_session=True)
        except OSError as error:
            raise CannotTell("command", f"{command[0]}: {error.strerror}") from error
        try:
            return process.wait(self.timeout or None)
        except subprocess.TimeoutExpired:
            return 124
        finally:
            if process.poll() is None:
                _end(process)

    def _environment(self, mode: str) -> dict[str, str]:
        enabled = [name for name in os.environ.get("ANSIBLE_CALLBACKS_ENABLED", "").split(",") if name and name != CALLBACK]
        return {
            "ANSIBLE_STDOUT_CALLBACK": "steadfast.ec2.without_diff",
            **os.environ,
            "ANSIBLE_CALLBACKS_ENABLED": ",".join([*enabled, CALLBACK]),
            "STEADFAST_DRIFT_DIR": str(self.directory),
            "STEADFAST_DRIFT_RUN": self.run,
            "STEADFAST_DRIFT_SHARD": self.shard,
            "STEADFAST_DRIFT_SHARDS": str(self.shards),
            "STEADFAST_DRIFT_MODE": mode,
        }


def refuse(arguments: Sequence[str], mode: str) -> None:
    """Refuse what cannot be a recorded run, before anything is started."""
    if not arguments:
        raise CannotTell("command", "no playbook is given: what follows -- goes to ansible-playbook")
    wrong = [argument for argument in arguments if argument in _NOT_FOR_CHECKS]
    if mode == "apply":
        wrong += [argument for argument in arguments if argument in ("--check", "-C")]
    if wrong:
        raise CannotTell("command", f"{', '.join(wrong)} cannot be combined with this")


def new_run() -> str:
    """An id that sorts by time and is not used twice."""
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(3)}"


def checked_name(name: str) -> str:
    """A run id or shard name, which becomes part of a file's name."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,80}", name):
        raise CannotTell("command", f"{name!r} cannot be used as a name here: letters, digits, - and _ only")
    return name


def find(program: str) -> str:
    """The program beside the Python that runs this, or in PATH."""
    import sys

    beside = Path(sys.executable).parent / program
    found = str(beside) if beside.exists() else shutil.which(program)
    if not found:
        raise CannotTell("command", f"{program} is not found in PATH")
    return found


def shard_of(host: str, shards: int) -> int:
    """In which of `shards` parts a host is checked (from 1); the same in every run, whoever joins or leaves."""
    return int.from_bytes(hashlib.sha256(host.encode()).digest()[:8], "big") % shards + 1


def limit_to_shard(arguments: Sequence[str], shard: int, shards: int, scratch: Path) -> tuple[str, ...]:
    """The arguments with a limit to the hosts of this shard, of those that a limit among them leaves.

    The implicit localhost, where the fleet is checked, is in the first, unless there is a limit.
    """
    limits = _given(arguments, "-l", "--limit")
    command = [find("ansible"), "all", "--list-hosts", *_given(arguments, "-i", "--inventory"), *limits]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotTell("command", f"the inventory cannot be read: {done.stderr.strip()[-300:]}")
    hosts = [line.strip() for line in done.stdout.splitlines()[1:]]
    mine = [host for host in hosts if shard_of(host, shards) == shard]
    mine += ["localhost"] if shard == 1 and not limits and "localhost" not in mine else []
    if not mine:
        raise CannotTell("zero_hosts", f"shard {shard} of {shards} has none of the {len(hosts)} hosts: use fewer shards")
    scratch.write_text("\n".join(mine) + "\n", encoding="utf-8")
    return (*arguments, "--limit", f"@{scratch}")


def _given(arguments: Sequence[str], short: str, long: str) -> list[str]:
    """An option of ansible-playbook as it was given, in any of its spellings, with its values."""
    pairs = zip(arguments, [*arguments[1:], ""], strict=True)
    apart = [part for flag, value in pairs if flag in (short, long) for part in (flag, value)]
    return apart + [one for one in arguments if one.startswith((f"{long}=", short)) and one != short]


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process with everything that it started; kindly first, so that it cleans up."""
    for sign, seconds in ((signal.SIGTERM, 10), (signal.SIGKILL, 10)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
            return
