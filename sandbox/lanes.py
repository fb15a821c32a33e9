# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Work in the background: jobs of one lane run one after the other, different lanes side by side."""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, Deque, Dict, List, Optional, Tuple

log = logging.getLogger(__name__)

Job = Callable[[], None]


class Lanes:
    """Runs jobs by lane (an instance's or a volume's id), each not before its delay is over."""

    def __init__(self, workers: int = 16) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="lane")
        self._changed = threading.Condition()
        self._waiting: Dict[str, Deque[Tuple[float, Job]]] = {}
        self._due: List[Tuple[float, str]] = []
        self._running = 0
        self._closed = False
        #: None: jobs run when they are due. A number: so many may still start.
        self._allowed: Optional[int] = None
        threading.Thread(target=self._dispatch, name="lanes", daemon=True).start()

    def submit(self, lane: str, job: Job, delay: float = 0.0) -> None:
        """Run `job` in `lane` after those already in it, and not before `delay` seconds from now."""
        with self._changed:
            if self._closed:
                return
            queue = self._waiting.get(lane)
            ready = time.monotonic() + delay
            if queue is None:
                queue = self._waiting[lane] = deque()
                heapq.heappush(self._due, (ready, lane))
            queue.append((ready, job))
            self._changed.notify_all()

    def clear(self) -> None:
        """Forget what has not started; wait for what has."""
        with self._changed:
            self._due.clear()
            self._waiting = {lane: deque() for lane in self._waiting}
            self._allowed = None
            self._changed.wait_for(lambda: self._running == 0, timeout=60)
            self._waiting.clear()

    def hold(self, on: bool) -> None:
        """Start no job any more, whatever the time; or go on. For tests of what is only for a moment."""
        with self._changed:
            self._allowed = 0 if on else None
            self._changed.notify_all()

    def step(self, timeout: float = 30) -> bool:
        """While held: let the job that comes first run, and wait for its end. False if there is none."""
        with self._changed:
            if not self._due:
                return False
            self._allowed = 1
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._allowed == 0 and self._running == 0, timeout)

    def wait(self, timeout: float) -> bool:
        """Wait until nothing is left to do; False if `timeout` came first."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting, timeout)

    def close(self) -> None:
        """Take no more jobs, forget those that wait."""
        with self._changed:
            self._closed = True
            self._due.clear()
            self._changed.notify_all()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _dispatch(self) -> None:
        with self._changed:
            while not self._closed:
                pause = self._due[0][0] - time.monotonic() if self._due and self._allowed != 0 else None
                if pause is None or (pause > 0 and self._allowed is None):
                    self._changed.wait(pause)
                    continue
                if self._allowed is not None:
                    self._allowed -= 1
                _, lane = heapq.heappop(self._due)
                self._running += 1
                self._pool.submit(self._run, lane)

    def _run(self, lane: str) -> None:
        with self._changed:
            queue = self._waiting.get(lane)
            job = queue.popleft()[1] if queue else None
        try:
            if job:
                job()
        except Exception:
            log.exception("a job of %s failed", lane)
        finally:
            self._next(lane)

    def _next(self, lane: str) -> None:
        with self._changed:
            self._running -= 1
            queue = self._waiting.get(lane)
            if queue:
                heapq.heappush(self._due, (queue[0][0], lane))
            else:
                self._waiting.pop(lane, None)
            self._changed.notify_all()
