"""Days in the query of a page."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from flask import request

from hosted_pages.languages import EASTERN

FIRST, LAST = date(2000, 1, 1), date(2200, 1, 1)


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
