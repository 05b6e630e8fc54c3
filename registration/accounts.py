"""The account of a person at the gateway, as registration orders it (TM-15, AR-07, UI-11)."""

from __future__ import annotations

from sqlalchemy import select

from registration import history
from registration.models import Account, Person, Request
from registration.transaction import UnitOfWork

#: Action of the history.
ORDERED = "account.ordered"


def of_person(work: UnitOfWork, person: Person) -> Account | None:
    """The personal account that acts for every organization, unless it has ended."""
    return work.db.scalar(
        select(Account).where(
            Account.person_id == person.id,
            Account.kind == "person",
            Account.only_organization_id.is_(None),
            Account.ended_at.is_(None),
        )
    )


def ordered(work: UnitOfWork, person: Person, request: Request) -> Account:
    """The personal account; who has none gets one. The gateway chooses its user name."""
    account = of_person(work, person)
    if account is None:
        account = Account(
            external_id=f"person-{person.person_id}",
            kind="person",
            person_id=person.id,
            created_at=work.now,
            created_by=work.origin.actor,
        )
        work.db.add(account)
        work.db.flush()
        history.record(work, ORDERED, person=person, account=account, request=request)
    return account
