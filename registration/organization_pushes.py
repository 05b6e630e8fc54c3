"""Pushes of organizations: the gateway knows each as a Participant, with its participations and
with the officers who get the gateway's mails (NT-03, NT-05, NT-11).

A push says which organization; what it says of it is read when it is sent. So a push that waited
never brings back what has changed since.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from registration import requests
from registration.delegation_facts import Tier
from registration.models import (
    Account,
    Appointment,
    Organization,
    Participation,
    Person,
    Push,
    Request,
)
from registration.transaction import UnitOfWork
from registration_bridge.message_urns import PARTICIPANT

#: What the gateway calls the offices whose holders it notifies.
FUNCTIONS = {
    Tier.AR: "authorized_representative",
    Tier.PC: "primary_contact",
    Tier.RA: "rights_administrator",
}


def queue(
    work: UnitOfWork,
    organization: Organization,
    request: Request | None = None,
    *,
    number: int | None = None,
) -> Push:
    """Order that the gateway makes the organization as it is; the request waits for it. The push
    has the next number, or this one."""
    push = Push(id=number, organization_id=organization.id, operation="put")
    requests.add_pushes(work, [push], request)
    return push


def queue_of_officer(work: UnitOfWork, account: Account) -> None:
    """Push the organizations at which the holder of a new account has an office: now the gateway
    can reach him."""
    query = select(Organization).where(
        Organization.id.in_(
            select(Appointment.organization_id).where(
                Appointment.person_id == account.person_id,
                Appointment.office.in_(FUNCTIONS),
                Appointment.held_at(work.now),
            )
        )
    )
    for organization in work.db.scalars(query.order_by(Organization.id)):
        queue(work, organization)


def participant(work: UnitOfWork, organization: Organization) -> dict[str, Any]:
    """The organization as it is now. Officers without an account at the gateway are left out,
    because it refuses them; they follow once they have one."""
    return {
        "schemas": [PARTICIPANT],
        "participantId": organization.organization_id,
        "name": organization.name,
        "status": "ended" if _is_over(work, organization) else "active",
        "participations": _participations(work, organization),
        "contacts": _contacts(work, organization),
    }


def _is_over(work: UnitOfWork, organization: Organization) -> bool:
    return organization.ended_at is not None and organization.ended_at <= work.now


def _participations(work: UnitOfWork, organization: Organization) -> list[dict[str, str]]:
    rows = work.db.scalars(
        select(Participation).where(Participation.organization_id == organization.id)
    )
    found = {
        (row.market.name, row.market.kind) for row in rows if row.state_at(work.now) == "approved"
    }
    return [{"value": name, "type": kind} for name, kind in sorted(found)]


def _contacts(work: UnitOfWork, organization: Organization) -> list[dict[str, str]]:
    query = (
        select(Person.person_id, Appointment.office)
        .join(Person, Person.id == Appointment.person_id)
        .join(Account, Account.person_id == Person.id)
        .where(
            Appointment.organization_id == organization.id,
            Appointment.office.in_(FUNCTIONS),
            Appointment.held_at(work.now),
            Account.scim_id.is_not(None),
            Account.ended_at.is_(None),
        )
        .distinct()
    )
    rows = sorted((person, FUNCTIONS[Tier(office)]) for person, office in work.db.execute(query))
    return [{"value": person, "type": function} for person, function in rows]
