"""Logs: one JSON object a line, whatever characters an event holds (N83). Each line has the ids of
the request that its thread works for (``service_base.request_ids``)."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from functools import cache, cached_property
from typing import Any

from service_base import request_ids

#: The loggers of this repository, by their first names.
OWN = ("gateway", "registration", "worker", "metrics", "tracing")
#: The configuration of Granian's own lines: they go where all others go.
OF_SERVER: dict[str, Any] = {"loggers": {"_granian": {"handlers": [], "propagate": True}}}
#: Writes the lines of this process.
_handlers: list[logging.StreamHandler[Any]] = []


class Logger:
    """A logger of structlog. It is loaded for the first line, because most commands log none and
    structlog imports what draws on terminals."""

    def __init__(self, name: str) -> None:
        self._name = name

    @cached_property
    def _loaded(self) -> Any:
        import structlog

        load()
        return structlog.get_logger(self._name)

    def __getattr__(self, level: str) -> Any:
        return getattr(self._loaded, level)


class JsonLines(logging.Formatter):
    """One JSON object a record, of structlog or of the standard library."""

    def format(self, record: logging.LogRecord) -> str:
        return str(load().format(record))


@cache
def load() -> logging.Formatter:
    """Connect structlog to the standard library's logging. Returns the formatter of both."""
    import structlog

    shared: list[structlog.typing.Processor] = [
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
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=True),
        ],
    )


def _add_ids(_logger: Any, _level: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if (ids := request_ids.current()) is not None:
        for name, value in ids.in_line().items():
            line.setdefault(name, value)
    return line


def configure(level: str) -> None:
    """Send structlog and the standard library's logging to stderr as JSON lines. Libraries write no
    lines below INFO: some would write whole tokens and addresses (N84)."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(logging.getLevelNamesMapping()[level], logging.INFO))
    for name in OWN:
        logging.getLogger(name).setLevel(level)
    _handlers[:] = [handler]


def write_info(logger: str, event: str, fields: Mapping[str, Any]) -> None:
    """Write a line as ``structlog`` would, for a tenth of the cost, with the ids that are among the
    fields. For what each request logs."""
    if not logging.getLogger(logger).isEnabledFor(logging.INFO):
        return
    moment = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    about = {"event": event, "level": "info", "logger": logger, "timestamp": moment}
    line = json.dumps({**fields, **about}) + "\n"
    for handler in _handlers:
        handler.acquire()
        try:
            handler.stream.write(line)
            handler.flush()
        except OSError:
            # A full disk loses lines of the log, as with every other logger. It fails no request.
            continue
        finally:
            handler.release()
