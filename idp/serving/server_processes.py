"""The processes of ``gateway serve``: gunicorn starts, watches and stops them; in each, uvicorn
serves the application that was loaded before."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import uvicorn
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer
from gunicorn.glogging import Logger
from gunicorn.workers import base

from idp.serving.http_protocol import CONNECTIONS, configuration

if TYPE_CHECKING:
    from idp.serving.asgi_adapter import AsgiAdapter

#: A process that replaces another one and ends within so many seconds would end again.
SOON_SECONDS = 6


@dataclass(frozen=True)
class Options:
    """The options of ``gateway serve``."""

    host: str
    port: int
    workers: int
    threads: int
    #: Seconds to finish running requests when the gateway is stopped.
    stop_seconds: int
    metrics_host: str = "127.0.0.1"
    #: 0: no metrics.
    metrics_port: int = 0


class JsonLogger(Logger):
    """gunicorn's lines go where all others go."""

    def setup(self, cfg: Any) -> None:
        """Without handlers of its own."""
        self.cfg = cfg
        self.error_log.propagate = True
        self.error_log.setLevel(logging.INFO)


class Worker(base.Worker):
    """A process that serves."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.since = time.monotonic()

    def init_signals(self) -> None:
        """uvicorn handles those that stop it. The others are not for this process."""
        for number in self.SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)

    def run(self) -> None:
        """Serve until stopped."""
        # The main process stops one that does not say that it lives.
        front = cast("AsgiAdapter", self.wsgi)
        config = configuration(front, callback_notify=self._live, timeout_notify=int(self.timeout))
        # Warnings are about requests that are no HTTP: anybody can send many.
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        server = uvicorn.Server(config)
        signal.signal(signal.SIGQUIT, server.handle_exit)
        # gunicorn waits for ever for the first time.
        self.notify()
        server.run(self.sockets)

    async def _live(self) -> None:
        self.notify()


class Supervisor(Arbiter):
    """gunicorn's, which gives up if a process that replaced another one ends soon too."""

    _is_stopping = False

    def stop(self, graceful: bool = True) -> None:
        """Stop the processes."""
        self._is_stopping = True
        super().stop(graceful)

    def reap_workers(self) -> None:
        """Look which processes have ended. Raises HaltServer."""
        before = dict(self.WORKERS)
        super().reap_workers()
        now = time.monotonic()
        for pid, worker in before.items():
            has_ended = pid not in self.WORKERS
            is_replacement = worker.age > self.num_workers
            is_soon = now - cast(Worker, worker).since < SOON_SECONDS
            if has_ended and is_replacement and is_soon and not self._is_stopping:
                raise HaltServer("A process ended twice within seconds.", 1)


class Server(BaseApplication):
    """gunicorn with the options of ``gateway serve``. ``load`` returns the application of one
    process, and is called in it."""

    def __init__(self, options: Options, load: Callable[[], Any]) -> None:
        self._options, self._load = options, load
        super().__init__()

    def load_config(self) -> None:
        """The settings of gunicorn. None come from its own files and variables."""
        options = self._options
        host = f"[{options.host}]" if ":" in options.host else options.host
        settings = {
            "bind": f"{host}:{options.port}",
            "workers": options.workers,
            "worker_class": Worker,
            "logger_class": JsonLogger,
            "backlog": CONNECTIONS * 2,
            "graceful_timeout": options.stop_seconds,
            # Each process has a socket, and Linux shares connections out. Of one socket for all,
            # the process that wakes up first would take all that wait.
            "reuse_port": True,
            "control_socket_disable": True,
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """The application of this process."""
        return self._load()

    def run(self) -> None:
        """Serve until stopped. Raises SystemExit (1) if the processes cannot serve."""
        main = os.getpid()
        try:
            Supervisor(self).run()
        except SystemExit as end:
            if os.getpid() != main:
                # What the main process cleans up is not that of this one.
                logging.shutdown()
                os._exit(end.code if isinstance(end.code, int) else 1)
            if end.code:
                sys.exit(1)
