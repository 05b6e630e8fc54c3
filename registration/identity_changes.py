"""Significant changes of a person's information, after which identity should be proofed again
(TM-10)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import func, select

from registration import persons
from registration.models import AccessAssignment, Account, History, Organization, Person
from registration.transaction import UnitOfWork

#: What the manual calls significant (appendix B): name, e-mail address, telephone number.
SIGNIFICANT = frozenset({"first_name", "last_name", "main_email", "main_phone"})


def since_last_grant(
    work: UnitOfWork, here: Organization, people: Iterable[str]
) -> dict[str, datetime]:
    """The time of the last significant change of each of these people (Person IDs) who has had one
    since the organization last granted them an access role. People without an earlier grant are
    left out: their identity is proofed now anyway."""
    wanted = select(Person.id).where(Person.person_id.in_(sorted(set(people))))
    granted = (
        select(Account.person_id, func.max(AccessAssignment.valid_from).label("at"))
        .join(AccessAssignment, AccessAssignment.account_id == Account.id)
        .where(AccessAssignment.organization_id == here.id, Account.person_id.in_(wanted))
        .group_by(Account.person_id)
        .subquery()
    )
    changes = (
        select(Person.person_id, History.at, History.after)
        .join(History, History.person_id == Person.id)
        .join(granted, granted.c.person_id == Person.id)
        .where(
            History.action == persons.CHANGED,
            History.at > granted.c.at,
        )
        .order_by(History.id)
    )
    return {
        person_id: at
        for person_id, at, after in work.db.execute(changes)
        if SIGNIFICANT.intersection(after)
    }
