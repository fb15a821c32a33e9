# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A sandbox for tests: `with api_only_sandbox(tmp_path) as sandbox: …`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
if str(CHECKOUT) not in sys.path:
    sys.path.insert(0, str(CHECKOUT))

from sandbox.client import ask  # noqa: E402


class Sandbox:
    """A running sandbox as tests use it."""

    def __init__(self, endpoint: str, directory: Path) -> None:
        self.endpoint = endpoint
        self.directory = directory
        self._clients: dict[tuple[str, str], Any] = {}

    @property
    def environment(self) -> dict[str, str]:
        """Variables that point AWS clients here; nothing of the caller's AWS configuration is left."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "EC2_"))}
        return {
            **kept,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "sandbox",
            "AWS_SECRET_ACCESS_KEY": "sandbox",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
        }

    def client(self, service: str = "ec2", region: str = "us-east-1") -> Any:
        """A boto3 client of this sandbox; the same one each time, since they take long to make."""
        import boto3

        if (service, region) not in self._clients:
            session = boto3.session.Session(aws_access_key_id="sandbox", aws_secret_access_key="sandbox", region_name=region)
            self._clients[service, region] = session.client(service, endpoint_url=self.endpoint)
        return self._clients[service, region]

    def calls(self, since: int = 0) -> list[dict[str, Any]]:
        """The API calls after call number `since`: number, action, write, status, error …"""
        return list(ask(self.endpoint, f"calls?since={since}")["calls"])

    @property
    def call_count(self) -> int:
        """The number of the last call; give it to `calls` later."""
        return int(ask(self.endpoint, "calls?since=999999999")["count"])

    def writes(self, since: int = 0) -> list[str]:
        """Names of the calls after `since` that changed something."""
        return [call["action"] for call in self.calls(since) if call["write"]]

    def reset(self) -> None:
        """An empty account, no faults. The log of calls goes on."""
        ask(self.endpoint, "reset", {})

    def faults(self, **values: Any) -> None:
        """Switch faults on or off."""
        ask(self.endpoint, "faults", values)

    @contextmanager
    def held(self) -> Iterator[None]:
        """In the block no state passes by itself: pending stays pending, until `step`, or the end of the block."""
        ask(self.endpoint, "hold", {"on": True})
        try:
            yield
        finally:
            ask(self.endpoint, "hold", {"on": False})

    def step(self) -> bool:
        """Let the next thing that waits happen; False if nothing waits."""
        return bool(ask(self.endpoint, "step", {})["stepped"])

    def status(self) -> dict[str, Any]:
        """What `sandbox status --json` prints."""
        return ask(self.endpoint, "status")


@contextmanager
def running_sandbox(directory: Path, *, api_only: bool, port: int | None = None, pace: float = 0.2) -> Iterator[Sandbox]:
    """A sandbox of its own in `directory`, ended and removed afterwards."""
    command = [sys.executable, "-m", "sandbox", "--dir", str(directory)]
    port = port or free_port()
    start = [*command, "up", "--port", str(port), "--pace", str(pace), *(["--api-only"] if api_only else [])]
    done = subprocess.run(start, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    try:
        yield Sandbox(f"http://127.0.0.1:{port}", directory)
    finally:
        subprocess.run([*command, "down"], cwd=CHECKOUT, capture_output=True, check=True)


@contextmanager
def api_only_sandbox(directory: Path, pace: float = 0.05) -> Iterator[Sandbox]:
    """A sandbox without machines, whose states pass quickly."""
    with running_sandbox(directory, api_only=True, pace=pace) as sandbox:
        yield sandbox


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(check: Callable[[], Any], timeout: float = 90.0, pause: float = 0.05) -> Any:
    """The first true answer of `check`; fails with the last one when `timeout` is over."""
    deadline = time.monotonic() + timeout
    while True:
        answer = check()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"never true, last {answer!r}"
        time.sleep(pause)
