"""Keyed digests of random tokens, and encryption of values that must be read back.

One-time secrets and tokens are random (at least 128 bits), so a keyed digest is sufficient; slow
hashing is for chosen passwords (``idp.credentials.hashing``).
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Iterable

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from idp.errors import ConfigurationError
from idp.settings import Settings


class Vault:
    """Keys derived from the settings. Stateless."""

    def __init__(self, settings: Settings) -> None:
        roots = (settings.secret_key, *settings.secret_key_fallbacks)
        digest_keys = [_derive(root, b"token-digest") for root in roots]
        #: With their keys already in them. They are copied, never changed.
        self._digests = tuple(hmac.new(key, digestmod="sha256") for key in digest_keys)
        chain = [_derive(root, b"audit-chain") for root in (*roots, *settings.audit_keys)]
        #: By key id; the first one seals.
        self._chain_keys = {_mac(key, "name")[:8]: key for key in chain}
        self.cookie_keys = [_derive(root, b"cookie").hex() for root in roots]
        secret = settings.pairwise_secret
        self._pairwise_key = _derive(secret, b"pairwise-subject") if secret else None
        try:
            keys = [Fernet(key) for key in settings.key_encryption_keys]
            self._fernet = MultiFernet(keys)
        except ValueError as error:
            raise ConfigurationError(
                "IDP_KEY_ENCRYPTION_KEYS must hold Fernet keys (32 bytes, base64url)"
            ) from error
        self._newest = keys[0]

    def digest(self, purpose: str, value: str) -> str:
        """The stored form of a secret: HMAC-SHA-256, bound to its purpose."""
        return _keyed(self._digests[0], f"{purpose}\0{value}")

    def digests(self, purpose: str, value: str) -> list[str]:
        """The possible stored digests of a secret, newest key first."""
        return [_keyed(digest, f"{purpose}\0{value}") for digest in self._digests]

    def matches(self, purpose: str, value: str, stored: str) -> bool:
        """Whether ``value`` has the digest ``stored``; constant time for each key."""
        return is_among(self.digests(purpose, value), stored)

    def seal_record(self, previous: str, record: str) -> str:
        """The seal of an audit record over the previous seal, with the key id."""
        name, key = next(iter(self._chain_keys.items()))
        return f"{name}." + _mac(key, f"{previous}\n{record}")

    def is_record_seal_valid(self, previous: str, record: str, seal: str) -> bool | None:
        """Whether ``seal`` is valid for this record after ``previous``; None if its key is not
        available. Seals of earlier versions have no key id: all keys are tried."""
        name, dot, value = seal.partition(".")
        if not dot:
            name, value, keys = "", seal, list(self._chain_keys.values())
        elif name in self._chain_keys:
            keys = [self._chain_keys[name]]
        else:
            return None
        made = [_mac(key, f"{previous}\n{record}") for key in keys]
        return any(hmac.compare_digest(each, value) for each in made)

    def pairwise_subject(self, sector: str, subject: str) -> str:
        """The subject of an account for the clients of a sector (OIDC Core section 8.1). Other
        sectors cannot find out that it is the same account. Raises ConfigurationError without the
        secret."""
        if self._pairwise_key is None:
            raise ConfigurationError("pairwise subjects need IDP_PAIRWISE_SECRET")
        return _mac(self._pairwise_key, f"{sector}\0{subject}")

    def encrypt(self, text: str) -> str:
        """Encrypt text that must be read back (private keys, mails with links)."""
        return self._fernet.encrypt(text.encode()).decode()

    def decrypt(self, sealed: str) -> str:
        """Decrypt. Raises ConfigurationError if the key is no longer configured."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            raise ConfigurationError("no configured key opens this sealed value") from error

    def is_newest(self, sealed: str) -> bool:
        """Whether the first of the configured keys encrypted it."""
        try:
            self._newest.decrypt(sealed.encode())
        except InvalidToken:
            return False
        return True

    def encrypt_again(self, sealed: str) -> str:
        """The same text, encrypted with the first of the configured keys. Raises ConfigurationError
        if no configured key opens it."""
        return self.encrypt(self.decrypt(sealed))


def is_among(digests: Iterable[str], stored: str) -> bool:
    """Whether one of the possible digests is the stored one; constant time for each."""
    found = False
    for candidate in digests:
        found |= hmac.compare_digest(candidate, stored)
    return found


def _derive(root: str, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"ieso-gateway/" + purpose).derive(
        root.encode()
    )


def _mac(key: bytes, text: str) -> str:
    return _keyed(hmac.new(key, digestmod="sha256"), text)


def _keyed(digest: hmac.HMAC, text: str) -> str:
    """The digest of a text, by a copy that has the key."""
    made = digest.copy()
    # Parameters can contain lone surrogates: they must give a digest, not an error.
    made.update(text.encode("utf-8", "surrogatepass"))
    return urlsafe_b64encode(made.digest()).decode().rstrip("=")
