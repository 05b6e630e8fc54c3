"""Keys derived from the secret key: cookies, digests of session tokens, seals of the history, and
the encryption of ID tokens."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from hashlib import sha256

from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from registration.settings import Settings


class Keys:
    """The first key makes, all of them check. Stateless."""

    def __init__(self, settings: Settings) -> None:
        roots = (settings.secret_key, *settings.secret_key_fallbacks)
        self.cookie_keys = [_derive(root, "cookie").hex() for root in roots]
        self._digest_keys = [_derive(root, "session-digest") for root in roots]
        self._seal_keys = {_mac(key, "name")[:8]: key for key in self._derived(roots, "history")}
        sealing = [urlsafe_b64encode(key) for key in self._derived(roots, "id-token")]
        self._fernet = MultiFernet([Fernet(key) for key in sealing])

    @staticmethod
    def _derived(roots: tuple[str, ...], purpose: str) -> list[bytes]:
        return [_derive(root, purpose) for root in roots]

    def digests(self, token: str) -> list[str]:
        """The possible stored digests of a session token; the first one is stored."""
        return [_mac(key, token) for key in self._digest_keys]

    def seal(self, previous: str, record: str) -> str:
        """The seal of an entry of the history after the previous seal, with the key's name."""
        name, key = next(iter(self._seal_keys.items()))
        return f"{name}." + _mac(key, f"{previous}\n{record}")

    def is_seal_valid(self, previous: str, record: str, seal: str) -> bool:
        """Whether the seal is that of this entry after the previous seal."""
        name, _, value = seal.partition(".")
        key = self._seal_keys.get(name)
        return key is not None and hmac.compare_digest(_mac(key, f"{previous}\n{record}"), value)

    def encrypt(self, text: str) -> str:
        """Encrypt what must be read back."""
        return self._fernet.encrypt(text.encode()).decode()

    def decrypt(self, sealed: str) -> str:
        """Decrypt. Raises cryptography's InvalidToken."""
        return self._fernet.decrypt(sealed.encode()).decode()


def _derive(root: str, purpose: str) -> bytes:
    return HKDF(
        algorithm=SHA256(), length=32, salt=None, info=b"ieso-registration/" + purpose.encode()
    ).derive(root.encode())


def _mac(key: bytes, text: str) -> str:
    raw = hmac.new(key, text.encode("utf-8", "surrogatepass"), sha256).digest()
    return urlsafe_b64encode(raw).decode().rstrip("=")
