"""Rules for sessions: when one is active, and which accounts may have one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

#: Recording activity costs a write; once a minute is precise enough.
TOUCH_INTERVAL = timedelta(seconds=60)


@dataclass(frozen=True)
class Limits:
    """Idle and absolute lifetime of a session."""

    idle: timedelta
    absolute: timedelta


def is_alive(
    *, now: datetime, last_seen: datetime, expires: datetime, ended: datetime | None, limits: Limits
) -> bool:
    """Whether the session has not ended, is not idle too long, and has not expired."""
    return ended is None and now < expires and now - last_seen < limits.idle


def may_sign_in(state: str) -> bool:
    """Only an active account. All other states are refused with the same message (N47)."""
    return state == "active"
