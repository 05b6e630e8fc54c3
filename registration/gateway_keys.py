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

ALGORITHMS = ["RS256", "ES256"]
#: Keys are read again after this time, so that a key that was revoked ends here too.
FRESH = timedelta(minutes=5)
#: A token with an unknown key makes us read the keys at most this often.
PAUSE = timedelta(seconds=10)


class GatewayKeys:
    """The keys as last read. ``fetch`` reads the key set and may raise RequestException."""

    def __init__(self, fetch: Callable[[], Any], now: Callable[[], datetime]) -> None:
        self._fetch, self._now = fetch, now
        self._lock = threading.Lock()
        self._known: tuple[KeySet, datetime] | None = None

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
                self._known = (KeySet.import_key_set(self._fetch()), now)
            return self._known[0]
