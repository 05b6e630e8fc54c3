"""How the pages are served: granian, with a bounded number of threads."""

from __future__ import annotations

import logging
import os
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from flask import Flask
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from registration import measured_state
from registration.app import create_app
from registration.settings import Settings
from service_base import garbage, logs, metrics_process, tracing

#: The first part of the names of metrics.
NAMESPACE = "registration"
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
    #: Seconds to finish running requests when it is stopped.
    stop_seconds: int
    metrics_host: str = "127.0.0.1"
    #: 0: no metrics.
    metrics_port: int = 0


def serve(options: Options, log_level: str) -> None:
    """Serve until stopped. A process that ends is restarted."""
    with ExitStack() as monitoring:
        if options.metrics_port:
            folder = monitoring.enter_context(metrics_process.counting(NAMESPACE))
            monitoring.enter_context(
                metrics_process.answering_process(
                    NAMESPACE, folder, options.metrics_host, options.metrics_port,
                    measured_state.sources,
                )
            )  # fmt: skip
        _server(options, log_level).serve(target_loader=_loaded, wrap_loader=False)


def _server(options: Options, log_level: str) -> Any:
    return Granian(
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
        workers_kill_timeout=options.stop_seconds,
        log_access=False,
        log_level=LogLevels(log_level.lower()),
        log_dictconfig=logs.OF_SERVER,
    )


def _loaded() -> Flask:
    """The application of one process, from the environment. Raises ConfigurationError."""
    settings = Settings.from_environ(os.environ)
    logs.configure(settings.log_level)
    logging.getLogger("_granian").setLevel(logging.WARNING)
    app = create_app(settings)
    tracing.start("ieso-registration", app.extensions["runtime"].engine)
    garbage.search_new_objects()
    return app
