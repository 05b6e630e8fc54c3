"""Signed tokens, encrypted for clients that registered that (OIDC Core 10.2): a JWS inside a JWE.

A client without a usable key gets nothing, never a token that is not encrypted.
"""

from __future__ import annotations

from idp.clients import client_keys
from idp.errors import ServiceError
from idp.models.records import AnyClient
from idp.transaction import UnitOfWork

NO_KEY = "The gateway has no key of this client for encryption. Check its jwks_uri."


class NoEncryptionKey(ServiceError):
    """There is no key of the client for its algorithm now."""

    code = "no_encryption_key"


def has_key(work: UnitOfWork, client: AnyClient) -> bool:
    """Whether the client can get ID tokens: they are not encrypted, or there is a key."""
    alg = client.id_token_encryption_alg
    return not alg or client_keys.to_encrypt(work, client, alg) is not None


def for_id_tokens(work: UnitOfWork, client: AnyClient, token: str) -> str:
    """An ID token or logout token (Back-Channel Logout 1.0 section 2.4) as the client registered
    it. Raises NoEncryptionKey."""
    alg, enc = client.id_token_encryption_alg, client.id_token_encryption_enc
    return _encrypted(work, client, alg, enc, token) if alg else token


def for_userinfo(work: UnitOfWork, client: AnyClient, token: str) -> str:
    """Signed userinfo as the client registered it. Raises NoEncryptionKey."""
    alg, enc = client.userinfo_encryption_alg, client.userinfo_encryption_enc
    return _encrypted(work, client, alg, enc, token) if alg else token


def _encrypted(work: UnitOfWork, client: AnyClient, alg: str, enc: str, token: str) -> str:
    from joserfc import jwe  # few clients need it
    from joserfc.jwk import ECKey, RSAKey

    key = client_keys.to_encrypt(work, client, alg)
    if key is None:
        raise NoEncryptionKey(client.client_id)
    kind = ECKey if key["kty"] == "EC" else RSAKey
    members = {name: value for name, value in key.items() if name not in ("use", "alg")}
    header = {"alg": alg, "enc": enc, "kid": key["kid"], "cty": "JWT"}
    return jwe.encrypt_compact(header, token, kind.import_key(members), algorithms=[alg, enc])
