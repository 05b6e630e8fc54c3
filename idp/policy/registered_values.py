"""The values that accounts, clients and participants can be registered with."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

#: Algorithms that sign tokens.
SIGNING_ALGS = ("RS256", "ES256")
#: Algorithms that encrypt tokens for a client, each with the type of its key, and those that
#: encrypt the content.
ENCRYPTION_ALGS = {"RSA-OAEP-256": "RSA", "ECDH-ES": "EC", "ECDH-ES+A256KW": "EC"}
ENCRYPTION_ENCS = ("A256GCM", "A128GCM")
#: The ``use`` of keys that encrypt (RFC 7517 section 4.2).
ENCRYPTION = "enc"
#: Algorithms that the FAPI 2.0 Security Profile allows (section 5.4.1), and the one of tokens.
FAPI2_ALGS, FAPI2_SIGNING_ALG = ("PS256", "ES256", "EdDSA", "Ed25519"), "ES256"
#: Algorithms of DPoP proofs. EdDSA is the former name of Ed25519 (RFC 9864).
DPOP_ALGS = ("ES256", "ES384", "PS256", "RS256", "Ed25519", "EdDSA")
#: Hours for which the previous secret of a client works: the default and the maximum.
OVERLAP_HOURS, MAX_OVERLAP_HOURS = 24, 720
#: Keys of one client.
MAX_CLIENT_KEYS = 10
#: How many applications an initial access token registers, and for how many days: the maximum.
MAX_INITIAL_TOKEN_USES, MAX_INITIAL_TOKEN_DAYS = 1000, 90
#: Days for which a key of a machine account is valid: the maximum and the default.
MAX_KEY_DAYS, DEFAULT_KEY_DAYS = 730, 365


class AccountKind(StrEnum):
    """The kind of account (manual 2.1, 7.6)."""

    PERSONAL = "personal"
    MACHINE = "machine"
    EMAIL = "email"


class AuthMethod(StrEnum):
    """Client authentication methods (RFC 7591 section 2). A client is registered for one of them,
    or for a secret in the header or body."""

    SECRET = "client_secret"  # noqa: S105 - the name of a method
    BASIC = "client_secret_basic"
    POST = "client_secret_post"
    SECRET_JWT = "client_secret_jwt"  # noqa: S105
    KEY = "private_key_jwt"
    TLS = "tls_client_auth"
    SELF_SIGNED_TLS = "self_signed_tls_client_auth"
    NONE = "none"


#: The thumbprint of a certificate: a member of a key (RFC 7517 section 4.9) and of ``cnf``
#: (RFC 8705 section 3.1).
CERTIFICATE = "x5t#S256"


class TlsSubjectField(StrEnum):
    """The field of a certificate that names a client (RFC 8705 section 2.1.2)."""

    SUBJECT_DN = "subject_dn"
    SAN_DNS = "san_dns"
    SAN_URI = "san_uri"
    SAN_IP = "san_ip"
    SAN_EMAIL = "san_email"


#: Methods with a secret.
SECRET_METHODS = (AuthMethod.SECRET, AuthMethod.BASIC, AuthMethod.POST, AuthMethod.SECRET_JWT)
#: Methods that send a signed assertion.
SIGNING_METHODS = (AuthMethod.SECRET_JWT, AuthMethod.KEY)
#: Methods with a certificate.
TLS_METHODS = (AuthMethod.TLS, AuthMethod.SELF_SIGNED_TLS)
#: Methods with registered or published keys.
KEY_METHODS = (AuthMethod.KEY, AuthMethod.SELF_SIGNED_TLS)
#: Methods that the FAPI 2.0 Security Profile allows (section 5.3.2.1).
FAPI2_METHODS = (AuthMethod.KEY, *TLS_METHODS)


def allows_auth_method(registered: AuthMethod, used: AuthMethod) -> bool:
    """Whether a client that is registered for one method may use the other."""
    if registered == AuthMethod.SECRET:
        return used in (AuthMethod.BASIC, AuthMethod.POST)
    return used == registered


def is_for_encryption(key: Mapping[str, Any]) -> bool:
    """Whether a key of a client (JWK) is there to encrypt. Such a key verifies nothing."""
    return key.get("use") == ENCRYPTION


def can_encrypt(key: Mapping[str, Any], alg: str) -> bool:
    """Whether the key is there to encrypt by this algorithm."""
    is_right = key["kty"] == ENCRYPTION_ALGS[alg] and key.get("alg", alg) == alg
    return is_for_encryption(key) and is_right


class ContactFunction(StrEnum):
    """The role of a contact for a participant (TM-01)."""

    AUTHORIZED_REPRESENTATIVE = "authorized_representative"
    PRIMARY_CONTACT = "primary_contact"
    RIGHTS_ADMINISTRATOR = "rights_administrator"


class ParticipationKind(StrEnum):
    """The kind of participation (RG-12)."""

    MARKET = "market"
    PROGRAM = "program"
    SERVICE = "service_provider"


class SecondAccountReason(StrEnum):
    """Why a person has a second account."""

    #: A person who bids in the auction for several participants has a UserID for each (UI-10).
    TRANSMISSION_RIGHTS = "transmission_rights"
