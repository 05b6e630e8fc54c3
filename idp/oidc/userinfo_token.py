"""Userinfo as a signed JWT, encrypted if that was registered too, for clients that registered an
algorithm (OIDC Core 5.3.2)."""

from __future__ import annotations

from typing import Any

from idp.models.records import AnyClient
from idp.oidc import encrypted_tokens
from idp.oidc.jwks import KeyRing
from idp.transaction import UnitOfWork

#: A type of its own, so that it passes for no ID token (RFC 8725 section 3.11).
TYPE = "userinfo+jwt"
MEDIA_TYPE = "application/jwt"


def sign(work: UnitOfWork, ring: KeyRing, client: AnyClient, claims: dict[str, Any]) -> str:
    """The JWT with the claims of the person. Raises NoEncryptionKey."""
    named = claims | {"iss": work.settings.issuer, "aud": client.client_id}
    token = ring.sign(work, client.userinfo_alg, TYPE, named)
    return encrypted_tokens.for_userinfo(work, client, token)
