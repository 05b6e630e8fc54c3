"""Password hashing: bcrypt over a keyed pre-hash.

bcrypt reads at most 72 bytes. The pre-hash (HMAC-SHA-256 under a pepper, as 44 characters of
base64) makes every character of a longer password count. Stored as ``v1$<pepper id>$<bcrypt>``.
bcrypt releases the GIL, so other requests continue during hashing. A limiter allows one hash per
core, so that sign-ins queue instead of slowing down all other requests.
"""

from __future__ import annotations

import hmac
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

import bcrypt

from idp.errors import Overloaded
from idp.policy.password import normalize
from idp.settings import Settings
from service_base import processors

SCHEME = "v1"
#: In the place of bcrypt's 184 bits of digest.
NO_DIGEST = "." * 31
#: The default for commands and the worker, which have few threads.
MAX_WAITING = 1000
#: The maximum wait for a slot, short enough to answer while the user still waits.
MAX_WAIT_SECONDS = 10


class HashingLimiter:
    """Limits concurrent hashes, the number of waiting threads and their waiting time. Beyond these
    limits the caller gets Overloaded."""

    def __init__(self, slots: int, waiting: int, seconds: float = MAX_WAIT_SECONDS) -> None:
        self._seconds = seconds
        #: Threads that hash or wait.
        self.most = slots + waiting
        self._admitted = threading.Semaphore(self.most)
        self._slots = threading.Semaphore(slots)

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Wait for a slot and hold it. Raises Overloaded if too many threads wait or the wait is
        too long."""
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
    """Hashes and verifies passwords with the configured cost and peppers. Every method raises
    Overloaded if the limiter is full; then nothing was verified and no failure is counted."""

    def __init__(self, settings: Settings, limiter: HashingLimiter | None = None) -> None:
        self._limiter = limiter or HashingLimiter(processors.usable(), MAX_WAITING)
        pairs = (pepper.partition(":") for pepper in settings.password_peppers)
        self._peppers = {kid: value.encode() for kid, _, value in pairs}
        self._current = next(iter(self._peppers))
        self._cost = settings.bcrypt_cost
        # Verified when there is no account, so that unknown names take the same time (N47). A
        # salt and a digest of no password: a hash made here would cost every start a quarter of a
        # second.
        salt = bcrypt.gensalt(self._cost).decode()
        self._dummy = f"{SCHEME}${self._current}${salt}{NO_DIGEST}"

    def hash(self, password: str) -> str:
        """The stored form of a new password."""
        with self._limiter.slot():
            digest = bcrypt.hashpw(
                self._prehash(password, self._current), bcrypt.gensalt(self._cost)
            )
        return f"{SCHEME}${self._current}${digest.decode()}"

    def verify(self, password: str, stored: str | None) -> bool:
        """Whether ``password`` matches the stored hash. Always costs one hash, also without a
        stored one."""
        scheme, kid, digest = _split(stored or self._dummy)
        known = scheme == SCHEME and kid in self._peppers
        if not known:
            _, kid, digest = _split(self._dummy)
        with self._limiter.slot():
            matched = bcrypt.checkpw(self._prehash(password, kid), digest.encode())
        return matched and known and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Whether the hash has a lower cost or an older pepper than configured."""
        _, kid, digest = _split(stored)
        return kid != self._current or int(digest.split("$")[2]) < self._cost

    def _prehash(self, password: str, kid: str) -> bytes:
        raw = normalize(password).encode("utf-8", "surrogatepass")
        return b64encode(hmac.new(self._peppers[kid], raw, sha256).digest())


def _split(stored: str) -> tuple[str, str, str]:
    scheme, kid, digest = stored.split("$", 2)
    return scheme, kid, digest
