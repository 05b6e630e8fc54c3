"""How the gateway is served: granian takes connections, ``Front`` takes whole requests, and a
bounded number of threads runs the application.

A thread is worth more than a connection: whoever sends slowly, reads slowly or waits for a password
hash must hold none of the threads that answer everybody else. docs/decisions/0025 says why.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from functools import partial

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from idp.app import create_app, say_risks
from idp.credentials.hashing import HashingLimiter
from idp.serving.asgi_adapter import AsgiAdapter
from idp.settings import Settings

#: A head, or the next one on a kept connection, comes within so many milliseconds.
HEAD_MILLISECONDS = 10_000
#: Room for an ID token of 150 role groups as id_token_hint.
MAX_HEAD = 65_536
#: Connections of one process; each costs memory and no thread.
CONNECTIONS = 1024
#: Hashes that wait for their turn in each process: about four seconds of one core at cost 12.
HASHES_WAITING = 16


@dataclass(frozen=True)
class Options:
    """What ``gateway serve`` was told."""

    host: str
    port: int
    workers: int
    threads: int
    #: Seconds in which requests that run are finished when the gateway is told to stop.
    stop_seconds: int


def serve(options: Options, log_level: str) -> None:
    """Serve until told to stop. A process that ends by itself is started again; one that ends
    twice within seconds ends all, with exit code 1, so that the supervisor sees it."""
    Granian(
        "idp.serving:load",
        address=options.host,
        port=options.port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        websockets=False,
        http1_settings=HTTP1Settings(
            header_read_timeout=HEAD_MILLISECONDS, max_buffer_size=MAX_HEAD
        ),
        workers=options.workers,
        backlog=CONNECTIONS * 2,
        backpressure=CONNECTIONS,
        respawn_failed_workers=True,
        workers_kill_timeout=options.stop_seconds,
        log_access=False,
        log_level=LogLevels(log_level.lower()),
    ).serve(target_loader=partial(load, options), wrap_loader=False)


def load(options: Options) -> AsgiAdapter:
    """The application of one process, from the environment. Raises ConfigurationError."""
    cores = max(1, (os.cpu_count() or 1) // options.workers)
    lane = HashingLimiter(cores, HASHES_WAITING)
    app = create_app(Settings.from_environ(os.environ), hashing=lane)
    say_risks(app)
    # Who waits for a hash takes no thread from the others.
    front = AsgiAdapter(app, threads=options.threads + lane.most)
    # It tells of every client that went away before its answer.
    logging.getLogger("_granian").setLevel(logging.WARNING)
    return front
