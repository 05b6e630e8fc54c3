"""The grant types, one file each. ``pipeline`` has the phases that all of them share.

A new grant type is a file with a ``GrantType`` value and its entry in ``GRANT_TYPES``. Its name
also goes into ``idp.policy.scopes.GRANT_TYPES``, from which clients and discovery take it.
"""

from idp.oidc.grants import (
    authorization_code,
    client_credentials,
    device_code,
    refresh_token,
    token_exchange,
)
from idp.oidc.grants.pipeline import GrantType

GRANT_TYPES: tuple[GrantType, ...] = (
    authorization_code.GRANT_TYPE,
    refresh_token.GRANT_TYPE,
    client_credentials.GRANT_TYPE,
    device_code.GRANT_TYPE,
    token_exchange.GRANT_TYPE,
)
