# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Results wait here to be recorded many at a time.

ansible-core forks a process for each host and task. After a fork, the first touch of each page of memory is a fault and a copy in the
kernel. Recording one result touches some 160 pages, and so it takes 1.1 ms between two forks, and 0.2 ms without them; a batch pays once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .recorder import Recorder

#: How many results wait at most, so that memory is bounded, and until the next result after how many seconds.
MOST, SECONDS = 50, 1.0


@dataclass
class Batch:
    """Keeps results for `recorder` until there are `MOST`, or until the first of them has waited `SECONDS`.

    A run that is killed loses what waits; its record lacks the end, so that it cannot be taken for a whole one.
    """

    recorder: Recorder
    clock: Callable[[], float] = time.monotonic
    _since: float = 0.0
    _waiting: list[tuple[Callable[..., None], Any, tuple[Any, ...]]] = field(default_factory=list)

    def add(self, record: Callable[..., None], result: Any, *arguments: Any) -> None:
        """Call `record(result, *arguments)` later, in the order in which results come."""
        now = self.clock()
        if not self._waiting:
            self._since = now
        self._waiting.append((record, result, arguments))
        if len(self._waiting) >= MOST or now - self._since >= SECONDS:
            self.flush()

    def flush(self) -> None:
        """Record all that waits. A result that cannot be recorded is told, and those after it are recorded all the same."""
        waiting, self._waiting = self._waiting, []
        for record, result, arguments in waiting:
            try:
                record(result, *arguments)
            except Exception as error:  # whatever a module returned, the run goes on, and the verdict is that it could not tell
                self.recorder.lost(result, error)
        self.recorder.flush()
