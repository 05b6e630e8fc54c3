"""Grants, what is issued under them, and the keys that sign tokens.

May touch grants, authorization codes, refresh tokens, access tokens and signing keys. Codes and
refresh tokens are stored as keyed digests and spent by one conditional UPDATE, so that of any
number of simultaneous requests exactly one succeeds (RFC 6749 sections 4.1.2 and 10.5, RFC 9700
section 4.14). Nothing here knows the parameters, the formats or the errors of the protocol: those
are in ``idp.oidc``.
"""

__all__ = [
    "access_tokens",
    "authorization_codes",
    "grant_lifecycle",
    "refresh_tokens",
    "signing_keys",
]
