"""Codes of authenticator apps: time-based one-time passwords (RFC 6238) by pyotp."""

from __future__ import annotations

import hmac
from base64 import b32encode
from collections.abc import Iterable
from datetime import datetime

import pyotp

from idp.mfa.code_input import compact

STEP_SECONDS = 30
DIGITS = 6
#: 160 bits, as RFC 4226 section 4 recommends.
SECRET_BYTES = 20
#: Steps to each side that still count: a clock half a minute off is nobody's fault.
WINDOW = 1
#: When the app is set up, so that a clock that is further off is noticed and not left outside.
WINDOW_AT_SETUP = 2


def secret_of(random: bytes) -> str:
    """The base32 form of a secret, for the QR code and for typing."""
    return b32encode(random).decode().rstrip("=")


def uri(secret: str, *, username: str, issuer: str) -> str:
    """The address in the QR code (Google's Key URI format, which all apps read)."""
    return str(pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name=issuer))


def typed_code(text: str) -> str | None:
    """The six digits that were typed, without separators; None for anything else. Digits of other
    scripts are no digits here (N64)."""
    code = compact(text)
    return code if len(code) == DIGITS and code.isascii() and code.isdigit() else None


def matching_step(
    secret: str, code: str, now: datetime, *, after: int, window: int = WINDOW
) -> int | None:
    """The time step of which ``code`` is the code, among those around ``now`` that lie after the
    last accepted one; None for a wrong or repeated code. Every step is compared."""
    found = None
    for step in _steps(now, window):
        expected = pyotp.TOTP(secret).generate_otp(step)
        if hmac.compare_digest(expected, code) and step > after:
            found = step
    return found


def _steps(now: datetime, window: int) -> Iterable[int]:
    present = int(now.timestamp()) // STEP_SECONDS
    return range(present - window, present + window + 1)
