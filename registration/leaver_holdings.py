"""Everything that a person has at an organization, as a leaver would lose it (procedures D and J).

It is read once for the page that asks for confirmation and once for the act, which is refused if
anything has changed between the two.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import or_, select

from registration import accounts, waiting_requests
from registration.contact_directory import directory
from registration.contact_rules import Batch, Breach, Contact, ContactKind, Holding, breaches
from registration.delegation import Allowed, WhoCan, leaves_vacant, may, who_fills
from registration.delegation_facts import Actor, Facts, Target, Tier
from registration.delegation_rules import Action
from registration.kept_machines import KeptMachine, kept
from registration.models import (
    AccessAssignment,
    Account,
    Appointment,
    ContactAssignment,
    Custody,
    Machine,
    Organization,
    Person,
    Request,
)
from registration.transaction import UnitOfWork
from service_base.subqueries import among


@dataclass(frozen=True)
class Holdings:
    """What a person has at one organization."""

    person: Person
    access: tuple[AccessAssignment, ...]
    contacts: tuple[ContactAssignment, ...]
    appointments: tuple[Appointment, ...]
    machines: tuple[KeptMachine, ...]
    #: Requests for access that wait.
    requests: tuple[Request, ...]
    #: Accounts that act for this organization only; they end with everything else (UI-10).
    accounts: tuple[Account, ...]
    #: The contact roles that would have too few contacts (CO-04).
    breaches: tuple[Breach, ...]

    @property
    def seen(self) -> str:
        """For the form: each row and its version."""
        parts = (
            *_versions("a", self.access),
            *_versions("c", self.contacts),
            *_versions("o", self.appointments),
            *(f"m{one.row.id}.{one.revision}" for one in self.machines),
            *(f"r{one.id}.1" for one in self.requests),
            *(f"u{one.id}.1" for one in self.accounts),
        )
        return " ".join(parts)

    @property
    def offices(self) -> tuple[Tier, ...]:
        """The offices, from the top."""
        return tuple(sorted((Tier(one.office) for one in self.appointments), key=list(Tier).index))


def of_person(work: UnitOfWork, here: Organization, person: Person) -> Holdings:
    """What the person has here now."""
    contacts = _rows(work, ContactAssignment, here, ContactAssignment.person_id == person.id)
    known = directory(work, here)
    batch = Batch(
        removed=frozenset(
            Holding(one.contact_role.code, Contact(ContactKind.PERSON, person.person_id))
            for one in contacts
        )
    )
    held = select(Account.id).where(Account.person_id == person.id)
    machines = (
        select(Machine.id)
        .join(Custody, Custody.machine_id == Machine.id)
        .join(Account, Machine.account_id == Account.id)
        .where(
            Machine.organization_id == here.id,
            Custody.person_id == person.id,
            Custody.held_at(work.now),
            Account.ended_at.is_(None),
        )
        .order_by(Machine.id)
    )
    return Holdings(
        person=person,
        access=_rows(work, AccessAssignment, here, among(AccessAssignment.account_id, held)),
        contacts=contacts,
        appointments=_rows(work, Appointment, here, Appointment.person_id == person.id),
        machines=tuple(kept(work, here, row) for row in work.db.scalars(machines).all()),
        requests=tuple(waiting_requests.of_person(work, here, person)),
        accounts=tuple(accounts.only_for(work, person, here)),
        breaches=breaches(known.rules, known.held, batch),
    )


def vacated(
    here: Organization, gone: Holdings, facts: Facts
) -> tuple[tuple[Tier, tuple[WhoCan, ...]], ...]:
    """The offices that nobody would hold any more, and who is asked to fill each (TM-03, TM-05,
    TM-06)."""
    number, person = here.organization_id, gone.person.person_id
    left = without(facts, here, gone.person)
    return tuple(
        (office, who_fills(office, number, left))
        for office in gone.offices
        if leaves_vacant(Target(number, person, office), facts)
    )


def may_close_account(
    work: UnitOfWork, actor: Actor, here: Organization, person: Person, facts: Facts
) -> bool:
    """Whether the actor may close the personal account too: nothing else needs it (PR-05, Z-18)."""
    target = Target(here.organization_id, person.person_id)
    left = without(facts, here, person)
    is_allowed = isinstance(may(actor, Action.END_ACCOUNT, target, left), Allowed)
    return is_allowed and accounts.of_person(work, person) is not None


def without(facts: Facts, here: Organization, person: Person) -> Facts:
    """The facts once the person has no office and no machine here."""
    gone = (person.person_id, here.organization_id)
    return replace(
        facts,
        appointments=tuple(
            one for one in facts.appointments if (one.person, one.organization) != gone
        ),
        machines=tuple(one for one in facts.machines if (one.custodian, one.organization) != gone),
    )


def _rows(work: UnitOfWork, kind: Any, here: Organization, condition: Any) -> tuple[Any, ...]:
    query = select(kind).where(
        kind.organization_id == here.id,
        kind.ended_at.is_(None),
        or_(kind.valid_until.is_(None), kind.valid_until > work.now),
        condition,
    )
    ordered = query.order_by(kind.id).execution_options(populate_existing=True)
    return tuple(work.db.scalars(ordered))


def _versions(letter: str, rows: Iterable[Any]) -> Iterable[str]:
    return (f"{letter}{row.id}.{row.version}" for row in rows)
