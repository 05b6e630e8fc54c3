"""Access tokens as the gateway issues them, with a key of the tests."""

from __future__ import annotations

from typing import Any

from flask import Flask
from joserfc import jwt
from joserfc.jwk import ECKey

from registration.gateway_keys import GatewayKeys
from tests.registration.participant import NOW

KEY = ECKey.generate_key("P-256", {"kid": "k1", "use": "sig", "alg": "ES256"})
SCOPES = "openid registration.read registration.write"


def trust_our_key(app: Flask) -> None:
    """This key is that of the gateway."""
    jwks = {"keys": [KEY.as_dict(private=False)]}
    clock = app.extensions["runtime"].ports.clock
    app.extensions["gateway_keys"] = GatewayKeys(lambda: jwks, clock.now)


def access_token(
    person_id: str, *, key: ECKey = KEY, header: dict[str, Any] | None = None, **change: Any
) -> str:
    """A token of this person, signed in a minute ago; ``change`` has other claims, None: without
    it."""
    now = int(NOW.timestamp())
    claims = {
        "iss": "http://localhost:8000", "aud": "urn:ieso:registration:api", "jti": "j1",
        "sub": f"scim-{person_id}", "client_id": "program", "scope": SCOPES, "iat": now - 60,
        "exp": now + 240, "auth_time": now - 60, "acr": "urn:ieso:acr:mfa", "amr": ["pwd", "otp"],
    } | change  # fmt: skip
    head = {"alg": "ES256", "typ": "at+jwt", "kid": "k1"} | (header or {})
    return jwt.encode(head, {name: one for name, one in claims.items() if one is not None}, key)
