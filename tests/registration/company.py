"""A company and its people in the tables, and what was written about them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import func, select

from registration.catalogue import packaged
from registration.delegation_facts import OFFICES, Actor, Tier
from registration.models import (
    Appointment,
    Base,
    ContactRole,
    History,
    Market,
    Notice,
    Organization,
    Participation,
    Person,
    Push,
    Task,
)
from registration.transaction import Origin, Runtime, UnitOfWork

LAKES, WIND = "109120", "111340"
DESK = Actor("100310", is_operator=True)


class Company:
    """Shortcuts of tests; each runs in a unit of work of its own."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.clock: Any = runtime.ports.clock

    def work(self, actor: str = "test") -> Any:
        return self.runtime.work(Origin(actor))

    def found(self) -> None:
        """Lakes with one officer a tier, its participation approved; Wind without anybody."""
        with self.work() as work:
            work.db.add(Market(code="energy", name="Energy", name_fr="Énergie", kind="market"))
            for role in packaged().contact_roles.values():
                if role.office:
                    work.db.add(
                        ContactRole(
                            code=role.code,
                            name=role.name,
                            name_fr=role.name_fr,
                            held_by="person",
                            exclusive_with=[],
                            markets=[],
                            role_groups=list(role.role_groups),
                            office=role.office,
                        )
                    )
            for number, name in ((LAKES, "Northern Lakes"), (WIND, "Grand Bend")):
                work.db.add(
                    Organization(
                        organization_id=number, name=name, created_at=work.now, updated_at=work.now
                    )
                )
            work.db.flush()
            for number in (LAKES, WIND):
                self._participate(work, number)
            for office in OFFICES:
                self._in_office(work, self._person(work, office.value), office)
            for name in ("new", "french"):
                self._person(work, name, "fr" if name == "french" else "en")

    def _participate(self, work: UnitOfWork, number: str) -> None:
        market = work.db.scalars(select(Market)).one()
        work.db.add(
            Participation(
                organization_id=organization(work, number).id,
                market_id=market.id,
                applied_at=work.now,
                applied_by="test",
                approved_at=work.now,
            )
        )

    def _person(self, work: UnitOfWork, name: str, language: str = "en") -> Person:
        row = Person(
            person_id=name,
            first_name=name.capitalize(),
            last_name="Smith",
            main_email=f"{name}@lakes.example",
            main_phone="+1 705 555 0142",
            language=language,
            search_key=f"smith|{name}",
            created_at=work.now,
            updated_at=work.now,
        )
        work.db.add(row)
        work.db.flush()
        return row

    def _in_office(self, work: UnitOfWork, person: Person, office: Tier) -> None:
        work.db.add(
            Appointment(
                person_id=person.id,
                organization_id=organization(work, LAKES).id,
                office=office.value,
                valid_from=work.now - timedelta(days=1),
                given_by="test",
            )
        )

    def count(self, model: type[Base]) -> int:
        with self.work() as work:
            return work.db.scalar(select(func.count()).select_from(model)) or 0

    def notices(self) -> list[tuple[str, str, str]]:
        """(kind, recipient, subject) in their order."""
        with self.work() as work:
            rows = work.db.scalars(select(Notice).order_by(Notice.id))
            return [(row.kind, row.recipient, row.subject) for row in rows]

    def tasks(self) -> list[tuple[str | None, dict[str, Any]]]:
        """The open ones: (office, data)."""
        with self.work() as work:
            rows = work.db.scalars(select(Task).where(Task.done_at.is_(None)).order_by(Task.id))
            return [(row.office, row.data) for row in rows]

    def last_push(self) -> dict[str, Any]:
        """The last one of an account."""
        with self.work() as work:
            return (
                work.db.scalars(
                    select(Push).where(Push.account_id.is_not(None)).order_by(Push.id.desc())
                )
                .first()
                .body
            )  # type: ignore[union-attr]

    def history(self) -> list[tuple[str, str, str]]:
        """(action, actor, reason) in their order."""
        with self.work() as work:
            rows = work.db.scalars(select(History).order_by(History.id))
            return [(row.action, row.actor, row.reason) for row in rows]

    def appointment(self, name: str, office: Tier) -> tuple[int, int]:
        """Id and version of the open appointment."""
        with self.work() as work:
            row = work.db.scalars(
                select(Appointment)
                .join(Person, Person.id == Appointment.person_id)
                .where(
                    Person.person_id == name,
                    Appointment.office == office.value,
                    Appointment.ended_at.is_(None),
                )
            ).one()
            return row.id, row.version


def organization(work: UnitOfWork, number: str = LAKES) -> Organization:
    return work.db.scalars(select(Organization).where(Organization.organization_id == number)).one()


def person(work: UnitOfWork, name: str) -> Person:
    return work.db.scalars(select(Person).where(Person.person_id == name)).one()
