"""What the provider issued: codes, tokens, grants, and the keys that sign them.

Codes and refresh tokens are found by digest and spent by one conditional UPDATE. Nothing here knows
the protocol's parameters, forms or errors (``idp.oidc``).
"""

__all__ = [
    "issuance",
    "signing_keys",
]
