"""The account of a person at the gateway, as registration orders it (TM-15, AR-07, UI-11)."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import func, or_, select

from registration import history
from registration.models import Account, Custody, Machine, Organization, Person, Request
from registration.transaction import UnitOfWork

#: Accounts that are read at a time when all are.
BATCH = 200
#: Actions of the history.
ORDERED, CREATED, ENDED = "account.ordered", "account.created", "account.ended"


def of_person(work: UnitOfWork, person: Person) -> Account | None:
    """The personal account that acts for every organization, unless it has ended."""
    return next(iter(of_persons(work, [person.id])), None)


def of_persons(work: UnitOfWork, persons: Iterable[int]) -> list[Account]:
    """Those of these persons (rows)."""
    query = select(Account).where(
        Account.person_id.in_(sorted(set(persons))),
        Account.kind == "person",
        Account.only_organization_id.is_(None),
        Account.ended_at.is_(None),
    )
    return list(work.db.scalars(query))


def custodians(work: UnitOfWork, accounts: Iterable[Account]) -> dict[int, Person]:
    """Of those accounts that are machines, by row: who has custody of the machine now."""
    machines = [one.id for one in accounts if one.kind == "machine"]
    if not machines:
        return {}
    query = (
        select(Machine.account_id, Person)
        .join(Custody, Custody.machine_id == Machine.id)
        .join(Person, Custody.person_id == Person.id)
        .where(Machine.account_id.in_(machines), Custody.held_at(work.now))
    )
    return dict(work.db.execute(query).all())


def open_after(work: UnitOfWork, last: int) -> list[Account]:
    """The next batch of all accounts that have not ended, after the one with the id ``last``."""
    query = select(Account).where(Account.id > last, Account.ended_at.is_(None))
    return list(work.db.scalars(query.order_by(Account.id).limit(BATCH)))


def only_for(work: UnitOfWork, person: Person, here: Organization) -> list[Account]:
    """The open accounts of the person that act for this organization only (UI-10)."""
    query = select(Account).where(
        Account.person_id == person.id,
        Account.only_organization_id == here.id,
        Account.ended_at.is_(None),
    )
    return list(work.db.scalars(query.order_by(Account.id)))


def acting_for(work: UnitOfWork, person: Person, here: Organization) -> Account | None:
    """The account to which a role at this organization is attached (AR-06): the one that acts for
    it only, else the one that acts for every organization."""
    only = select(Account).where(
        Account.person_id == person.id,
        Account.kind == "person",
        Account.only_organization_id == here.id,
        Account.ended_at.is_(None),
    )
    return work.db.scalars(only).first() or of_person(work, person)


def ordered(work: UnitOfWork, person: Person, request: Request) -> Account:
    """The personal account; who has none gets one (AR-07). The gateway chooses its user name. Two
    units of work at once do not make two: the person is locked."""
    work.db.execute(select(Person.id).where(Person.id == person.id).with_for_update())
    account = of_person(work, person)
    if account is None:
        account = Account(
            external_id=_next_id(work, person),
            kind="person",
            person_id=person.id,
            created_at=work.now,
            created_by=work.origin.actor,
        )
        work.db.add(account)
        work.db.flush()
        history.record(work, ORDERED, person=person, account=account, request=request)
    return account


def _next_id(work: UnitOfWork, person: Person) -> str:
    """Our id for it at the gateway. An account that has ended keeps its own for all time."""
    own = f"person-{person.person_id}"
    query = select(func.count()).where(
        Account.person_id == person.id,
        or_(Account.external_id == own, Account.external_id.startswith(f"{own}-")),
    )
    former = work.db.scalar(query) or 0
    return f"{own}-{former + 1}" if former else own
