# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Writes how long each task of a run took, as JSON, to the file that BENCH_DURATIONS names."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: durations
type: aggregate
short_description: How long each task took
description: For the benchmarks of this repository.
"""


class CallbackModule(CallbackBase):
    """A task lasts until the next one starts, so all items of a loop count."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "durations"

    def __init__(self) -> None:
        super().__init__()
        self._started: list[tuple[str, float]] = []

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """Remember when it was."""
        self._started.append((task.get_name(), time.monotonic()))

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """All tasks are over."""
        ends = [started for _name, started in self._started[1:]] + [time.monotonic()]
        durations = [{"name": name, "seconds": end - started} for (name, started), end in zip(self._started, ends, strict=True)]
        Path(os.environ["BENCH_DURATIONS"]).write_text(json.dumps(durations))
