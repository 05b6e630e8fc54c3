"""The process that answers Prometheus for all processes of a service.

The main process starts it before it forks those that serve, and has no thread for it: a process
must not be forked while another thread holds a lock.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from service_base import metrics
from service_base.monitoring_port import answering
from service_base.refusals import ConfigurationError

#: Makes the sources in the process that reads them; the argument is the main process.
Sources = Callable[[int], Mapping[str, metrics.Source]]
#: Seconds between looks whether the main process lives.
WATCH_SECONDS = 1.0
STOP_SECONDS = 5


@contextmanager
def counting(namespace: str) -> Iterator[Path]:
    """Count in this process and those that are forked from it, in a folder that ends with the
    block."""
    folder = Path(tempfile.mkdtemp(prefix=f"{namespace}-metrics-"))
    try:
        metrics.enable(namespace, folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def answering_process(
    namespace: str, folder: Path, host: str, port: int, sources: Sources
) -> Iterator[None]:
    """Serve ``GET /metrics`` from a process of its own until the block ends. Raises
    ConfigurationError if the port is in use."""
    require_free("metrics port", host, port)
    process = multiprocessing.Process(
        target=_answer, args=(namespace, folder, host, port, sources, os.getpid()), name="metrics"
    )
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join(STOP_SECONDS)


def require_free(name: str, host: str, port: int) -> None:
    """Raises ConfigurationError if the port is in use: the process would end after the start."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((host, port))
        except OSError as error:
            raise ConfigurationError(f"the {name} {host}:{port} is not free") from error


def _answer(
    namespace: str, folder: Path, host: str, port: int, sources: Sources, main: int
) -> None:
    """Answer until stopped, or until the main process has ended."""
    # Ctrl-C reaches all processes; the main one stops this one last.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if not metrics.is_enabled():
        # Where processes are not forked.
        metrics.enable(namespace, folder)
    exposition = metrics.Exposition(sources(main))
    with answering(host, port, lambda: {"status": "ok"}, exposition):
        while os.getppid() == main:
            time.sleep(WATCH_SECONDS)
    # It was killed, and cannot remove it.
    shutil.rmtree(folder, ignore_errors=True)
