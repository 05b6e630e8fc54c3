"""How the gateway is served: uvicorn accepts connections, ``AsgiAdapter`` reads whole requests, and
a limited number of threads runs the application.

Threads are few, connections are many: a client that sends or reads slowly, or waits for a
password hash, must not occupy a thread that others need. See docs/decisions/0025.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

from flask import Flask
from flask_babel import force_locale
from sqlalchemy.orm import configure_mappers

from hosted_pages import languages
from idp.app import create_app, read_keys, start_tracing
from idp.credentials.hashing import HashingLimiter
from idp.foundation import log_accepted_risks
from idp.serving import metric_sources
from idp.serving.asgi_adapter import AsgiAdapter
from idp.serving.server_processes import Options, Server
from idp.settings import Settings
from idp.transaction import DATABASE_UNAVAILABLE
from service_base import garbage, logs, metrics_process, processors

log = logs.Logger("gateway.start")
#: The first part of the names of metrics.
NAMESPACE = "gateway"
#: Seconds after which a thread gives way to another one.
SWITCH_SECONDS = 0.001
#: Threads for requests that wait for a lock of the database or for a slow client.
SPARE_THREADS = 4
#: The templates of every page, and the first page of most people.
FRAME = ("_components.html", "base.html", "hosted/base.html", "signin.html")
#: Hashes waiting in each process: about four seconds of one core at cost 12.
HASHES_WAITING = 16


def serve(options: Options) -> None:
    """Serve until stopped. A worker process that ends is restarted. If it ends twice within
    seconds, everything stops with exit code 1, so that the supervisor notices. Raises
    ConfigurationError."""
    metrics_process.require_free("port", options.host, options.port)
    with ExitStack() as monitoring:
        loader = Loader(options)
        if options.metrics_port:
            folder = monitoring.enter_context(metrics_process.counting(NAMESPACE))
        loader.load()
        if options.metrics_port:
            monitoring.enter_context(
                metrics_process.answering_process(
                    NAMESPACE, folder, options.metrics_host, options.metrics_port,
                    metric_sources.of_gateway,
                )
            )  # fmt: skip
        Server(options, loader).run()


def load(options: Options) -> AsgiAdapter:
    """The application of one process, from the environment. Raises ConfigurationError."""
    cores = max(1, processors.usable() // options.workers)
    limiter = HashingLimiter(cores, HASHES_WAITING)
    settings = Settings.from_environ(os.environ)
    app = create_app(settings, hashing=limiter)
    log_accepted_risks(settings)
    # Requests that wait, for a hash or for anything else, take no threads from others.
    return AsgiAdapter(app, threads=options.threads, spare=SPARE_THREADS + limiter.most)


@dataclass
class Loader:
    """Gives each process its application. It is loaded once, before they are forked, and they share
    its memory. It has no threads and no connections until it serves."""

    options: Options
    loaded: AsgiAdapter | None = None

    def load(self) -> None:
        """Load the application for the processes that are forked from this one."""
        self.loaded = load(self.options)
        _load_ahead(self.loaded.app)
        # What is not searched is not copied for each process either.
        garbage.search_new_objects()

    def __call__(self) -> AsgiAdapter:
        # With 5 ms, a thread that comes back from the database waits longer for the interpreter
        # than for the database.
        sys.setswitchinterval(SWITCH_SECONDS)
        front = self.loaded or load(self.options)
        start_tracing(front.app)
        # The process does not wait: the database may be away when it starts.
        threading.Thread(target=_read_keys, args=(front.app,), daemon=True).start()
        return front


def _load_ahead(app: Flask) -> None:
    """Load what each process would load with its first requests, and would not share."""
    configure_mappers()
    # To compile templates leaves much garbage. The bridge takes the place of it.
    gc.freeze()
    for language in languages.LANGUAGES:
        with app.app_context(), force_locale(language):
            for name in FRAME:
                app.jinja_env.get_template(name)
            # The names of months and zones.
            languages.eastern(datetime.now(UTC))
    gc.collect()
    app.extensions["bridge"].load()


def _read_keys(app: Flask) -> None:
    try:
        read_keys(app)
    except DATABASE_UNAVAILABLE as error:
        log.warning("keys_not_read", error=type(error).__name__)
