"""Password hashes: bcrypt over a keyed pre-hash.

bcrypt reads 72 bytes at most; the pre-hash (HMAC-SHA-256 under a pepper, 44 characters of
base64) lets any length count in full. Stored as ``v1$<pepper id>$<bcrypt>``. bcrypt releases the
GIL, so hashing runs beside other requests; a semaphore keeps it to the number of cores, so that
sign-ins queue among themselves instead of starving everything else.
"""

from __future__ import annotations

import hmac
import os
import threading
from base64 import b64encode
from hashlib import sha256

import bcrypt

from idp.policy.password import normalize
from idp.settings import Settings

SCHEME = "v1"
_slots = threading.BoundedSemaphore(os.cpu_count() or 1)


class PasswordHasher:
    """Makes and checks hashes by the settings' cost and peppers."""

    def __init__(self, settings: Settings) -> None:
        pairs = (pepper.partition(":") for pepper in settings.password_peppers)
        self._peppers = {kid: value.encode() for kid, _, value in pairs}
        self._current = next(iter(self._peppers))
        self._cost = settings.bcrypt_cost
        # Checked when there is no account to check: unknown names cost the same time (N47).
        self._dummy = self.hash("no account has this password")

    def hash(self, password: str) -> str:
        """The stored form of a new password."""
        with _slots:
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
        with _slots:
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
