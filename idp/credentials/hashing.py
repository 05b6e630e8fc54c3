"""Password hashes: bcrypt over a keyed pre-hash.

bcrypt reads 72 bytes at most; the pre-hash (HMAC-SHA-256 under a pepper, 44 characters of
base64) lets any length count in full. Stored as ``v1$<pepper id>$<bcrypt>``. bcrypt releases the
GIL, so hashing runs beside other requests; a lane keeps it to the number of cores, so that
sign-ins queue among themselves instead of starving everything else.
"""

from __future__ import annotations

import hmac
import os
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

import bcrypt

from idp.errors import Overloaded
from idp.policy.password import normalize
from idp.settings import Settings

SCHEME = "v1"
#: Where nobody bounds the threads: commands and the worker have few.
MAX_WAITING = 1000
#: Nobody waits longer for a turn: a busy machine says so while the person is still there.
MAX_WAIT_SECONDS = 10


class HashingLimiter:
    """So many hashes at once, and so many waiting for so many seconds; whoever comes then, or has
    waited for so long, is told to come again."""

    def __init__(self, slots: int, waiting: int, seconds: float = MAX_WAIT_SECONDS) -> None:
        self._seconds = seconds
        #: Threads that can be in the lane, hashing or waiting.
        self.most = slots + waiting
        self._admitted = threading.Semaphore(self.most)
        self._slots = threading.Semaphore(slots)

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Wait for a slot and keep it. Raises Overloaded when too many wait already, or when it
        takes too long."""
        if not self._admitted.acquire(blocking=False):
            raise Overloaded("too many password hashes wait")
        try:
            if not self._slots.acquire(timeout=self._seconds):
                raise Overloaded("a password hash waited too long")
            try:
                yield
            finally:
                self._slots.release()
        finally:
            self._admitted.release()


class PasswordHasher:
    """Makes and checks hashes by the settings' cost and peppers. Each raises Overloaded when its
    lane is full: nothing was tried then, and nothing counts."""

    def __init__(self, settings: Settings, lane: HashingLimiter | None = None) -> None:
        self._limiter = lane or HashingLimiter(os.cpu_count() or 1, MAX_WAITING)
        pairs = (pepper.partition(":") for pepper in settings.password_peppers)
        self._peppers = {kid: value.encode() for kid, _, value in pairs}
        self._current = next(iter(self._peppers))
        self._cost = settings.bcrypt_cost
        # Checked when there is no account to check: unknown names cost the same time (N47).
        self._dummy = self.hash("no account has this password")

    def hash(self, password: str) -> str:
        """The stored form of a new password."""
        with self._limiter.slot():
            digest = bcrypt.hashpw(
                self._prehash(password, self._current), bcrypt.gensalt(self._cost)
            )
        return f"{SCHEME}${self._current}${digest.decode()}"

    def verify(self, password: str, stored: str | None) -> bool:
        """Whether ``password`` is the stored one. Always does the work of one check."""
        scheme, kid, digest = _split(stored or self._dummy)
        known = scheme == SCHEME and kid in self._peppers
        if not known:
            _, kid, digest = _split(self._dummy)
        with self._limiter.slot():
            matched = bcrypt.checkpw(self._prehash(password, kid), digest.encode())
        return matched and known and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Whether the hash has a lower cost or an older pepper than the settings ask for."""
        _, kid, digest = _split(stored)
        return kid != self._current or int(digest.split("$")[2]) < self._cost

    def _prehash(self, password: str, kid: str) -> bytes:
        raw = normalize(password).encode("utf-8", "surrogatepass")
        return b64encode(hmac.new(self._peppers[kid], raw, sha256).digest())


def _split(stored: str) -> tuple[str, str, str]:
    scheme, kid, digest = stored.split("$", 2)
    return scheme, kid, digest
