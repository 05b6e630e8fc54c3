"""The ids of what a thread works for: they are in every line of the log.

A request belongs to a trace (W3C Trace Context). What it leaves for the worker keeps both as a
``traceparent``, so that the lines of the worker name the request too. The id of a request is the
one of its span.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from service_base.addresses import is_trusted_proxy

#: The first version has exactly these four fields; later ones may have more (section 3.2.4).
_TRACEPARENT = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>(?!0{32})[0-9a-f]{32})-(?P<span>(?!0{16})[0-9a-f]{16})"
    r"-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?"
)
_SAMPLED = 1
_SEVERAL = 2


@dataclass(slots=True)
class RequestIds:
    """The ids of a request, or of work of the worker."""

    trace_id: str
    #: 16 hexadecimal digits; empty for work that no request asked for.
    request_id: str
    #: The span that this one continues; empty if it begins a trace.
    parent_id: str = ""
    is_sampled: bool = False
    #: The account that asks, and those that the request is about, by their subjects.
    _asking: str = ""
    _concerned: tuple[str, ...] = ()
    #: The open span and what closes it (``service_base.tracing``).
    span: Any = None
    context: Any = None

    @property
    def account(self) -> str:
        """The subject of the account that asks; else of the only one that the request is about."""
        if self._asking or len(self._concerned) != 1:
            return self._asking
        return self._concerned[0]

    @property
    def traceparent(self) -> str | None:
        """The trace and the request, for what is done later (W3C Trace Context section 3.2); None
        without a request."""
        if not self.request_id:
            return None
        return f"00-{self.trace_id}-{self.request_id}-{int(self.is_sampled):02x}"

    def in_line(self) -> dict[str, str]:
        """The ids for a line of the log."""
        found = {"trace_id": self.trace_id}
        if self.request_id:
            found["request_id"] = self.request_id
        if (self._asking or self._concerned) and (account := self.account):
            found["account"] = account
        return found

    def is_asked_by(self, subject: str) -> None:
        """This account asks."""
        self._asking = subject

    def concerns(self, subject: str) -> None:
        """The request is about this account."""
        if len(self._concerned) < _SEVERAL and subject not in self._concerned:
            self._concerned += (subject,)


_current: ContextVar[RequestIds | None] = ContextVar("request_ids", default=None)


def current() -> RequestIds | None:
    """The ids of what this thread works for."""
    return _current.get()


def trusted_traceparent(sent: str | None, peer: str, trusted: tuple[str, ...]) -> str | None:
    """The ``traceparent`` that a trusted proxy sent. Others could mix their requests into the trace
    of somebody else, or have all of theirs recorded."""
    return sent if sent is not None and is_trusted_proxy(peer, trusted) else None


def of_request(traceparent: str | None) -> RequestIds:
    """Ids for a new request, in the trace that ``traceparent`` names. Without a valid one it begins
    a trace of its own."""
    random = os.urandom(24).hex()
    found = _parsed(traceparent) if traceparent else None
    if found is None:
        return RequestIds(random[:32], random[32:])
    return RequestIds(found.trace_id, random[32:], found.request_id, found.is_sampled)


def of_work(traceparent: str | None) -> RequestIds:
    """Ids for work that a request left, or that none asked for."""
    found = _parsed(traceparent) if traceparent else None
    return found or RequestIds(os.urandom(16).hex(), "")


def _parsed(traceparent: str) -> RequestIds | None:
    """The ids of the request that a ``traceparent`` names; None if it is not valid."""
    found = _TRACEPARENT.fullmatch(traceparent)
    if found is None or found["version"] == "ff" or (found["version"] == "00" and found["more"]):
        return None
    is_sampled = bool(int(found["flags"], 16) & _SAMPLED)
    return RequestIds(found["trace"], found["span"], found["span"], is_sampled)


def begin(ids: RequestIds) -> None:
    """This thread works for it until ``end``."""
    _current.set(ids)


def end() -> RequestIds | None:
    """The thread has done its work."""
    ids = _current.get()
    _current.set(None)
    return ids


@contextmanager
def used(ids: RequestIds) -> Iterator[RequestIds]:
    """The block works for it."""
    token = _current.set(ids)
    try:
        yield ids
    finally:
        _current.reset(token)


def is_asked_by(subject: str) -> None:
    """The request of this thread is asked by this account."""
    if (ids := _current.get()) is not None:
        ids.is_asked_by(subject)


def concerns(subject: str) -> None:
    """The request of this thread is about this account."""
    if (ids := _current.get()) is not None:
        ids.concerns(subject)


def traceparent() -> str | None:
    """The request of this thread, for what is done later."""
    ids = _current.get()
    return ids.traceparent if ids is not None else None
