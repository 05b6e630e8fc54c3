"""What is wrong with the registration data of a client; every fault is found at once."""

from __future__ import annotations

import re

from idp import outbound
from idp.clients.client_data import SIGNING_ALGS, ClientData
from idp.errors import Invalid
from idp.mfa.second_factor_rule import Rule
from idp.models import AccountKind, AuthMethod
from idp.networks import NetworkSet
from idp.policy.names import printable
from idp.policy.redirect_uri import registration_fault
from idp.policy.scopes import (
    ACRS,
    GRANT_TYPES,
    PERSON_ID_ATTRIBUTES,
    PUSHED_KINDS,
    PushOperation,
    is_scope_token,
    obtainable,
)
from idp.transaction import UnitOfWork

MAX_KEYS = 10


_ORIGIN = re.compile(r"https?://[a-z0-9.:\[\]-]+")


def check(work: UnitOfWork, data: ClientData) -> None:
    """Raises Invalid with all faults."""
    faults = [*_text_faults(data), *_choice_faults(data), *_uri_faults(work, data)]
    if faults:
        raise Invalid("; ".join(faults))


def _text_faults(data: ClientData) -> list[str]:
    faults = []
    if not data.name or len(data.name) > 200 or not printable(data.name):
        faults.append("the name is 1 to 200 printable characters")
    if len(data.description) > 500 or not printable(data.description):
        faults.append("the description is at most 500 printable characters")
    return faults


def _choice_faults(data: ClientData) -> list[str]:
    public = data.auth_method == AuthMethod.NONE
    checks = {
        f"auth_method is one of {', '.join(AuthMethod)}": data.auth_method in list(AuthMethod),
        f"grant_types are among {', '.join(GRANT_TYPES)}": set(data.grant_types)
        <= set(GRANT_TYPES),
        f"private_key_jwt needs 1 to {MAX_KEYS} keys, and nothing else has any": (
            0 < len(data.keys) <= MAX_KEYS if data.auth_method == AuthMethod.KEY else not data.keys
        ),
        "only private_key_jwt has an audience of its assertions": (
            not data.token_endpoint_audience or data.auth_method == AuthMethod.KEY
        ),
        "a public client cannot use client_credentials": not (
            public and "client_credentials" in data.grant_types
        ),
        "refresh_token needs authorization_code": "refresh_token" not in data.grant_types
        or "authorization_code" in data.grant_types,
        "scopes are words of printable ASCII": all(map(is_scope_token, data.scopes)),
        "PKCE can be waived for a confidential client only": data.require_pkce or not public,
        f"id_token_alg is one of {', '.join(SIGNING_ALGS)}": data.id_token_alg in SIGNING_ALGS,
        f"access_token_alg is one of {', '.join(SIGNING_ALGS)}": data.access_token_alg
        in SIGNING_ALGS,
        f"account_kinds are one or several of {', '.join(AccountKind)}": bool(data.account_kinds)
        and set(data.account_kinds) <= set(AccountKind),
        "access_token_format is jwt or opaque": data.access_token_format in ("jwt", "opaque"),
        f"minimum_acr is one of {', '.join(ACRS)}": data.minimum_acr is None
        or data.minimum_acr in ACRS,
        f"second_factor must be one of {', '.join(Rule)}": data.second_factor in ("", *Rule),
        f"push_operations are among {', '.join(PushOperation)}": set(data.push_operations)
        <= set(PushOperation),
        "a participant number is 1 to 20 ASCII characters": all(
            0 < len(number) <= 20 and number.isascii() and number.isprintable()
            for number in (*data.push_participants, data.push_default_participant or "0")
        ),
        f"push_person_id is one of {', '.join(PERSON_ID_ATTRIBUTES)}": data.push_person_id
        in ("", *PERSON_ID_ATTRIBUTES),
        # Machine accounts have networks, for which SCIM has no standard attribute.
        f"push_account_kind is one of {', '.join(PUSHED_KINDS)}": data.push_account_kind
        in PUSHED_KINDS,
        "push_default_participant is one of push_participants": not data.push_participants
        or data.push_default_participant in ("", *data.push_participants),
    }
    faults = [fault for fault, holds in checks.items() if not holds]
    never = [scope for scope in data.scopes if not obtainable(scope, data.grant_types)]
    if never:
        listed = ", ".join(f"{scope!a}" for scope in never)
        faults.append(f"with these grant types it can never get the scope {listed}")
    return faults


def _uri_faults(work: UnitOfWork, data: ClientData) -> list[str]:
    native = data.auth_method == AuthMethod.NONE
    development = work.settings.is_loopback_http
    faults = []
    logout_uri = data.backchannel_logout_uri
    groups = (
        ("redirect URI", data.redirect_uris, native),
        ("post-logout redirect URI", data.post_logout_redirect_uris, native),
        ("home URL", (data.home_url,) if data.home_url else (), native),
        # The gateway calls this URI, so it cannot be a native application's.
        ("back-channel logout URI", (logout_uri,) if logout_uri else (), False),
    )
    for label, uris, is_native in groups:
        for uri in uris:
            fault = registration_fault(uri, native=is_native, allow_loopback_http=development)
            if fault:
                faults.append(f"{label} {uri!a} {fault}")
    allowed = NetworkSet(work.settings.outbound_networks)
    if logout_uri and (fault := outbound.url_fault(logout_uri, allowed)):
        faults.append(f"back-channel logout URI {logout_uri!a} {fault}")
    if "authorization_code" in data.grant_types and not data.redirect_uris:
        faults.append("authorization_code needs a redirect URI")
    faults += [
        f"origin {origin!a} is not scheme://host[:port]"
        for origin in data.allowed_origins
        if not _ORIGIN.fullmatch(origin)
    ]
    return faults
