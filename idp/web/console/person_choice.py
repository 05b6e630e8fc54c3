"""Choose a person or account for a form of the console from the results of a search.

The search is a GET of the page with the form, so it works without JavaScript. If the form is
refused, the page shows the chosen person again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flask import request

from idp import current
from idp.directory import account_search, accounts, persons
from idp.models import Account, AccountState, Person

#: The query parameter of the search.
QUERY = "who"
MAX_QUERY = 100


@dataclass(frozen=True)
class Candidate:
    """A person or account that can be chosen, with details that distinguish it from others."""

    value: str
    name: str
    details: str


@dataclass(frozen=True)
class Choice:
    """The results of the search, and what is chosen."""

    query: str
    candidates: tuple[Candidate, ...]
    chosen: str
    has_more: bool


def of_accounts(field: str, kind: str) -> Choice:
    """Accounts of a kind, by user name, for this field of the form."""
    typed = request.form.get(field, "").strip()
    named = accounts.find_by_username(current.work(), typed) if typed else None
    found, has_more = _search([named] if named else [])
    shown = [
        Candidate(one.username, one.person.full_name, f"{one.username}, {one.person.email}")
        for one in found
        if one.kind == kind and one.state != AccountState.DEACTIVATED
    ]
    return _choice(shown, typed, has_more=has_more)


def of_persons(field: str) -> Choice:
    """Persons, by Person ID, for this field of the form."""
    typed = request.form.get(field, "").strip()
    named = persons.by_person_id(current.work(), typed[:40]) if typed else None
    found, has_more = _search([])
    people: Iterable[Person] = [*([named] if named else []), *(one.person for one in found)]
    shown = {
        one.person_id: Candidate(one.person_id, one.full_name, f"{one.person_id}, {one.email}")
        for one in people
    }
    return _choice(shown.values(), typed, has_more=has_more)


def _choice(shown: Iterable[Candidate], typed: str, *, has_more: bool) -> Choice:
    """A value that matches nobody is shown in the search field again."""
    candidates = tuple(shown)
    return Choice(_query() or ("" if candidates else typed), candidates, typed, has_more)


def _query() -> str:
    return request.args.get(QUERY, "").strip()[:MAX_QUERY]


def _search(named: list[Account]) -> tuple[list[Account], bool]:
    if not _query():
        return named, False
    found = account_search.search(current.work(), _query())
    return found.accounts, found.more
