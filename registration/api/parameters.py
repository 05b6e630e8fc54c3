"""What programs send: queries and bodies. What cannot be read is refused by its name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from flask import request, url_for
from flask_babel import gettext

from registration import current
from registration.pages import query_days
from registration.problems import Problem


def known(*names: str) -> dict[str, str]:
    """The query. Raises Problem for a parameter of another name, or one that is there twice."""
    for name, values in request.args.lists():
        is_readable = len(values) == 1 and len(values[0]) <= 200 and values[0].isprintable()
        if name not in names or not is_readable:
            raise bad(name)
    return request.args.to_dict()


def day(query: Mapping[str, str], name: str) -> date | None:
    """A day such as ``2026-11-27``."""
    text = query.get(name, "")
    found = query_days.read(text) if len(text) == 10 else None
    if text and found is None:
        raise bad(name)
    return found


def as_of(query: Mapping[str, str]) -> datetime:
    """The end of the past day ``at``; now without one. Raises Problem if it is not over."""
    found, now = day(query, "at"), current.work().now
    if found is None:
        return now
    if query_days.end_of(found) > now:
        raise bad("at")
    return query_days.end_of(found)


def number(query: dict[str, str], name: str, default: int, most: int, least: int = 0) -> int:
    """A whole number from ``least`` to ``most``."""
    text = query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 19 and least <= int(text) <= most):
        raise bad(name)
    return int(text)


def one_of(query: dict[str, str], name: str, values: Iterable[str], default: str) -> str:
    """One of these values."""
    found = query.get(name, "") or default
    if found not in set(values):
        raise bad(name)
    return found


def body() -> dict[str, Any]:
    """The object of the body, which is JSON."""
    found = request.get_json()
    if not isinstance(found, dict):
        raise bad("body")
    return found


def check(sent: Mapping[str, Any], members: Mapping[str, type], prefix: str = "") -> None:
    """Raises Problem for a member of another name or type: none is taken over unseen."""
    for name, value in sent.items():
        # type(), because True is an int.
        is_known = name in members and type(value) is members[name]
        # Reasons may have line breaks.
        is_text = name == "why" or not isinstance(value, str) or value.isprintable()
        if not (is_known and is_text):
            raise bad(f"{prefix}{name}")


def bad(name: str) -> Problem:
    """This parameter or member cannot be read."""
    known = name[:100]
    text = gettext("This value cannot be read: %(name)s.", name=known)
    return Problem("bad_request", text, parameter=known)


def following(endpoint: str, query: dict[str, str], **values: Any) -> str:
    """The address of the next page."""
    return url_for(endpoint, **(request.view_args or {}), **(query | values))
