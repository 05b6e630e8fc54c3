"""Search for persons before one is registered (RG-04, RG-05)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from registration.models import Person
from registration.role_grid import plain
from registration.transaction import UnitOfWork

#: Results on the page; more of them ask for more letters.
MOST = 100
MIN_LETTERS = 2


@dataclass(frozen=True)
class Sought:
    """What was entered: a Person ID, or any part of the last or the first name."""

    person_id: str = ""
    last_name: str = ""
    first_name: str = ""

    @property
    def is_enough(self) -> bool:
        """Whether something can be searched for: at least one field, names with two letters."""
        names = [name for name in (self.last_name, self.first_name) if name]
        return bool(self.person_id or names) and all(len(name) >= MIN_LETTERS for name in names)


@dataclass(frozen=True)
class Found:
    """The persons, by last name, first name and Person ID."""

    persons: tuple[Person, ...]
    has_more: bool = False


def search(work: UnitOfWork, sought: Sought) -> Found:
    """The persons to whom everything that was entered applies. The first name may be the middle or
    the preferred one."""
    if not sought.is_enough:
        return Found(())
    query = select(Person).order_by(Person.last_name, Person.first_name, Person.id)
    if sought.person_id:
        query = query.where(Person.person_id == sought.person_id)
    last, first = plain(sought.last_name), plain(sought.first_name)
    for part in filter(None, (last, first)):
        query = query.where(Person.search_key.contains(part, autoescape=True))
    found = [row for row in work.db.scalars(query) if _matches(row, last, first)]
    return Found(tuple(found[:MOST]), len(found) > MOST)


def _matches(row: Person, last: str, first: str) -> bool:
    firsts = plain(f"{row.first_name} {row.middle_name} {row.preferred_name}")
    return last in plain(row.last_name) and first in firsts
