"""Grants, what is issued under them, and the keys that sign tokens.

May touch grants, authorization codes, device authorizations, refresh tokens, access tokens and
signing keys. Codes and refresh tokens are stored as keyed digests. One conditional UPDATE spends
them, so of simultaneous requests exactly one succeeds (RFC 6749 sections 4.1.2 and 10.5, RFC 9700
section 4.14). Nothing here knows the parameters, formats or errors of the protocol: ``idp.oidc``
does.
"""

__all__ = [
    "access_tokens",
    "authorization_codes",
    "device_authorizations",
    "grant_lifecycle",
    "refresh_tokens",
    "signing_keys",
]
