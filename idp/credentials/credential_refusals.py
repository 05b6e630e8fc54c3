"""Why passwords, codes, links and messages are refused."""

from __future__ import annotations

from enum import StrEnum

from idp.errors import Invalid
from service_base.phrases import N_


class PasswordRefusal(StrEnum):
    """Why the present password was not confirmed."""

    WRONG_CURRENT = "wrong_current"


class CodeRefusal(StrEnum):
    """Why a one-time code was refused."""

    #: No code was sent for this sign-in or page.
    UNKNOWN_FLOW = "unknown_flow"
    WRONG_CODE = "wrong_code"
    #: Used, replaced, expired, or tried too often.
    CODE_OVER = "code_over"
    TOO_MANY_CODES = "too_many_codes"


class AssertionCheck(StrEnum):
    """Which check of an assertion failed: its form, its signature, or a claim."""

    LENGTH = "length"
    TYPE = "type"
    SIGNATURE = "signature"
    ISS = "iss"
    SUB = "sub"
    AUD = "aud"
    EXP = "exp"
    IAT = "iat"
    NBF = "nbf"
    JTI = "jti"
    #: The assertion was used before.
    JTI_USED = "jti_used"
    #: The keys at the client's ``jwks_uri`` could not be fetched.
    KEYS_UNAVAILABLE = "keys_unavailable"


class ProofCheck(StrEnum):
    """Which check of a DPoP proof failed: its form, its key, its signature, or a claim."""

    #: There is more than one.
    SEVERAL = "more_than_one"
    FORM = "form"
    TYP = "typ"
    ALG = "alg"
    #: A member of the header that is not known.
    HEADER = "header"
    JWK = "jwk"
    PRIVATE_KEY = "private_key"
    SIGNATURE = "signature"
    HTM = "htm"
    HTU = "htu"
    IAT = "iat"
    EXP = "exp"
    NBF = "nbf"
    ATH = "ath"
    JTI = "jti"
    #: The proof was used before.
    JTI_USED = "jti_used"


class LinkRefusal(StrEnum):
    """Why a mailed link was refused."""

    UNKNOWN = "link_unknown"
    ELSEWHERE = "link_elsewhere"
    EXPIRED = "link_expired"
    USED = "link_used"
    SUPERSEDED = "link_superseded"


class NotSent(StrEnum):
    """Why a message was not sent."""

    BAD_ADDRESS = "bad_address"


class EntryFault(StrEnum):
    """What else can be wrong with the form of a new password, beside the rules."""

    MISMATCH = "mismatch"
    CURRENT = "current"
    ANSWER = "answer"
    #: The conditions of use changed while the page was open.
    CONDITIONS = "conditions"


class KeyInvalid(Invalid):
    """The text is not a public key that the gateway accepts."""

    template = N_("a key is a public JWK or PEM: EC P-256, or RSA of at least {bits} bits")
    bits: int


class KeyPrivate(Invalid):
    """The text is a private key."""

    template = N_("this is a private key: keep it secret and register the public key")
