"""Codes of authenticator apps: time-based one-time passwords (RFC 6238), by pyotp."""

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
#: Accepted steps to each side: tolerates clocks that are 30 seconds off.
WINDOW = 1
#: The window during setup: wider, to detect a clock that is further off.
WINDOW_AT_SETUP = 2
#: How many steps a clock may come to be off, a little at each sign-in.
MAX_DRIFT = 10


def secret_of(random: bytes) -> str:
    """The secret in base32, for the QR code and manual entry."""
    return b32encode(random).decode().rstrip("=")


def uri(secret: str, *, username: str, issuer: str) -> str:
    """The URI in the QR code (Google's Key URI format)."""
    return str(pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name=issuer))


def typed_code(text: str) -> str | None:
    """The six digits entered, without separators; None for anything else. Only ASCII digits count
    (N64)."""
    code = compact(text)
    return code if len(code) == DIGITS and code.isascii() and code.isdigit() else None


def matching_step(
    secret: str, code: str, now: datetime, *, after: int, window: int = WINDOW, drift: int = 0
) -> int | None:
    """The time step of ``code``, within the window around ``now`` and after the last accepted step;
    None for an incorrect or repeated code. Every step is compared. An app whose clock was ``drift``
    steps off is expected to be off as much again (RFC 6238 section 6)."""
    found = None
    for step in _steps(now, window, drift):
        expected = pyotp.TOTP(secret).generate_otp(step)
        if hmac.compare_digest(expected, code) and step > after:
            found = step
    return found


def drift(last_step: int, at: datetime | None) -> int:
    """How many steps the clock of an app was ahead (or behind, negative) when its last code was
    accepted, at most ``MAX_DRIFT``."""
    if not last_step or at is None:
        return 0
    ahead = last_step - int(at.timestamp()) // STEP_SECONDS
    return max(-MAX_DRIFT, min(ahead, MAX_DRIFT))


def _steps(now: datetime, window: int, drift: int) -> Iterable[int]:
    """Around the time that the app is expected to have, and around the right one: its clock may
    have been set right. Nothing between the two, so a drift adds three codes at most."""
    present = int(now.timestamp()) // STEP_SECONDS
    around = (present, present + drift)
    return sorted({at + off for at in around for off in range(-window, window + 1)})
