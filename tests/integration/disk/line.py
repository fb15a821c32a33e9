# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One connection for all that tests ask of the machine: logging in and starting Python cost an emulated processor seconds."""

from __future__ import annotations

import json
import subprocess
import threading
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Line:
    """Speaks with `guest.py serve` over ssh; connects when it is first needed, and again when the machine was restarted."""

    ssh: list[str]
    lock: threading.Lock = field(default_factory=threading.Lock)
    process: subprocess.Popen[bytes] | None = None

    def ask(self, function: str, argument: Any) -> Any:
        """The answer of a function of guest.py; its traceback is the test's failure. ConnectionError where the machine does not answer."""
        with self.lock:
            if self.process is None:
                command = [*self.ssh, "cd /opt/test && sudo python3 guest.py serve"]
                self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            assert self.process.stdin
            assert self.process.stdout
            try:
                self.process.stdin.write(json.dumps([function, argument]).encode() + b"\n")
                self.process.stdin.flush()
                said = self.process.stdout.readline()
            except BrokenPipeError:
                said = b""
        if not said:
            self.hang_up()
            raise ConnectionError("the machine does not answer")
        answer = json.loads(said)
        assert "error" not in answer, answer["error"]
        return answer["answer"]

    def hang_up(self) -> None:
        """The connection is closed."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None
