"""Search for persons before one is registered (RG-04, RG-05)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, select

from registration.models import Person
from registration.role_grid import plain
from registration.transaction import UnitOfWork

#: Results on the page; more of them ask for more letters.
MOST = 100
MIN_LETTERS = 2
#: Between the last name and the others in a search key.
SEPARATOR = "|"
ESCAPE = "\\"


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


def search_key(
    first_name: str, last_name: str, middle_name: str = "", preferred_name: str = ""
) -> str:
    """What ``Person.search_key`` is: the last name, then the others, without accents and
    capitals."""
    others = " ".join(filter(None, (first_name, middle_name, preferred_name)))
    return f"{_part(last_name)}{SEPARATOR}{_part(others)}"


def search(work: UnitOfWork, sought: Sought) -> Found:
    """The persons to whom everything that was entered applies. The first name may be the middle or
    the preferred one."""
    if not sought.is_enough:
        return Found(())
    query = select(Person).order_by(Person.last_name, Person.first_name, Person.id)
    if sought.person_id:
        query = query.where(Person.person_id == sought.person_id)
    if sought.last_name or sought.first_name:
        query = query.where(_named(sought))
    found = list(work.db.scalars(query.limit(MOST + 1)))
    return Found(tuple(found[:MOST]), len(found) > MOST)


def _named(sought: Sought) -> ColumnElement[bool]:
    last, first = (_escaped(_part(name)) for name in (sought.last_name, sought.first_name))
    return Person.search_key.like(f"%{last}%{SEPARATOR}%{first}%", escape=ESCAPE)


def _part(name: str) -> str:
    return plain(name).replace(SEPARATOR, " ")


def _escaped(text: str) -> str:
    for letter in (ESCAPE, "%", "_"):
        text = text.replace(letter, ESCAPE + letter)
    return text
