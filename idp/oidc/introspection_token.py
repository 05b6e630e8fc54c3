"""Answers of introspection as signed JWTs, so that a resource server can prove what it was told
(RFC 9701)."""

from __future__ import annotations

from typing import Any

from werkzeug.datastructures import MIMEAccept

from idp.models.records import AnyClient
from idp.oidc import tokens
from idp.oidc.jwks import KeyRing
from idp.transaction import UnitOfWork

#: A type of its own, so that an answer passes for no access token (section 8.1).
TYPE = "token-introspection+jwt"
MEDIA_TYPE = f"application/{TYPE}"


def is_asked_for(accepted: MIMEAccept) -> bool:
    """Whether a request names the media type, and does not prefer JSON (section 4)."""
    is_named = any(name == MEDIA_TYPE for name in accepted.values())
    quality = accepted.quality(MEDIA_TYPE)
    return is_named and 0 < quality >= accepted.quality("application/json")


def sign(work: UnitOfWork, ring: KeyRing, caller: AnyClient, answer: dict[str, Any]) -> str:
    """The JWT for the client that asked. It has no ``sub`` and no ``exp``, with which it could pass
    for an access token (section 5)."""
    claims = {
        "iss": work.settings.issuer,
        "aud": caller.client_id,
        "iat": tokens.seconds(work.now),
        "token_introspection": answer,
    }
    return ring.sign(work, caller.introspection_alg, TYPE, claims)
