"""How the pages are served: granian, with a bounded number of threads."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass

from flask import Flask
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from registration.app import create_app
from registration.settings import Settings
from service_base import garbage, logs

#: Milliseconds for the request head, also the next one on a kept-alive connection.
HEAD_MILLISECONDS = 10_000
MAX_HEAD = 65_536
CONNECTIONS = 1024


@dataclass(frozen=True)
class Options:
    """The options of ``registration serve``."""

    host: str
    port: int
    workers: int
    threads: int


def serve(options: Options, log_level: str) -> None:
    """Serve until stopped. A process that ends is restarted."""
    Granian(
        "registration.serving:load",
        address=options.host,
        port=options.port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        websockets=False,
        http1_settings=HTTP1Settings(
            header_read_timeout=HEAD_MILLISECONDS, max_buffer_size=MAX_HEAD
        ),
        workers=options.workers,
        blocking_threads=options.threads,
        backlog=CONNECTIONS * 2,
        backpressure=CONNECTIONS,
        respawn_failed_workers=True,
        log_access=False,
        log_level=LogLevels(log_level.lower()),
    ).serve(target_loader=_loaded, wrap_loader=False)


def _loaded() -> Flask:
    """The application of one process, from the environment. Raises ConfigurationError."""
    settings = Settings.from_environ(os.environ)
    logs.configure(settings.log_level)
    logging.getLogger("_granian").setLevel(logging.WARNING)
    app = create_app(settings)
    garbage.search_new_objects()
    return app
