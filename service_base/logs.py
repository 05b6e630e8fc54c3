"""Logs: one JSON object a line, whatever characters an event holds (N83). Each line has the ids of
the request that its thread works for (``service_base.request_ids``)."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from functools import cache, cached_property, partial
from json.encoder import encode_basestring_ascii
from typing import Any, TextIO

from service_base import request_ids

#: The loggers of this repository, by their first names.
OWN = ("gateway", "registration", "worker", "metrics", "tracing")
#: The configuration of Granian's own lines: they go where all others go.
OF_SERVER: dict[str, Any] = {"loggers": {"_granian": {"handlers": [], "propagate": True}}}
#: Writes the lines of this process.
_outputs: list[Output] = []
#: The line before the first one that can be written again; ``count`` are those of this process.
LOST = "log_lines_lost"


class Logger:
    """A logger of structlog. It is loaded for the first line, because most commands log none."""

    def __init__(self, name: str) -> None:
        self._name = name

    @cached_property
    def _loaded(self) -> Any:
        load()
        return _structlog().get_logger(self._name)

    def __getattr__(self, level: str) -> Any:
        return getattr(self._loaded, level)


class JsonLines(logging.Formatter):
    """One JSON object a record, of structlog or of the standard library."""

    def format(self, record: logging.LogRecord) -> str:
        return str(load().format(record))


@cache
def _structlog() -> Any:
    """structlog without rich, which it imports if it can, to draw on terminals: three quarters of
    the time and memory that structlog takes."""
    hidden = "rich" not in sys.modules
    if hidden:
        # Python imports nothing of this name meanwhile.
        sys.modules["rich"] = None  # type: ignore[assignment]
    try:
        import structlog
    finally:
        if hidden:
            sys.modules.pop("rich", None)
    return structlog


@cache
def load() -> logging.Formatter:
    """Connect structlog to the standard library's logging. Returns the formatter of both."""
    structlog = _structlog()
    shared: list[Any] = [
        _add_ids,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    formatter: logging.Formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=True),
        ],
    )
    return formatter


def _add_ids(_logger: Any, _level: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if (ids := request_ids.current()) is not None:
        for name, value in ids.in_line().items():
            line.setdefault(name, value)
    return line


class Output(logging.Handler):
    """Writes each line at once, unbuffered. A line that cannot be written, because the disk is full
    or whoever reads is gone, is lost and fails nothing; the next one that can be written follows a
    line that says how many were lost (R13)."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._write = _unbuffered(stream)
        self._lost = 0
        self._is_torn = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record of the standard library's logging."""
        try:
            line = self.format(record)
        except Exception:
            self.handleError(record)
            return
        self.put(line)

    def put(self, line: str) -> None:
        """Write one line."""
        with self.lock:  # type: ignore[union-attr]
            try:
                if self._lost:
                    about = _line("logs", "error", {"event": LOST, "count": self._lost})
                    self._put_whole(about)
                    self._lost = 0
                self._put_whole(line)
            except OSError:
                self._lost += 1

    def forget_losses(self) -> None:
        """Those of the process that this one was forked from are told by it."""
        self._lost, self._is_torn = 0, False

    def _put_whole(self, line: str) -> None:
        """Raises OSError; a part of the line may be there then, and ends before the next one."""
        left = f"\n{line}\n".encode() if self._is_torn else f"{line}\n".encode()
        while left:
            written = self._write(left)
            left = left[written:]
            self._is_torn = bool(left)


def _unbuffered(stream: TextIO) -> Callable[[bytes], int]:
    """Writes bytes and returns how many. A buffer would keep what a full disk refused, and fail
    again with each line after it."""
    try:
        number = stream.fileno()
    except OSError:
        # A stream in memory.
        def write(text: bytes) -> int:
            stream.write(text.decode())
            stream.flush()
            return len(text)

        return write
    return partial(os.write, number)


def forget_losses() -> None:
    """In a process that was forked."""
    for output in _outputs:
        output.forget_losses()


os.register_at_fork(after_in_child=forget_losses)


def configure(level: str, stream: TextIO | None = None) -> None:
    """Send structlog and the standard library's logging to ``stream``, which is stderr unless it is
    given, as JSON lines. Libraries write no lines below INFO: some would write whole tokens and
    addresses (N84)."""
    output = Output(sys.stderr if stream is None else stream)
    output.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers = [output]
    root.setLevel(max(logging.getLevelNamesMapping()[level], logging.INFO))
    for name in OWN:
        logging.getLogger(name).setLevel(level)
    _outputs[:] = [output]


def write_info(logger: logging.Logger, event: str, fields: str) -> None:
    """Write a line as ``structlog`` would, for a tenth of the cost. ``fields`` are members of its
    JSON object (``member``), with the ids. For what each request logs."""
    if logger.isEnabledFor(logging.INFO):
        about = f'"event": "{event}", "level": "info", "logger": "{logger.name}"'
        line = f'{{{fields}{about}, "timestamp": "{_moment()}"}}'
        for output in _outputs:
            output.put(line)


def member(name: str, value: str | None) -> str:
    """A member of a JSON object, and the comma after it."""
    return f'"{name}": {"null" if value is None else encode_basestring_ascii(value)}, '


def _line(logger: str, level: str, fields: Mapping[str, Any]) -> str:
    return json.dumps({**fields, "level": level, "logger": logger, "timestamp": _moment()})


def _moment() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
