# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Puts a sandbox together: hosting, cloud, EC2, server."""

from __future__ import annotations

import threading
from typing import Any, Callable, List, Tuple

from moto.server import MotoRequestHandler
from werkzeug.serving import BaseWSGIServer, make_server

from sandbox.calls import CallLog
from sandbox.cloud import Cloud
from sandbox.control import Control
from sandbox.ec2.backend import install
from sandbox.ec2.responses import answering
from sandbox.gateway import Gateway
from sandbox.hosting import Hosting
from sandbox.loopback import LoopbackPool, is_free
from sandbox.paper import PaperHosting
from sandbox.settings import Settings


class Handler(MotoRequestHandler):
    """Keeps quiet: calls have a log of their own."""

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  # the name is werkzeug's
        """Write nothing."""


class Service:
    """A sandbox in this process. moto's state is global, so there is one in a process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        pool = LoopbackPool(None if settings.api_only else lambda address: is_free(address, 22))
        self.cloud = Cloud(settings, hosting_for(settings), pool, CallLog(settings.calls))
        self.addresses = pool.range
        self._server: List[BaseWSGIServer] = []
        install(self.cloud)

    def start(self, stop: Callable[[], None]) -> Tuple[str, int]:
        """Answer calls from now on, in threads of their own; `stop` is what the stop request calls."""
        gateway = Gateway(self.cloud, answering(self.cloud), Control(self.cloud, stop))
        server = make_server("127.0.0.1", self._settings.port, gateway, threaded=True, request_handler=Handler)
        server.daemon_threads = True
        self._server.append(server)
        threading.Thread(target=server.serve_forever, name="server", daemon=True).start()
        return "127.0.0.1", server.port

    def close(self) -> None:
        """Answer no more, machines off."""
        for server in self._server:
            server.shutdown()
            server.server_close()
        self.cloud.close()


def hosting_for(settings: Settings) -> Hosting:
    """Real machines, or paper ones for `--api-only`."""
    if settings.api_only:
        return PaperHosting()
    from sandbox.real import RealHosting

    return RealHosting(settings)
