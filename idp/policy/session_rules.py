"""When a session is alive, and which accounts may have one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

#: Touching a session is a write; once a minute is enough to measure idleness by.
TOUCH_INTERVAL = timedelta(seconds=60)


@dataclass(frozen=True)
class Limits:
    """Idle and absolute life of a session."""

    idle: timedelta
    absolute: timedelta


def is_alive(
    *, now: datetime, last_seen: datetime, expires: datetime, ended: datetime | None, limits: Limits
) -> bool:
    """Neither ended, nor idle too long, nor past its absolute end."""
    return ended is None and now < expires and now - last_seen < limits.idle


def may_sign_in(state: str) -> bool:
    """Only an active account; every other state is refused in the same words (N47)."""
    return state == "active"
