# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The process that serves one sandbox: `python -m sandbox serve`, started by `up`."""

from __future__ import annotations

import logging
import os
import signal
import threading
from typing import Any

from sandbox.processes import identity_of
from sandbox.record import Record
from sandbox.settings import Settings

log = logging.getLogger(__name__)


def serve(settings: Settings) -> int:
    """Serve until told to stop; then everything is off and the record is gone."""
    # moto reads these once, when it is imported.
    os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
    from sandbox.service import Service

    logging.basicConfig(filename=settings.log, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    service = Service(settings)
    stopped = threading.Event()

    def stop(*_: Any) -> None:
        stopped.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    service.start(stop)
    Record(settings.endpoint, settings.api_only, identity_of(os.getpid()), service.addresses).write(settings.record)
    log.info("serving %s from %s", settings.endpoint, settings.directory)
    stopped.wait()
    service.close()
    settings.record.unlink(missing_ok=True)
    log.info("stopped")
    return 0
