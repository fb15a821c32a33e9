# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The log of API calls: who wants to know how many calls something made, and whether one of them wrote, asks here."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any, Dict, List, Optional

#: Operations that change nothing start with one of these words.
READING = ("Describe", "Get", "List", "Head", "Search", "Lookup", "BatchGet", "Simulate", "AssumeRole", "Decode", "GET ", "HEAD ")


def is_write(action: str, dry_run: bool = False) -> bool:
    """Whether a call of this name can change anything. A dry run cannot."""
    return not dry_run and not action.startswith(READING)


class CallLog:
    """Every call as a dictionary, in memory and as one JSON line in a file. `number` counts from 1."""

    def __init__(self, path: Optional[Path] = None) -> None:
        self._lock = threading.Lock()
        self._calls: List[Dict[str, Any]] = []
        self._file = path.open("a", encoding="utf-8", buffering=1) if path else None

    def add(self, **call: Any) -> None:
        """Append one call."""
        with self._lock:
            entry = {"number": len(self._calls) + 1, "time": round(time.time(), 3), **call}
            self._calls.append(entry)
            if self._file:
                self._file.write(json.dumps(entry) + "\n")

    def since(self, number: int) -> List[Dict[str, Any]]:
        """The calls after call `number`."""
        with self._lock:
            return self._calls[number:]

    @property
    def count(self) -> int:
        return len(self._calls)

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()
