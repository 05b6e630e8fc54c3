"""What is wrong with the registration data of a client; every fault is found at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from idp import outbound
from idp.clients import logos
from idp.clients.client_data import ClientData
from idp.clients.client_refusals import (
    AccountKindsInvalid,
    ClientNameInvalid,
    DescriptionInvalid,
    FrenchNameInvalid,
    KeysMissingOrExcess,
    LogoUnknown,
    NotAmong,
    NotOneOf,
    OriginInvalid,
    RegistrationInvalid,
    RuleFault,
    RuleViolated,
    ScopeNotObtainable,
    UriInvalid,
    UriUse,
)
from idp.errors import Refusal
from idp.mfa.second_factor_rule import Rule
from idp.models import AccountKind, AuthMethod
from idp.networks import NetworkSet
from idp.policy.names import printable
from idp.policy.redirect_uri import MAX_LENGTH as MAX_URI
from idp.policy.redirect_uri import registration_fault
from idp.policy.registered_values import (
    CERTIFICATE,
    ENCRYPTION_ALGS,
    ENCRYPTION_ENCS,
    FAPI2_METHODS,
    KEY_METHODS,
    MAX_CLIENT_KEYS,
    SIGNING_ALGS,
    SIGNING_METHODS,
    TLS_METHODS,
    TlsSubjectField,
    can_encrypt,
    is_for_encryption,
)
from idp.policy.scopes import (
    ACRS,
    BY_PERSON,
    GRANT_TYPES,
    PERSON_ID_ATTRIBUTES,
    PUSHED_KINDS,
    SCIM,
    TOKEN_EXCHANGE,
    PushOperation,
    is_scope_token,
    obtainable,
)
from idp.settings import Settings
from idp.transaction import UnitOfWork

MAX_NAME, MAX_DESCRIPTION, MAX_AUDIENCE, MAX_SECTOR = 200, 500, 2000, 253
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_ORIGIN = re.compile(r"https?://[a-z0-9.:\[\]-]+")
#: The values that a field can have.
ONE_OF: dict[str, tuple[str | None, ...]] = {
    "auth_method": tuple(AuthMethod),
    "id_token_alg": SIGNING_ALGS,
    "authorization_response_alg": SIGNING_ALGS,
    "userinfo_alg": ("", *SIGNING_ALGS),
    "id_token_encryption_alg": ("", *ENCRYPTION_ALGS),
    "id_token_encryption_enc": ENCRYPTION_ENCS,
    "userinfo_encryption_alg": ("", *ENCRYPTION_ALGS),
    "userinfo_encryption_enc": ENCRYPTION_ENCS,
    "introspection_alg": SIGNING_ALGS,
    "access_token_alg": SIGNING_ALGS,
    "tls_subject_field": ("", *TlsSubjectField),
    "minimum_acr": (None, *ACRS),
    "second_factor": ("", *Rule),
    "push_person_id": ("", *PERSON_ID_ATTRIBUTES),
    # Machine accounts have networks, for which SCIM has no standard attribute.
    "push_account_kind": PUSHED_KINDS,
}
#: The values that the members of a field can have.
AMONG: dict[str, tuple[str, ...]] = {
    "grant_types": GRANT_TYPES,
    "push_operations": tuple(PushOperation),
}


def check(work: UnitOfWork, data: ClientData) -> None:
    """Raises RegistrationInvalid with all faults."""
    faults = (
        *_text_faults(data),
        *_choice_faults(data),
        *_rule_faults(data),
        *_certificate_faults(work.settings, data),
        *_sector_faults(work.settings, data),
        *_scope_faults(data),
        *_uri_faults(work, data),
        *([] if data.logo is None or logos.find(work, data.logo) else [LogoUnknown()]),
    )
    if faults:
        raise RegistrationInvalid(faults)


def _text_faults(data: ClientData) -> Iterator[Refusal]:
    if not data.name or len(data.name) > MAX_NAME or not printable(data.name):
        yield ClientNameInvalid(MAX_NAME)
    if len(data.name_fr) > MAX_NAME or not printable(data.name_fr):
        yield FrenchNameInvalid(MAX_NAME)
    for text in (data.description, data.description_fr):
        if len(text) > MAX_DESCRIPTION or not printable(text):
            yield DescriptionInvalid(MAX_DESCRIPTION)


def _choice_faults(data: ClientData) -> Iterator[Refusal]:
    for name, values in ONE_OF.items():
        if getattr(data, name) not in values:
            yield NotOneOf(name, tuple(value for value in values if value))
    for name, known in AMONG.items():
        if not set(getattr(data, name)) <= set(known):
            yield NotAmong(name, known)
    if not data.account_kinds or not set(data.account_kinds) <= set(AccountKind):
        yield AccountKindsInvalid(tuple(AccountKind))


def _rule_faults(data: ClientData) -> Iterator[Refusal]:
    public = data.auth_method == AuthMethod.NONE
    needs_keys, algs = data.auth_method in KEY_METHODS, _encryption_algs(data)
    # Any client may have keys and an address of them to be encrypted for.
    has_keys = bool(_signing_keys(data) or (data.jwks_uri and (needs_keys or not algs)))
    if has_keys != needs_keys or len(data.keys) > MAX_CLIENT_KEYS:
        yield KeysMissingOrExcess(MAX_CLIENT_KEYS)
    has_code = "authorization_code" in data.grant_types
    by_person = bool(set(data.grant_types) & set(BY_PERSON))
    exchanges = TOKEN_EXCHANGE in data.grant_types
    default = data.push_default_participant
    numbers = (*data.push_participants, default or "0")
    violated = {
        RuleFault.KEYS_AND_ADDRESS: bool(data.keys and data.jwks_uri),
        RuleFault.ENCRYPTION_KEY: not data.jwks_uri
        and not all(any(can_encrypt(key, alg) for key in data.keys) for alg in algs),
        RuleFault.ENCRYPTION_UNSIGNED: bool(data.userinfo_encryption_alg) and not data.userinfo_alg,
        RuleFault.ASSERTION_AUDIENCE: data.token_endpoint_audience
        and data.auth_method not in SIGNING_METHODS,
        RuleFault.PUBLIC_CREDENTIALS: public and "client_credentials" in data.grant_types,
        RuleFault.PUBLIC_EXCHANGE: public and exchanges,
        RuleFault.EXCHANGE_AUDIENCES: exchanges != bool(data.exchange_audiences)
        or (exchanges and not data.audience),
        RuleFault.AUDIENCE_TEXT: not all(map(_is_audience, data.exchange_audiences)),
        RuleFault.REFRESH_WITHOUT_CODE: "refresh_token" in data.grant_types and not by_person,
        RuleFault.SCOPE_CHARACTERS: not all(map(is_scope_token, data.scopes)),
        RuleFault.PKCE_WAIVED: public and not data.require_pkce,
        RuleFault.TOKEN_FORMAT: data.access_token_format not in ("jwt", "opaque"),
        RuleFault.FAPI2_METHOD: data.fapi2_security_profile
        and data.auth_method not in FAPI2_METHODS,
        RuleFault.PARTICIPANT_NUMBER: not all(map(_is_number, numbers)),
        RuleFault.DEFAULT_PARTICIPANT: bool(data.push_participants)
        and default not in ("", *data.push_participants),
        RuleFault.FRAME_ORIGIN: not _has_origin_of_redirects(data),
        RuleFault.NO_REDIRECT_URI: has_code and not data.redirect_uris,
    }
    yield from (RuleViolated(fault) for fault, is_violated in violated.items() if is_violated)


def _signing_keys(data: ClientData) -> list[dict[str, Any]]:
    return [key for key in data.keys if not is_for_encryption(key)]


def _encryption_algs(data: ClientData) -> list[str]:
    """The algorithms that need a key of the client. An unknown one is a fault of its own."""
    chosen = (data.id_token_encryption_alg, data.userinfo_encryption_alg)
    return [alg for alg in chosen if alg in ENCRYPTION_ALGS]


def _has_origin_of_redirects(data: ClientData) -> bool:
    """Whether the front-channel logout URI has scheme, host and port of a redirect URI (Front-
    Channel Logout 1.0 section 2), so that a page opens frames of the application only."""
    uri = data.frontchannel_logout_uri
    return not uri or _start(uri) in map(_start, data.redirect_uris)


def _start(uri: str) -> str:
    """Scheme and authority."""
    return "/".join(uri.split("/", 3)[:3]).partition("?")[0].lower()


def unavailable_methods(settings: Settings) -> tuple[AuthMethod, ...]:
    """The authentication methods for which the proxy of the gateway does not send what is
    needed."""
    if not settings.client_certificate_header:
        return TLS_METHODS
    return () if settings.client_certificate_verified_header else (AuthMethod.TLS,)


def _certificate_faults(settings: Settings, data: ClientData) -> Iterator[Refusal]:
    field, value = data.tls_subject_field, data.tls_subject
    has_field = data.auth_method == AuthMethod.TLS
    is_bound, is_self_signed = (
        data.certificate_bound_tokens,
        data.auth_method == AuthMethod.SELF_SIGNED_TLS,
    )
    has_header = bool(settings.client_certificate_header)
    violated = {
        RuleFault.CERTIFICATES_UNAVAILABLE: (is_bound and not has_header)
        or data.auth_method in unavailable_methods(settings),
        RuleFault.PUBLIC_CERTIFICATES: is_bound and data.auth_method == AuthMethod.NONE,
        RuleFault.TLS_SUBJECT: has_field != bool(field) or has_field != bool(value),
        RuleFault.TLS_SUBJECT_FORM: bool(field and value) and not _is_subject(field, value),
        RuleFault.KEY_WITHOUT_CERTIFICATE: is_self_signed
        and not all(CERTIFICATE in key for key in _signing_keys(data)),
    }
    yield from (RuleViolated(fault) for fault, is_violated in violated.items() if is_violated)


def _is_subject(field: str, value: str) -> bool:
    from idp.credentials import certificates

    return len(value) <= MAX_URI and certificates.is_subject_form(field, value)


def _sector_faults(settings: Settings, data: ClientData) -> Iterator[Refusal]:
    sector = data.sector_identifier
    if sector and not (len(sector) <= MAX_SECTOR and _HOST.fullmatch(sector)):
        yield RuleViolated(RuleFault.SECTOR_FORM)
    if sector and not settings.pairwise_secret:
        yield RuleViolated(RuleFault.SECTORS_UNAVAILABLE)
    if sector and SCIM in data.scopes:
        yield RuleViolated(RuleFault.SECTOR_OF_SCIM)


def _is_audience(text: str) -> bool:
    return 0 < len(text) <= MAX_AUDIENCE and text.isascii() and text.isprintable()


def _is_number(number: str) -> bool:
    return 0 < len(number) <= 20 and number.isascii() and number.isprintable()


def _scope_faults(data: ClientData) -> Iterator[Refusal]:
    never = [scope for scope in data.scopes if not obtainable(scope, data.grant_types)]
    if never:
        yield ScopeNotObtainable(tuple(f"{scope!a}" for scope in never))


def _uri_faults(work: UnitOfWork, data: ClientData) -> Iterator[Refusal]:
    native = data.auth_method == AuthMethod.NONE
    development = work.settings.is_loopback_http
    # The gateway calls these URIs, so they cannot be a native application's.
    called = (
        (UriUse.BACKCHANNEL_LOGOUT, data.backchannel_logout_uri),
        (UriUse.EVENTS, data.event_push_uri),
        (UriUse.KEYS, data.jwks_uri),
    )
    front = data.frontchannel_logout_uri
    groups = (
        (UriUse.REDIRECT, data.redirect_uris, native),
        (UriUse.POST_LOGOUT, data.post_logout_redirect_uris, native),
        (UriUse.HOME, (data.home_url,) if data.home_url else (), native),
        *((use, (uri,), False) for use, uri in called if uri),
        (UriUse.FRONTCHANNEL_LOGOUT, (front,) if front else (), False),
    )
    for use, uris, is_native in groups:
        # FAPI 2.0 Security Profile section 5.3.2.2.
        is_https_only = data.fapi2_security_profile and use == UriUse.REDIRECT
        allow_http = development and not is_https_only
        for uri in uris:
            fault = registration_fault(uri, native=is_native, allow_loopback_http=allow_http)
            if fault:
                yield UriInvalid(use, uri, fault)
    allowed = NetworkSet(work.settings.outbound_networks)
    for use, uri in called:
        if uri and (unreachable := outbound.url_fault(uri, allowed)):
            yield UriInvalid(use, uri, unreachable)
    for origin in data.allowed_origins:
        if not _ORIGIN.fullmatch(origin):
            yield OriginInvalid(origin)
