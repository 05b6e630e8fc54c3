"""WebAuthn ceremonies: options for the browser, and verification of its response (WebAuthn level 3;
library webauthn).

The library checks type, challenge, origin, RP id hash, user presence and signature; user
verification is required of it too. This module also checks cross-origin framing, the signature
counter, the backup-eligible flag and the owner of the credential.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import webauthn
from webauthn.helpers import (
    base64url_to_bytes,
    bytes_to_base64url,
    encode_cbor,
    options_to_json,
    parse_cbor,
)
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

#: The longest response accepted.
MAX_ANSWER = 20_000
TIMEOUT_MS = 300_000
_TRANSPORTS = {entry.value for entry in AuthenticatorTransport}


class PasskeyRefusal(StrEnum):
    """Why the answer of a passkey does not hold."""

    TOO_LONG = "too_long"
    MALFORMED = "malformed"
    CROSS_ORIGIN = "cross_origin"
    #: Signature, origin, site or user verification.
    NOT_VERIFIED = "not_verified"
    #: Another device has used the same key.
    COUNTER_FELL = "counter_fell"
    BACKUP_ELIGIBILITY_CHANGED = "backup_eligibility_changed"
    CHALLENGE_UNKNOWN = "challenge_unknown"
    CHALLENGE_EXPIRED = "challenge_expired"
    CHALLENGE_USED = "challenge_used"
    KNOWN_ALREADY = "known_already"
    UNKNOWN_PASSKEY = "unknown_passkey"
    PASSKEY_OF_ANOTHER = "passkey_of_another"
    WRONG_USER_HANDLE = "wrong_user_handle"
    #: The holder did not agree to passkeys that are created without a prompt.
    NOT_AGREED = "not_agreed"
    #: No sign-in with password and second factor within the last minutes.
    NOT_JUST_SIGNED_IN = "not_just_signed_in"
    #: A passkey was added since that sign-in.
    ONE_ADDED_ALREADY = "one_added_already"
    #: The account has as many factors as it can have.
    TOO_MANY_FACTORS = "too_many_factors"


class PasskeyRefused(ValueError):
    """The answer does not hold: why, and what the library says of it, for the trail."""

    def __init__(self, reason: PasskeyRefusal, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason, self.detail = reason, detail


@dataclass(frozen=True)
class Site:
    """The WebAuthn relying party."""

    rp_id: str
    origin: str
    name: str


@dataclass(frozen=True)
class Passkey:
    """A registered credential. Id and public key are base64url."""

    credential_id: str
    public_key: str
    sign_count: int
    is_synced: bool
    is_backed_up: bool
    transports: str = ""


@dataclass(frozen=True)
class Created:
    """A new credential, and the AAGUID of its provider, which is not attested."""

    key: Passkey
    aaguid: str


@dataclass(frozen=True)
class Used:
    """The new counter and backup state after a sign-in."""

    sign_count: int
    is_backed_up: bool


def site_of(issuer: str, name: str) -> Site:
    """The relying party for an issuer: its origin, with its host name as the RP id."""
    return Site(urlsplit(issuer).hostname or "", issuer, name)


def creation_options(
    site: Site,
    *,
    challenge: bytes,
    user_handle: str,
    username: str,
    display_name: str,
    present: Iterable[Passkey],
    is_automatic: bool = False,
) -> str:
    """JSON for ``parseCreationOptionsFromJSON``: a discoverable credential with user verification,
    no attestation, excluding the account's existing credentials. ``is_automatic``: created without
    a prompt, so the user cannot be verified at that moment (WebAuthn level 3, conditional
    mediation)."""
    verification = UserVerificationRequirement.REQUIRED
    if is_automatic:
        verification = UserVerificationRequirement.PREFERRED
    options = webauthn.generate_registration_options(
        rp_id=site.rp_id,
        rp_name=site.name,
        user_id=base64url_to_bytes(user_handle),
        user_name=username,
        user_display_name=display_name,
        challenge=challenge,
        timeout=TIMEOUT_MS,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=verification,
        ),
        exclude_credentials=_descriptors(present),
    )
    return options_to_json(options)


def request_options(site: Site, *, challenge: bytes, allowed: Iterable[Passkey] = ()) -> str:
    """JSON for ``parseRequestOptionsFromJSON``; without ``allowed``, any credential of the site."""
    options = webauthn.generate_authentication_options(
        rp_id=site.rp_id,
        challenge=challenge,
        timeout=TIMEOUT_MS,
        allow_credentials=_descriptors(allowed),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return options_to_json(options)


def _descriptors(keys: Iterable[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=base64url_to_bytes(key.credential_id),
            transports=[AuthenticatorTransport(name) for name in _known(key.transports)],
        )
        for key in keys
    ]


def _known(transports: str) -> list[str]:
    return [name for name in transports.split(",") if name in _TRANSPORTS]


@dataclass(frozen=True)
class Answer:
    """A response of the browser, parsed as far as the look-up of its credential needs."""

    text: str
    credential_id: str
    challenge: bytes
    #: The user handle, base64url; empty at registration.
    user_handle: str
    transports: str


def read(text: str) -> Answer:
    """Parse a response. Raises Refused if it is malformed or was made in another site's frame."""
    if len(text) > MAX_ANSWER:
        raise PasskeyRefused(PasskeyRefusal.TOO_LONG)
    try:
        body: Any = json.loads(text)
        response = body["response"]
        client_data: Any = json.loads(base64url_to_bytes(response["clientDataJSON"]))
        challenge = base64url_to_bytes(client_data["challenge"])
        listed = response.get("transports") or []
        names = [name for name in listed if isinstance(name, str) and name in _TRANSPORTS]
        answer = Answer(
            text=text,
            credential_id=bytes_to_base64url(base64url_to_bytes(body["id"])),
            challenge=challenge,
            user_handle=str(response.get("userHandle") or "").rstrip("="),
            transports=",".join(dict.fromkeys(names)),
        )
        framed = client_data.get("crossOrigin") not in (None, False) or "topOrigin" in client_data
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise PasskeyRefused(PasskeyRefusal.MALFORMED) from error
    if framed:
        raise PasskeyRefused(PasskeyRefusal.CROSS_ORIGIN)
    return answer


