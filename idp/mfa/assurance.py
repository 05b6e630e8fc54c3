"""``amr`` and ``acr`` values for verified factors (RFC 8176, OIDC Core 2)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from idp.policy.scopes import ACR_MFA, ACR_PASSWORD, ACR_PHR


class FactorKind(StrEnum):
    """Kinds of second factor, the strongest first."""

    #: A discoverable WebAuthn credential with user verification.
    PASSKEY = "passkey"
    #: An authenticator app (TOTP, RFC 6238).
    TOTP = "totp"
    #: A code by text message.
    SMS = "sms"
    #: A code by mail to the registered address.
    EMAIL = "email"


PASSWORD = ("pwd",)
#: ``amr`` values of each factor; a recovery code is a printed one-time password.
METHODS = {
    FactorKind.TOTP: ("otp",),
    FactorKind.SMS: ("sms",),
    FactorKind.EMAIL: ("email",),
}
RECOVERY = ("otp",)
#: Possession factors; a mailbox is not one (NIST SP 800-63B-4 section 3.1.3.1).
_POSSESSION = frozenset({"otp", "sms", "hwk", "swk"})
_STRENGTH = list(FactorKind)


def passkey_methods(*, is_synced: bool) -> tuple[str, ...]:
    """A synced passkey proves possession of a key, but not of a hardware device."""
    return ("swk" if is_synced else "hwk", "user")


def amr_of(proved: Iterable[str]) -> list[str]:
    """The methods in the order of verification, with ``mfa`` if there were two factors: a password
    and a possession factor, or a passkey with user verification."""
    methods = [method for method in dict.fromkeys(proved) if method != "mfa"]
    both = "pwd" in methods and not _POSSESSION.isdisjoint(methods)
    return [*methods, "mfa"] if both or "user" in methods else methods


def acr_of(proved: Iterable[str], *, weak_counts: bool) -> str:
    """The level that these methods reach. A code by mail reaches ``mfa`` only if the environment
    allows it (``weak_counts``)."""
    methods = set(proved)
    if "user" in methods:
        return ACR_PHR
    second = _POSSESSION | ({"email"} if weak_counts else set())
    return ACR_MFA if "pwd" in methods and not second.isdisjoint(methods) else ACR_PASSWORD


def has_factor(proved: Iterable[str]) -> bool:
    """Whether any method other than a password was used."""
    return not (_POSSESSION | {"user", "email"}).isdisjoint(proved)


def is_strong(kind: FactorKind) -> bool:
    """Whether the factor proves possession; required for sign-ins with high risk."""
    return FactorKind(kind) is not FactorKind.EMAIL


def strongest_first(kind: FactorKind) -> int:
    """Sort key: strength of the factor."""
    return _STRENGTH.index(FactorKind(kind))
