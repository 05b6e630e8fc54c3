"""A short memory of passwords that were verified, so that a program does not cost one bcrypt hash
for each request."""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Lock

#: A password that was verified is not hashed again for this long.
LIFETIME = timedelta(seconds=60)
MAX_ENTRIES = 10_000


class VerifiedPasswords:
    """Keyed digests of passwords that bcrypt verified, in the memory of this process. A digest
    covers the stored hash, so a new password ends it at once. State, network, lock and role group
    are looked up every time."""

    def __init__(self) -> None:
        self._expires: dict[str, datetime] = {}
        self._lock = Lock()

    def contains(self, digest: str, now: datetime) -> bool:
        """Whether the password was verified within the last minute."""
        expires = self._expires.get(digest)
        # A clock that was set back must not extend an entry.
        return expires is not None and now < expires <= now + LIFETIME

    def add(self, digest: str, now: datetime) -> None:
        """Add a digest. When the memory is full, remove expired entries, then all of them."""
        with self._lock:
            if len(self._expires) >= MAX_ENTRIES:
                self._expires = {key: end for key, end in self._expires.items() if end > now}
            if len(self._expires) >= MAX_ENTRIES:
                self._expires = {}
            self._expires[digest] = now + LIFETIME
