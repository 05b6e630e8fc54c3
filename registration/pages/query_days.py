"""Days in the query of a page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from flask import request

from hosted_pages.languages import EASTERN
from registration import current

FIRST, LAST = date(2000, 1, 1), date(2200, 1, 1)


@dataclass(frozen=True)
class AsOf:
    """The moment that a list shows: now, or the end of a past day."""

    at: datetime
    day: date | None = None

    @property
    def text(self) -> str:
        """The day as the form shows it; empty for now."""
        return self.day.isoformat() if self.day else ""


def as_of() -> AsOf:
    """What the query asks for; now, if there is no day, or it cannot be read, or it is not over."""
    found, now = day("at"), current.work().now
    if found is not None and end_of(found) <= now:
        return AsOf(end_of(found), found)
    return AsOf(now)


def text(name: str, most: int = 80) -> str:
    """A word of the query, cut off."""
    return request.args.get(name, "").strip()[:most]


def day(name: str) -> date | None:
    """A day such as ``2026-11-27``; None if there is none or it cannot be read."""
    return read(request.args.get(name, "")[:10])


def read(text: str) -> date | None:
    """The day that this says; None if it cannot be read."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if FIRST <= found <= LAST else None


def number(text: str) -> int:
    """A number such as that of a row; 0 if it cannot be read."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def start_of(value: date) -> datetime:
    """The beginning of the day in Eastern Time."""
    return datetime.combine(value, time(), EASTERN)


def end_of(value: date) -> datetime:
    """The end of the day, which no longer belongs to it."""
    return start_of(value + timedelta(days=1))