def register(site: Site, answer: Answer, *, is_automatic: bool = False) -> Created:
    """The new credential. If the browser created it without a prompt, its user was neither present
    nor verified; each sign-in verifies the user. Raises Refused."""
    try:
        made = webauthn.verify_registration_response(
            credential=_without_statement(answer.text),
            expected_challenge=answer.challenge,
            expected_rp_id=site.rp_id,
            expected_origin=site.origin,
            require_user_presence=not is_automatic,
            require_user_verification=not is_automatic,
        )
    except Exception as error:
        # The library parses untrusted input: any error in it means an invalid response.
        raise PasskeyRefused(PasskeyRefusal.NOT_VERIFIED, type(error).__name__) from error
    key = Passkey(
        credential_id=bytes_to_base64url(made.credential_id),
        public_key=bytes_to_base64url(made.credential_public_key),
        sign_count=made.sign_count,
        is_synced=made.credential_device_type is CredentialDeviceType.MULTI_DEVICE,
        is_backed_up=made.credential_backed_up,
        transports=answer.transports,
    )
    return Created(key, made.aaguid)


def _without_statement(text: str) -> dict[str, Any]:
    """The response without an attestation statement. None was requested and none is used, but some
    authenticators send one, signed by unknown certificate chains (WebAuthn level 3 section
    6.5.4)."""
    body: dict[str, Any] = json.loads(text)
    sent = parse_cbor(base64url_to_bytes(body["response"]["attestationObject"]))
    plain = {"fmt": "none", "attStmt": {}, "authData": sent["authData"]}
    body["response"]["attestationObject"] = bytes_to_base64url(encode_cbor(plain))
    return body


def verify(site: Site, answer: Answer, key: Passkey) -> Used:
    """Verify that this credential signed the response with user verification. Raises Refused."""
    try:
        used = webauthn.verify_authentication_response(
            credential=answer.text,
            expected_challenge=answer.challenge,
            expected_rp_id=site.rp_id,
            expected_origin=site.origin,
            credential_public_key=base64url_to_bytes(key.public_key),
            # Compared below, to tell a cloned credential from an invalid response.
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except Exception as error:
        raise PasskeyRefused(PasskeyRefusal.NOT_VERIFIED, type(error).__name__) from error
    if (used.new_sign_count or key.sign_count) and used.new_sign_count <= key.sign_count:
        raise PasskeyRefused(PasskeyRefusal.COUNTER_FELL)
    if (used.credential_device_type is CredentialDeviceType.MULTI_DEVICE) != key.is_synced:
        raise PasskeyRefused(PasskeyRefusal.BACKUP_ELIGIBILITY_CHANGED)
    return Used(used.new_sign_count, used.credential_backed_up)
