"""The metadata of a client as applications send and read it (RFC 7591 section 2, OpenID Connect
Dynamic Client Registration 1.0 section 2), and the registration that it stands for.

Unknown members are ignored. A member that would change how the gateway must act, and that it does
not support, is refused by its name, so that no application relies on what it does not get.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from idp.clients.client_data import ClientData
from idp.clients.client_refusals import (
    NotAmong,
    NotOneOf,
    RegistrationInvalid,
    RuleFault,
    RuleViolated,
    UriInvalid,
    UriUse,
)
from idp.clients.registration_refusals import (
    MemberFault,
    MemberInvalid,
    SoftwareStatementRefused,
)
from idp.credentials import assertions
from idp.credentials.credential_refusals import KeyInvalid
from idp.errors import Invalid, Refusal
from idp.models import AuthMethod, Client
from idp.policy.registered_values import (
    ENCRYPTION_ALGS,
    ENCRYPTION_ENCS,
    KEY_METHODS,
    SIGNING_ALGS,
    SIGNING_METHODS,
    TlsSubjectField,
    is_for_encryption,
)
from idp.policy.scopes import BY_PERSON, IDENTITY_SCOPES, default_scopes

Metadata = Mapping[str, Any]
#: What an application can register for itself: people sign in and consent. It gets no scope of an
#: API and no token for itself, because nobody at the IESO has decided that it may.
GRANT_TYPES = (*BY_PERSON, "refresh_token")
#: The methods of RFC 7591: a secret in either place is registered by operators only.
AUTH_METHODS = tuple(method for method in AuthMethod if method != AuthMethod.SECRET)
RESPONSE_TYPES = ("code",)
#: Members with the same value for all clients.
FIXED: dict[str, tuple[Any, ...]] = {
    "subject_type": ("public",),
    "application_type": ("web", "native"),
    # An ID token always has ``auth_time``, and a logout token ``sid``.
    "require_auth_time": (True, False),
    "backchannel_logout_session_required": (True, False),
    # The key or the method of the client decides.
    "token_endpoint_auth_signing_alg": (*assertions.ALGORITHMS, assertions.SECRET_ALGORITHM),
    "request_object_signing_alg": assertions.ALGORITHMS,
}
#: Members that are refused unless they are false.
UNSUPPORTED = (
    "authorization_encrypted_response_alg",
    "default_max_age",
    "introspection_encrypted_response_alg",
    "request_object_encryption_alg",
    "require_signed_request_object",
    "sector_identifier_uri",
)


@dataclass(frozen=True)
class Member:
    """A member of the metadata: the field of ``ClientData`` that it sets, how its value is read
    (from the name and the JSON value; raises Invalid), and how it is written."""

    field: str
    read: Callable[[str, Any], Any]
    write: Callable[[Any], Any]


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise MemberInvalid(name, MemberFault.NOT_A_TEXT)
    return value


def _texts(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise MemberInvalid(name, MemberFault.NOT_TEXTS)
    return tuple(dict.fromkeys(value))


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise MemberInvalid(name, MemberFault.NOT_A_FLAG)
    return value


def _one_of(values: Collection[str]) -> Callable[[str, Any], str]:
    def read(name: str, value: Any) -> str:
        if _text(name, value) not in values:
            raise NotOneOf(name, tuple(map(str, values)))
        return str(value)

    return read


def _among(values: Collection[str]) -> Callable[[str, Any], tuple[str, ...]]:
    def read(name: str, value: Any) -> tuple[str, ...]:
        found = _texts(name, value)
        if not found:
            raise MemberInvalid(name, MemberFault.EMPTY)
        if not set(found) <= set(values):
            raise NotAmong(name, tuple(values))
        return found

    return read


def _scopes(name: str, value: Any) -> tuple[str, ...]:
    return _among(IDENTITY_SCOPES)(name, _text(name, value).split())


def _keys(name: str, value: Any) -> tuple[assertions.PublicKey, ...]:
    found = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise MemberInvalid(name, MemberFault.NOT_A_KEY_SET)
    return tuple(key for one in found if (key := _key(one)) is not None)


def _key(value: dict[str, Any]) -> assertions.PublicKey | None:
    """None for a key that the gateway cannot encrypt with (RFC 7517 section 5). One that cannot
    verify is refused."""
    try:
        return assertions.client_key(json.dumps(value))
    except KeyInvalid:
        if is_for_encryption(value):
            return None
        raise


MEMBERS: dict[str, Member] = {
    "client_name": Member("name", _text, str),
    "client_name#fr": Member("name_fr", _text, str),
    "redirect_uris": Member("redirect_uris", _texts, list),
    "post_logout_redirect_uris": Member("post_logout_redirect_uris", _texts, list),
    "backchannel_logout_uri": Member("backchannel_logout_uri", _text, str),
    "frontchannel_logout_uri": Member("frontchannel_logout_uri", _text, str),
    "frontchannel_logout_session_required": Member(
        "frontchannel_logout_session_required", _flag, bool
    ),
    "token_endpoint_auth_method": Member("auth_method", _one_of(AUTH_METHODS), str),
    "grant_types": Member("grant_types", _among(GRANT_TYPES), list),
    "scope": Member("scopes", _scopes, " ".join),
    "jwks": Member("keys", _keys, lambda keys: {"keys": list(keys)}),
    "jwks_uri": Member("jwks_uri", _text, str),
    "id_token_signed_response_alg": Member("id_token_alg", _one_of(SIGNING_ALGS), str),
    "authorization_signed_response_alg": Member(
        "authorization_response_alg", _one_of(SIGNING_ALGS), str
    ),
    "userinfo_signed_response_alg": Member("userinfo_alg", _one_of(SIGNING_ALGS), str),
    "id_token_encrypted_response_alg": Member(
        "id_token_encryption_alg", _one_of(ENCRYPTION_ALGS), str
    ),
    "id_token_encrypted_response_enc": Member(
        "id_token_encryption_enc", _one_of(ENCRYPTION_ENCS), str
    ),
    "userinfo_encrypted_response_alg": Member(
        "userinfo_encryption_alg", _one_of(ENCRYPTION_ALGS), str
    ),
    "userinfo_encrypted_response_enc": Member(
        "userinfo_encryption_enc", _one_of(ENCRYPTION_ENCS), str
    ),
    "introspection_signed_response_alg": Member("introspection_alg", _one_of(SIGNING_ALGS), str),
    "require_pushed_authorization_requests": Member("require_pushed_requests", _flag, bool),
    "dpop_bound_access_tokens": Member("dpop_bound_access_tokens", _flag, bool),
    # A member of this gateway: RFC 7591 has none.
    "fapi2_security_profile": Member("fapi2_security_profile", _flag, bool),
    "tls_client_certificate_bound_access_tokens": Member("certificate_bound_tokens", _flag, bool),
}
#: Members of which a client with ``tls_client_auth`` has one (RFC 8705 section 2.1.2).
TLS_SUBJECTS = {f"tls_client_auth_{field}": field for field in TlsSubjectField}


def registration(metadata: Metadata, before: ClientData) -> ClientData:
    """The registration that the metadata stands for. Omitted members, and those that are null, have
    their default; fields without a member stay as they were ``before``. Raises Invalid with all
    faults."""
    if metadata.get("software_statement") is not None:
        raise SoftwareStatementRefused()
    faults: list[Refusal] = list(_unsupported(metadata))
    values: dict[str, Any] = {"tls_subject_field": "", "tls_subject": ""}
    for name, member in MEMBERS.items():
        if metadata.get(name) is not None:
            try:
                values[member.field] = member.read(name, metadata[name])
            except Invalid as fault:
                faults.append(fault)
    named = [name for name in TLS_SUBJECTS if metadata.get(name) is not None]
    for name in named:
        if len(named) > 1 or not isinstance(metadata[name], str):
            faults.append(MemberInvalid(name, MemberFault.NOT_THE_ONE_TEXT))
        values |= {"tls_subject_field": TLS_SUBJECTS[name], "tls_subject": metadata[name]}
    if faults:
        raise RegistrationInvalid(tuple(faults))
    data = replace(before, **_defaults(values.get("grant_types", ClientData.grant_types)) | values)
    # Keys that sign would not be used for a client with a secret, keys that encrypt not without an
    # algorithm, nor would the name of its certificate.
    encrypts = bool(data.id_token_encryption_alg or data.userinfo_encryption_alg)
    signs = data.auth_method in KEY_METHODS
    used = (key for key in data.keys if (encrypts if is_for_encryption(key) else signs))
    data = replace(data, keys=tuple(used), jwks_uri=data.jwks_uri if signs or encrypts else "")
    if data.auth_method not in SIGNING_METHODS:
        data = replace(data, token_endpoint_audience=False)
    if data.auth_method != AuthMethod.TLS:
        data = replace(data, tls_subject_field="", tls_subject="")
    return data


def describe(client: Client) -> dict[str, Any]:
    """What is registered, as metadata."""
    written = {
        name: member.write(value)
        for name, member in MEMBERS.items()
        if (value := getattr(client, member.field)) not in ("", [])
    }
    for kind in ("id_token", "userinfo"):
        if f"{kind}_encrypted_response_alg" not in written:
            del written[f"{kind}_encrypted_response_enc"]
    has_code = "authorization_code" in client.grant_types
    written |= {"response_types": list(RESPONSE_TYPES) if has_code else []}
    if client.tls_subject_field:
        written[f"tls_client_auth_{client.tls_subject_field}"] = client.tls_subject
    if client.backchannel_logout_uri:
        written["backchannel_logout_session_required"] = True
    return written | {"subject_type": "public"}


def error_code(refusal: Refusal) -> str:
    """The error code of RFC 7591 section 3.2.2."""
    if isinstance(refusal, SoftwareStatementRefused):
        return "unapproved_software_statement"
    faults = refusal.faults if isinstance(refusal, RegistrationInvalid) else (refusal,)
    is_about_redirects = any(map(_concerns_redirect_uris, faults))
    return "invalid_redirect_uri" if is_about_redirects else "invalid_client_metadata"


def _concerns_redirect_uris(fault: Refusal) -> bool:
    return (
        (isinstance(fault, UriInvalid) and fault.use == UriUse.REDIRECT)
        or (isinstance(fault, RuleViolated) and fault.fault == RuleFault.NO_REDIRECT_URI)
        or (isinstance(fault, MemberInvalid) and fault.member == "redirect_uris")
    )


def _unsupported(metadata: Metadata) -> Iterator[Refusal]:
    for name in UNSUPPORTED:
        if metadata.get(name) not in (None, False):
            yield MemberInvalid(name, MemberFault.NOT_SUPPORTED)
    for name, values in FIXED.items():
        if metadata.get(name) is not None and metadata[name] not in values:
            yield NotOneOf(name, tuple(json.dumps(value).strip('"') for value in values))
    if metadata.get("response_types") is not None:
        try:
            _among(RESPONSE_TYPES)("response_types", metadata["response_types"])
        except Invalid as fault:
            yield fault


def _defaults(grant_types: tuple[str, ...]) -> dict[str, Any]:
    """The values of omitted members; that of the name is the client's."""
    values = {
        member.field: getattr(ClientData, member.field)
        for member in MEMBERS.values()
        if member.field not in ("name", "scopes")
    }
    offline = ("offline_access",) if "refresh_token" in grant_types else ()
    return values | {
        "auth_method": AuthMethod.BASIC,
        "scopes": (*default_scopes(grant_types), *offline),
    }
