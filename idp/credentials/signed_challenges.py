"""Challenges that are valid once. They are signed and contain what they are for and their time, so
that making one writes nothing to the database."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from idp.db import insert_if_missing
from idp.models import SpentChallenge
from idp.transaction import UnitOfWork


class ChallengeFault(StrEnum):
    """Why a challenge is not accepted."""

    #: Of another session, browser or purpose, or not of the gateway.
    UNKNOWN = "challenge_unknown"
    EXPIRED = "challenge_expired"
    USED = "challenge_used"


def make(work: UnitOfWork, purpose: str, whose: str) -> str:
    """A new challenge for this purpose. ``whose`` identifies the session or browser."""
    random, at = work.token(16), int(work.now.timestamp())
    return f"{random}.{at}.{work.vault.digest(*_bound(purpose, whose, random, at))}"


def _bound(purpose: str, whose: str, random: str, at: int) -> tuple[str, str]:
    return f"challenge:{purpose}", f"{random}.{at}.{whose}"


def spend(
    work: UnitOfWork, purpose: str, whose: str, given: str, *, seconds: int, ahead: int = 1
) -> ChallengeFault | None:
    """Use up a challenge; None if it is valid. It lasts ``seconds``, and was made at most ``ahead``
    seconds in the future, by a process with another clock."""
    random, _, rest = given.partition(".")
    issued, _, mac = rest.partition(".")
    if not (issued.isascii() and issued.isdigit() and len(issued) < 12):
        return ChallengeFault.UNKNOWN
    if not work.vault.matches(*_bound(purpose, whose, random, int(issued)), mac):
        return ChallengeFault.UNKNOWN
    age = work.now.timestamp() - int(issued)
    if not -ahead <= age < seconds:
        return ChallengeFault.EXPIRED
    is_fresh = insert_if_missing(
        work.db,
        SpentChallenge,
        digest=work.vault.digest("spent-challenge", given),
        expires_at=work.now + timedelta(seconds=seconds + ahead),
    )
    return None if is_fresh else ChallengeFault.USED
