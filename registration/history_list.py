"""The history of an organization, newest first (TM-12, RG-08)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select

from registration.models import History, Organization, Person
from registration.organization_facts import names, organization
from registration.transaction import Runtime, UnitOfWork

#: Entries on a page.
SIZE = 100


@dataclass(frozen=True)
class Asked:
    """Which entries: of an action, by an actor or about a person (Person IDs), in a period. All of
    it is optional."""

    action: str = ""
    actor: str = ""
    person: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Entry:
    """An entry, with the names of the people."""

    id: int
    at: datetime
    actor: str
    actor_name: str
    on_behalf_of: str
    action: str
    person: str
    person_name: str
    before: dict[str, Any]
    after: dict[str, Any]
    reason: str


def page(
    work: UnitOfWork, here: Organization, asked: Asked, *, before: int = 0
) -> tuple[list[Entry], int]:
    """A page of entries older than ``before`` (0: the newest), and where the next page starts; 0 if
    there is none."""
    query = _query(here, asked)
    if before:
        query = query.where(History.id < before)
    rows = list(work.db.execute(query.limit(SIZE + 1)))
    has_more = len(rows) > SIZE
    found = _entries(work, rows[:SIZE])
    return found, found[-1].id if has_more else 0


def whole(runtime: Runtime, organization_id: str, asked: Asked) -> Iterator[Entry]:
    """All entries, for downloads. Each page is read in a unit of work of its own, so that a slow
    reader keeps no connection."""
    start = 0
    while True:
        with runtime.work() as work:
            here = organization(work, organization_id)
            found, start = page(work, here, asked, before=start) if here else ([], 0)
        yield from found
        if not start:
            return


def _query(here: Organization, asked: Asked) -> Select[History, str | None]:
    query = (
        select(History, Person.person_id)
        .outerjoin(Person, History.person_id == Person.id)
        .where(History.organization_id == here.id)
        .order_by(History.id.desc())
    )
    if asked.action:
        query = query.where(History.action == asked.action)
    if asked.actor:
        query = query.where(History.actor == asked.actor)
    if asked.person:
        query = query.where(Person.person_id == asked.person)
    if asked.since:
        query = query.where(History.at >= asked.since)
    if asked.until:
        query = query.where(History.at < asked.until)
    return query


def _entries(work: UnitOfWork, rows: list[Any]) -> list[Entry]:
    people = {row.actor for row, _ in rows} | {person for _, person in rows if person}
    known = names(work, people)
    return [
        Entry(
            row.id,
            row.at,
            row.actor,
            known.get(row.actor, row.actor),
            row.on_behalf_of,
            row.action,
            person or "",
            known.get(person or "", ""),
            row.before,
            row.after,
            row.reason,
        )
        for row, person in rows
    ]
