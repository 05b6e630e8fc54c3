"""Rules for sessions that are bound to a key of the browser (Device Bound Session Credentials)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

#: The bound cookie is on its way to the browser, which may have sent other requests before.
SETTLING = timedelta(seconds=60)


class Standing(StrEnum):
    """What a request with the cookie of a session may do."""

    OPEN = "open"
    #: The session is not opened, and goes on for the browser that has the key.
    UNPROVED = "unproved"
    #: Another browser has the cookie: the session ends.
    COPIED = "copied"


@dataclass(frozen=True, kw_only=True)
class Presented:
    """A request with the cookie of a bound session, but without a recent proof of its key."""

    #: How long the session has been bound.
    bound_for: timedelta
    #: The request comes from the network, and from the program, of the last proof.
    is_same_network: bool
    is_same_program: bool
    #: The browser reports that it could not prove its key (``Secure-Session-Skipped``).
    is_skipped: bool


def standing(presented: Presented) -> Standing:
    """Whether the session is opened nevertheless. A missing proof is evidence of a copy only if the
    request comes from elsewhere: browsers prove the key before a request, and report if they
    cannot."""
    if presented.is_same_program and presented.bound_for < SETTLING:
        return Standing.OPEN
    if presented.is_same_program and (presented.is_same_network or presented.is_skipped):
        return Standing.UNPROVED
    return Standing.COPIED
