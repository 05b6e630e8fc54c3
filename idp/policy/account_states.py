"""The states of an account."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum


class AccountState(StrEnum):
    """The state of an account. Deactivated is final."""

    PENDING = "pending"
    ACTIVE = "active"
    LOCKED = "locked"
    RESET_REQUIRED = "reset_required"
    SUSPENDED = "suspended"
    DEACTIVATED = "deactivated"


def state_in_effect(state: AccountState, ends_at: datetime | None, now: datetime) -> AccountState:
    """The state in effect: an account past its end date is deactivated, even before the worker has
    recorded it."""
    is_over = ends_at is not None and ends_at <= now
    return AccountState.DEACTIVATED if is_over else state
