"""The keys of clients that publish them at a ``jwks_uri``, kept in the memory of each process.

They are fetched when they are needed for the first time, when they are old, and when a token names
an unknown key, but never more often than a minute. While a host does not answer, its last keys
count for some hours. A slow host holds few threads, for a few seconds each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import BoundedSemaphore, Event, Lock, Thread
from typing import TYPE_CHECKING

from service_base import logs

if TYPE_CHECKING:
    from idp.credentials.assertions import PublicKey

log = logs.Logger("gateway.keys")
#: After this time keys are fetched again; without an answer they count this long.
FRESH, KEPT = timedelta(minutes=10), timedelta(hours=4)
#: Between two attempts.
REST = timedelta(minutes=1)
#: So many threads of a process wait for hosts at once, so long (seconds).
MAX_WAITING, WAIT_SECONDS = 4, 4


@dataclass
class _Host:
    """What is known of one address."""

    tried_at: datetime
    fetched_at: datetime | None = None
    keys: tuple[PublicKey, ...] = ()
    names: frozenset[str] = frozenset()
    #: Set when the attempt is over.
    attempt: Event | None = None


class KeyHosts:
    """The keys by address. Thread-safe."""

    def __init__(self, read: Callable[[str], bytes]) -> None:
        self._read = read
        self._hosts: dict[str, _Host] = {}
        self._lock = Lock()
        self._places = BoundedSemaphore(MAX_WAITING)

    def keys(self, uri: str, now: datetime) -> tuple[PublicKey, ...]:
        """The keys that count now, without fetching."""
        host = self._hosts.get(uri)
        return host.keys if host and _is_within(host.fetched_at, KEPT, now) else ()

    def is_due(self, uri: str, names: Iterable[str], now: datetime) -> bool:
        """Whether to fetch the keys before a token of the key ``names`` is verified."""
        host = self._hosts.get(uri)
        if host is None:
            return True
        if host.attempt is not None:
            return not self.keys(uri, now)
        if _is_within(host.tried_at, REST, now):
            return False
        if not _is_within(host.fetched_at, FRESH, now):
            return True
        return any(name not in host.names for name in names)

    def fetch(self, uri: str, now: datetime) -> None:
        """Fetch the keys, or wait for the attempt of another thread. Returns after some seconds at
        the latest, and at once if too many threads wait."""
        if not self._places.acquire(blocking=False):
            log.warning("key_hosts_busy", uri=_shown(uri))
            return
        try:
            self._attempt(uri, now).wait(WAIT_SECONDS)
        finally:
            self._places.release()

    def _attempt(self, uri: str, now: datetime) -> Event:
        """The attempt that runs, or a new one."""
        with self._lock:
            host = self._hosts.get(uri)
            if host is None:
                self._forget_unused(now)
                host = self._hosts[uri] = _Host(tried_at=now)
            if host.attempt is not None:
                return host.attempt
            host.tried_at, host.attempt = now, Event()
            attempt = host.attempt
        Thread(target=self._run, args=(uri, host, now), daemon=True).start()
        return attempt

    def _run(self, uri: str, host: _Host, now: datetime) -> None:
        from idp.clients import key_documents

        found = None
        try:
            found = key_documents.parse(self._read(uri))
        except key_documents.BadDocument as error:
            log.warning("key_set_refused", uri=_shown(uri), fault=str(error))
        except (OSError, ValueError) as error:
            # Those of requests too.
            log.warning("key_host_failed", uri=_shown(uri), fault=type(error).__name__)
        finally:
            with self._lock:
                attempt, host.attempt = host.attempt, None
                if found is not None:
                    (host.keys, host.names), host.fetched_at = found, now
            if attempt is not None:
                attempt.set()

    def _forget_unused(self, now: datetime) -> None:
        for uri, host in list(self._hosts.items()):
            if host.attempt is None and not _is_within(host.tried_at, KEPT, now):
                del self._hosts[uri]


def _is_within(since: datetime | None, period: timedelta, now: datetime) -> bool:
    """Whether the time since then is shorter. Never after the clock was set back."""
    return since is not None and timedelta(0) <= now - since < period


def _shown(uri: str) -> str:
    return uri.split("?")[0]
