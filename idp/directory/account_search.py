"""The search box of the console: finds accounts by prefixes of names and identifiers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Select, bindparam, delete, exists, insert, or_, select
from sqlalchemy.orm import aliased

from idp.db import table
from idp.models import Account, Assignment, Participant, Person, SearchTerm
from idp.policy.search_terms import fold, prefix_range, query_words, terms
from idp.transaction import UnitOfWork

#: The maximum shown; the page says that there are more.
LIMIT = 50
MAX_SORT_NAME = 200
_TERMS = table(SearchTerm)
_DELETE_TERMS = delete(_TERMS).where(_TERMS.c.account_id == bindparam("account"))
_ADD_TERMS = insert(_TERMS)


@dataclass(frozen=True)
class SearchResult:
    """The accounts found, and whether there are more."""

    accounts: list[Account]
    more: bool


def index_account(work: UnitOfWork, account: Account) -> None:
    """Rebuild the search terms of an account, and its place in lists, after it is created or its
    person changes."""
    account.sort_name = sort_name(account.person.family_name, account.person.given_name)
    work.run(_DELETE_TERMS, {"account": account.id})
    add_terms(work, account)


def add_terms(work: UnitOfWork, account: Account) -> None:
    """Add the search terms of an account that has none."""
    rows = [{"term": term, "account_id": account.id} for term in account_terms(account)]
    if work.gathering is None:
        work.run(_ADD_TERMS, rows)
    else:
        work.gathering.add_values(_TERMS, *rows)


def sort_name(family_name: str, given_name: str) -> str:
    """The value by which lists sort accounts."""
    return f"{fold(family_name)} {fold(given_name)}"[:MAX_SORT_NAME]


def account_terms(account: Account) -> list[str]:
    """The search terms of an account."""
    person = account.person
    return sorted(
        terms(
            username=account.username,
            email=person.email,
            person_id=person.person_id,
            names=(
                person.given_name, person.middle_name, person.family_name, person.preferred_name,
            ),
            phones=(person.phone, account.recovery_phone or ""),
        )
    )  # fmt: skip


def search(work: UnitOfWork, query: str) -> SearchResult:
    """The accounts for which every word of ``query`` is a prefix of a search term. If there are
    none, the accounts with a role group at participants whose number or name has that prefix."""
    words = query_words(query)
    if not words:
        return SearchResult([], more=False)
    ids = _ids(work, _by_words(words))
    if not ids:
        ids = _ids(work, _by_participant(query))
    rows = work.db.scalars(
        select(Account)
        .join(Account.person)
        .where(Account.id.in_(ids[:LIMIT]))
        .order_by(Person.family_name, Person.given_name, Account.username_key)
    )
    return SearchResult(list(rows), more=len(ids) > LIMIT)


def _ids(work: UnitOfWork, query: Select[int]) -> list[int]:
    return list(dict.fromkeys(work.db.scalars(query.limit(LIMIT + 1))))


def _by_words(words: Iterable[str]) -> Select[int]:
    """Scans the index by the longest word and stops when the limit is reached."""
    first, *others = words
    start, end = prefix_range(first)
    query = (
        select(SearchTerm.account_id)
        .where(SearchTerm.term >= start, SearchTerm.term < end)
        .order_by(SearchTerm.term, SearchTerm.account_id)
    )
    for word in others:
        term = aliased(SearchTerm)
        start, end = prefix_range(word)
        query = query.where(
            exists().where(
                term.account_id == SearchTerm.account_id, term.term >= start, term.term < end
            )
        )
    return query


def _by_participant(text: str) -> Select[int]:
    """Accounts with a role group at a participant. There are few participants, so their names need
    no index."""
    text = text.strip()
    escaped = fold(text).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    matching = select(Participant.id).where(
        or_(Participant.number == text, Participant.name_key.like(f"{escaped}%", escape="\\"))
    )
    return (
        select(Assignment.account_id)
        .where(Assignment.participant_id.in_(matching), Assignment.revoked_at.is_(None))
        .order_by(Assignment.account_id)
        .distinct()
    )
