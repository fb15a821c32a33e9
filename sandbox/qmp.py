# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A client for the control socket of QEMU (QMP): commands with their replies, and events."""

from __future__ import annotations

import itertools
import json
import queue
import socket
import threading
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, List, Optional

from sandbox.trouble import QmpError

Message = Dict[str, Any]
#: What a queue holds once the socket is closed, so that nobody waits for ever.
_CLOSED: Message = {}


class Events:
    """The events of some names, from the moment of subscription: none is missed between a command and the wait."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self.queue: queue.Queue[Message] = queue.Queue()

    def wait(self, timeout: float, wanted: Callable[[Message], bool] = lambda data: True) -> Optional[Message]:
        """The next event whose data is `wanted`, or nothing when `timeout` seconds of silence have passed."""
        while True:
            try:
                event = self.queue.get(timeout=max(timeout, 0))
            except queue.Empty:
                return None
            if event is _CLOSED:
                self.queue.put(_CLOSED)
                raise QmpError("QEMU closed its control socket")
            if wanted(event.get("data", {})):
                return event


class Qmp:
    """One connection. Threads may share it; a reader thread hands out replies by id, and events to who listens."""

    def __init__(self, connection: socket.socket, timeout: float = 60) -> None:
        self._socket = connection
        self._timeout = timeout
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self._replies: Dict[int, queue.Queue[Message]] = {}
        self._listeners: List[Events] = []
        self._closed = False
        threading.Thread(target=self._read, name="qmp", daemon=True).start()
        self.execute("qmp_capabilities")

    def execute(self, command: str, **arguments: Any) -> Any:
        """What `command` returns. Underscores in the names of arguments stand for dashes, but in properties of devices."""
        number = next(self._ids)
        reply: queue.Queue[Message] = queue.Queue()
        if command != "device_add":
            arguments = {name.replace("_", "-"): value for name, value in arguments.items()}
        request = {"execute": command, "id": number, "arguments": arguments}
        with self._lock:
            if self._closed:
                raise QmpError(f"{command}: QEMU closed its control socket")
            self._replies[number] = reply
        try:
            self._socket.sendall(json.dumps(request).encode() + b"\n")
            message = reply.get(timeout=self._timeout)
        except queue.Empty:
            raise QmpError(f"{command}: QEMU did not answer in {self._timeout:g} s") from None
        except OSError as error:
            raise QmpError(f"{command}: QEMU cannot be reached: {error}") from error
        finally:
            self._replies.pop(number, None)
        if message is _CLOSED:
            raise QmpError(f"{command}: QEMU closed its control socket")
        if "error" in message:
            raise QmpError(f"{command}: {message['error'].get('desc', message['error'])}")
        return message["return"]

    @contextmanager
    def listen(self, *names: str) -> Iterator[Events]:
        """Collect the events of these names while the block runs."""
        events = Events(names)
        with self._lock:
            self._listeners.append(events)
            if self._closed:
                events.queue.put(_CLOSED)
        try:
            yield events
        finally:
            with self._lock:
                self._listeners.remove(events)

    def close(self) -> None:
        """End the connection; whoever waits gets a QmpError."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the other side was faster

    def _read(self) -> None:
        try:
            with self._socket, self._socket.makefile("rb") as lines:
                for line in lines:
                    self._dispatch(json.loads(line))
        except (OSError, ValueError):
            pass  # a cut line or connection is the end of it like any other
        with self._lock:
            self._closed = True
            for waiting in [*self._replies.values(), *(events.queue for events in self._listeners)]:
                waiting.put(_CLOSED)

    def _dispatch(self, message: Message) -> None:
        with self._lock:
            if "event" in message:
                for events in self._listeners:
                    if message["event"] in events.names:
                        events.queue.put(message)
            elif reply := self._replies.get(message.get("id", 0)):
                reply.put(message)
