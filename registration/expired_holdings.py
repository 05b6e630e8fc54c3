"""Closes what has expired: appointments, contact roles and access roles whose end has passed, and
which nobody ended.

An open row makes a new one for the same holder impossible. So services close what has expired at an
organization before they change something there, and the worker closes the rest. An office that
nobody holds any more is a vacancy, as after an end that somebody ordered.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, select, union

from registration import custody_alarms, history, organization_pushes, vacancies
from registration.delegation_facts import Tier
from registration.models import (
    AccessAssignment,
    Appointment,
    ContactAssignment,
    History,
    Organization,
    Person,
)
from registration.organization_facts import facts_of
from registration.permission import lock
from registration.transaction import Runtime, UnitOfWork

#: Actions of the history.
APPOINTMENT = "appointment.expired"
CONTACT_ROLE = "contact_role.expired"
ACCESS_ROLE = "access.expired"
#: The actor in the history of an expired holding.
ACTOR = "registration"
WHY = "expired"

Expiring = Appointment | ContactAssignment | AccessAssignment
_KINDS: tuple[type[Expiring], ...] = (Appointment, ContactAssignment, AccessAssignment)


def lock_and_close(work: UnitOfWork, organization: Organization) -> None:
    """How a change of who may do what at an organization begins: other changes there wait until
    this one is committed (``permission.lock``), and what has expired makes room for what is new."""
    lock(work, organization)
    vacated: dict[Tier, History] = {}
    holders: list[Person | None] = []
    for kind in _KINDS:
        query = select(kind).where(kind.organization_id == organization.id, *_over(kind, work))
        ordered = query.order_by(kind.id).execution_options(populate_existing=True)
        rows: list[Any] = list(work.db.scalars(ordered))
        for row in rows:
            entry = _close(work, row)
            holders.append(_holder(row))
            if isinstance(row, Appointment):
                vacated[Tier(row.office)] = entry
    custody_alarms.check(work, organization, holders)
    if vacated:
        organization_pushes.queue(work, organization)
        left = facts_of(work, organization)
        for office, entry in vacated.items():
            if not left.holders(office, organization.organization_id):
                vacancies.tell(work, organization, office, entry, left)


def close_all(runtime: Runtime) -> int:
    """Close what has expired anywhere, a transaction for each organization; returns for how many
    organizations."""
    with runtime.work() as work:
        concerned = union(
            *(select(kind.organization_id).where(*_over(kind, work)) for kind in _KINDS)
        )
        numbers = list(work.db.scalars(concerned))
    for number in numbers:
        with runtime.work() as work:
            lock_and_close(work, work.db.get_one(Organization, number))
    return len(numbers)


def _over(kind: type[Expiring], work: UnitOfWork) -> tuple[ColumnElement[bool], ...]:
    return kind.ended_at.is_(None), kind.valid_until <= work.now


def _close(work: UnitOfWork, row: Expiring) -> History:
    if row.valid_until is None:
        raise ValueError("it has no end")
    row.ended_at, row.ended_by, row.ended_why = row.valid_until, ACTOR, WHY
    before = {"until": row.valid_until.isoformat()}
    match row:
        case Appointment():
            action, before["office"] = APPOINTMENT, row.office
        case ContactAssignment():
            action, before["role"] = CONTACT_ROLE, row.contact_role.code
            if row.section is not None:
                before["section"] = str(row.section.id)
        case _:
            action, before["role"] = ACCESS_ROLE, row.access_role.code
    account = row.account if isinstance(row, AccessAssignment) else None
    return history.record(
        work,
        action,
        actor=ACTOR,
        organization=row.organization,
        person=_holder(row),
        account=account,
        before=before,
        reason=WHY,
    )


def _holder(row: Expiring) -> Person | None:
    """None: a section or a machine."""
    return row.account.person if isinstance(row, AccessAssignment) else row.person
