"""Authorization responses as signed JWTs, so that a client can verify who answers and that nobody
changed the answer (JARM: JWT Secured Authorization Response Mode for OAuth 2.0)."""

from __future__ import annotations

from idp.models.records import AnyClient
from idp.oidc import tokens
from idp.oidc.jwks import KeyRing
from idp.transaction import UnitOfWork

#: A type of its own, so that it passes for no other token (RFC 8725 section 3.11).
TYPE = "authorization-response+jwt"
#: Seconds until it expires; at most ten minutes (section 2.1).
LIFETIME = 120


def sign(work: UnitOfWork, ring: KeyRing, client: AnyClient, fields: list[tuple[str, str]]) -> str:
    """The JWT with the parameters of the response, ``iss`` among them."""
    claims = dict(fields) | {"aud": client.client_id, "exp": tokens.seconds(work.now) + LIFETIME}
    return ring.sign(work, client.authorization_response_alg, TYPE, claims)
