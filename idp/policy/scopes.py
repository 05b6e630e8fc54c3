"""Fixed vocabularies of the provider: scopes, grant types, authentication levels."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum

#: Scopes with personal data; not available to a client that acts for itself.
IDENTITY_SCOPES = (
    "openid",
    "profile",
    "email",
    "phone",
    "groups",
    "participants",
    "participant_groups",
    "offline_access",
)
#: The default scopes of a relying party.
PERSONAL_SCOPES = ("openid", "profile", "email", "groups", "participants")
#: Accepted without effect (OIDC Core 5.4).
IGNORED_SCOPES = ("address",)
#: RFC 8628.
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
#: RFC 8693.
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - a name
GRANT_TYPES = (
    "authorization_code",
    "refresh_token",
    "client_credentials",
    DEVICE_CODE,
    TOKEN_EXCHANGE,
)
#: With these a person allows an application to act for them.
BY_PERSON = ("authorization_code", DEVICE_CODE)

ACR_PASSWORD = "urn:ieso:acr:password"  # noqa: S105 - an assurance level, not a password
ACR_MFA = "urn:ieso:acr:mfa"
ACR_PHR = "phr"
#: Weakest first; a stronger level satisfies a weaker one.
ACRS = (ACR_PASSWORD, ACR_MFA, ACR_PHR)


#: Creates accounts and grants role groups by SCIM.
SCIM = "scim"

#: Standard SCIM attributes that may contain the Person ID, for clients without the extension.
PERSON_ID_ATTRIBUTES = ("externalId", "userName", "employeeNumber")
#: The kinds of account that such a client can create.
PUSHED_KINDS = ("personal", "email")


class PushOperation(StrEnum):
    """The operations that a client with the scope ``scim`` may be allowed."""

    READ = "read"
    CREATE = "create"
    #: Names, addresses, networks, custodians.
    UPDATE = "update"
    #: Role groups, by the User or the Group.
    GRANT = "grant"
    #: And restore.
    SUSPEND = "suspend"
    DEACTIVATE = "deactivate"


_SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,100}")


def is_scope_token(text: str) -> bool:
    """RFC 6749 section 3.3: ``scope-token``."""
    return bool(_SCOPE_TOKEN.fullmatch(text))


def satisfies(acr: str | None, wanted: str | None) -> bool:
    """Whether the level ``acr`` meets ``wanted``. An unknown level is never met."""
    if wanted is None:
        return True
    if wanted not in ACRS or acr not in ACRS:
        return False
    return ACRS.index(acr) >= ACRS.index(wanted)


def obtainable(scope: str, grant_types: Iterable[str]) -> bool:
    """Whether a client with these grant types can get this scope."""
    types = set(grant_types)
    if scope == "offline_access":
        return "refresh_token" in types
    if scope == "openid":
        return not types.isdisjoint(BY_PERSON)
    if scope in (*IDENTITY_SCOPES, *IGNORED_SCOPES):
        return bool(types & {*BY_PERSON, TOKEN_EXCHANGE})
    return bool(types & {*BY_PERSON, TOKEN_EXCHANGE, "client_credentials"})


def default_scopes(grant_types: Iterable[str]) -> tuple[str, ...]:
    """The scopes of a client with these grant types unless others are registered."""
    types = tuple(grant_types)
    return tuple(scope for scope in PERSONAL_SCOPES if obtainable(scope, types))


def parse_scope(text: str | None) -> tuple[str, ...] | None:
    """The distinct values of a scope parameter, or None if it is malformed."""
    words = tuple(dict.fromkeys((text or "").split(" ")))
    words = tuple(word for word in words if word)
    return words if all(map(is_scope_token, words)) else None


def within(asked: Iterable[str], allowed: Iterable[str]) -> bool:
    """Whether all requested scopes are allowed (ignored ones always are)."""
    return set(asked) <= set(allowed) | set(IGNORED_SCOPES)
