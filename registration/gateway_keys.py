"""The public keys of the gateway, and the tokens signed with them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from joserfc import jwt
from joserfc.errors import InvalidKeyIdError
from joserfc.jwk import KeySet
from joserfc.jwt import Token
from requests import RequestException

ALGORITHMS = ["RS256", "ES256"]
#: Keys are read again after this time, so that a key that was revoked ends here too.
FRESH = timedelta(minutes=5)
#: For a token with an unknown key, and while the gateway is away, they are read at most this often.
PAUSE = timedelta(seconds=10)


class GatewayKeys:
    """The keys as last read. ``fetch`` reads the key set and may raise RequestException."""

    def __init__(self, fetch: Callable[[], Any], now: Callable[[], datetime]) -> None:
        self._fetch, self._now = fetch, now
        self._lock = threading.Lock()
        self._known: tuple[KeySet, datetime] | None = None
        self._failed_at: datetime | None = None

    def decode(self, token: str) -> Token:
        """Header and claims of a token with a valid signature; the caller checks the claims. Raises
        JoseError, ValueError, or RequestException if the keys cannot be read."""
        try:
            return jwt.decode(token, self._keys(FRESH), ALGORITHMS)
        except InvalidKeyIdError:
            return jwt.decode(token, self._keys(PAUSE), ALGORITHMS)

    def _keys(self, most: timedelta) -> KeySet:
        with self._lock:
            now = self._now()
            if self._known is None or now - self._known[1] >= most:
                self._known = (KeySet.import_key_set(self._read(now)), now)
            return self._known[0]

    def _read(self, now: datetime) -> Any:
        """The key set. Threads do not wait one after the other for a gateway that is away."""
        if self._failed_at is not None and now - self._failed_at < PAUSE:
            raise RequestException("the gateway did not answer a moment ago")
        self._failed_at = now
        found = self._fetch()
        self._failed_at = None
        return found
