"""What the audit pages share: moments from forms, people from a search, downloads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from flask import Response, request, stream_with_context
from flask_babel import gettext

from hosted_pages.languages import EASTERN
from idp import current
from idp.directory import account_search


class BadField(ValueError):
    """A field of a form cannot be used; the text says what to do, in the reader's language."""


def moment(name: str, *, end_of_day: bool = False) -> datetime | None:
    """A date, or a date and time, in Eastern Time, of the address or of a form that was sent; None
    when empty. Raises BadField."""
    typed = (request.form if request.method == "POST" else request.args).get(name, "").strip()
    if not typed:
        return None
    try:
        found = datetime.fromisoformat(typed[:30])
        local = found if found.tzinfo else found.replace(tzinfo=EASTERN)
        if end_of_day and len(typed) == 10:
            local += timedelta(days=1)
        # The first and the last year cannot be moved to another zone.
        local.astimezone(EASTERN).timestamp()
    except (ValueError, OverflowError) as error:
        raise BadField(gettext("Enter dates as YYYY-MM-DD.")) from error
    if not 1970 < local.year < 9000:
        raise BadField(gettext("Enter dates as YYYY-MM-DD."))
    return local


def people(name: str) -> tuple[int, ...] | None:
    """The accounts that a search finds; None if nothing was typed. Raises BadField if there are too
    many, because an incomplete report would be wrong."""
    typed = request.args.get(name, "").strip()
    if not typed:
        return None
    found = account_search.search(current.work(), typed)
    if found.more:
        raise BadField(gettext("Too many results. Enter more letters or a second word."))
    return tuple(account.id for account in found.accounts)


def number(name: str) -> int:
    """A row's number for paging; 0 for anything else."""
    typed = request.args.get(name, "")
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 19 else 0


def download(lines: Iterable[str], *, name: str, kind: str) -> Response:
    """A file that is generated while it is sent. This continues after the end of the request, so
    the connection is returned here, even if the browser disconnects."""
    work = current.work()

    def sent() -> Iterator[str]:
        try:
            yield from lines
        finally:
            work.close()

    response = Response(stream_with_context(sent()), mimetype=kind)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
