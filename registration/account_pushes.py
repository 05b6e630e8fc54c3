"""What a push says about an account: all that registration knows, as a SCIM User (PR-01).

A push is a row of the transaction of the change; the worker sends it (``push_delivery``). Each is
the whole account, so that a push that comes twice, or alone after a lost one, leads to the same
state.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, or_, select

from registration import requests
from registration.models import (
    AccessAssignment,
    Account,
    Appointment,
    ContactAssignment,
    ContactRole,
    Custody,
    Held,
    Machine,
    MachineNetwork,
    Organization,
    Person,
    Push,
    Request,
)
from registration.ports import Bridge
from registration.transaction import UnitOfWork
from registration_bridge.message_urns import PATCH, REGISTRATION_USER, USER

#: What a person may lack.
OPTIONAL = ("nickName", "phoneNumbers")
#: What the gateway calls the kinds of accounts.
KINDS = {"person": "personal", "machine": "machine", "email": "email"}


class NoCustodian(RuntimeError):
    """A machine without a custodian cannot be pushed."""


@dataclass(frozen=True)
class Term:
    """How long a role group is held at an organization, and who gave it."""

    since: datetime
    until: datetime | None
    given_by: str

    def wider(self, other: Term) -> Term:
        """Both together: several roles can mean the same role group."""
        ends = [one for one in (self.until, other.until) if one is not None]
        until = max(ends) if len(ends) == 2 else None
        return Term(min(self.since, other.since), until, self.given_by)


def queue(work: UnitOfWork, account: Account, request: Request | None = None) -> Push:
    """Order that the gateway makes the account as it is now; the request waits for it. The account
    is locked until the end of the transaction: a push says everything of it, so two at once would
    each leave out the other's change."""
    push = _new(work, account, request, "put")
    push.body = user(work, account, request, sequence=push.id)
    return push


def queue_end(work: UnitOfWork, account: Account, request: Request | None = None) -> Push:
    """Order that the gateway closes the account for all time (PR-04)."""
    return _new(work, account, request, "delete")


def _new(work: UnitOfWork, account: Account, request: Request | None, operation: str) -> Push:
    work.db.flush()
    work.db.execute(select(Account.id).where(Account.id == account.id).with_for_update())
    push = Push(account_id=account.id, operation=operation)
    requests.add_push(work, push, request)
    return push


def operation(account: Account, body: dict[str, Any]) -> dict[str, Any]:
    """The operation of a Bulk that makes the account so: a new account is recognised by its
    ``externalId`` when it is sent again.

    A machine is patched with all values. A PUT that names another custodian is refused by the
    gateway if somebody new to it has the telephone number of the former one, as colleagues do
    (docs/decisions/0017)."""
    if account.scim_id is None:
        return {"method": "POST", "path": "/Users", "data": body}
    path = f"/Users/{account.scim_id}"
    if account.kind != "machine":
        return {"method": "PUT", "path": path, "data": body}
    values = {name: value for name, value in body.items() if name != "schemas"}
    changes: list[dict[str, Any]] = [{"op": "replace", "value": values}]
    changes += [{"op": "remove", "path": name} for name in OPTIONAL if name not in body]
    return {"method": "PATCH", "path": path, "data": {"schemas": [PATCH], "Operations": changes}}


def at_gateway(bridge: Bridge, operation: dict[str, Any]) -> dict[str, Any] | None:
    """The account of such an operation, when it is new here and the gateway has it already: found
    by our id, or by its user name. Raises BridgeError."""
    if operation["method"] != "POST":
        return None
    body = operation["data"]
    known = bridge.find("externalId", body["externalId"])
    if known is None and "userName" in body:
        known = bridge.find("userName", body["userName"])
    return known


def of_known(operation: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """The operation, for the account that the gateway has already."""
    return operation | {"method": "PUT", "path": f"/Users/{known['id']}"}


def user(
    work: UnitOfWork, account: Account, request: Request | None = None, *, sequence: int = 0
) -> dict[str, Any]:
    """The account as it is now. Raises NoCustodian."""
    holder = holder_of(work, account)
    extension: dict[str, Any] = {
        "personId": holder.person_id,
        "accountKind": KINDS[account.kind],
        "grants": _grants(work, account),
    }
    if account.kind == "machine":
        extension["registeredNetworks"] = _networks(work, account)
    if account.only_organization_id is not None:
        only = work.db.get_one(Organization, account.only_organization_id)
        extension["secondAccount"] = {
            "reason": "transmission_rights",
            "participantId": only.organization_id,
        }
    if request is not None:
        extension["requestNumber"] = request.number
    if sequence:
        extension["sequence"] = sequence
    body = _holder(holder) | {
        "schemas": [USER, REGISTRATION_USER],
        "externalId": account.external_id,
        "active": True,
        REGISTRATION_USER: extension,
    }
    if account.username is not None:
        body["userName"] = account.username
    return body


def holder_of(work: UnitOfWork, account: Account) -> Person:
    """The person, or the custodian of a machine. Raises NoCustodian."""
    return account.person or _custodian(work, account)


def _holder(person: Person) -> dict[str, Any]:
    name = {
        "familyName": person.last_name,
        "givenName": person.first_name,
        "middleName": person.middle_name,
    }
    found: dict[str, Any] = {
        "name": {key: value for key, value in name.items() if value},
        "preferredLanguage": person.language,
        "emails": [{"value": person.main_email, "type": "work", "primary": True}],
    }
    if person.preferred_name:
        found["nickName"] = person.preferred_name
    if person.main_phone:
        extension = person.main_phone_extension
        number = f"tel:{person.main_phone}" + (f";ext={extension}" if extension else "")
        found["phoneNumbers"] = [{"value": number, "type": "work", "primary": True}]
    return found


def _grants(work: UnitOfWork, account: Account) -> list[dict[str, str]]:
    """The role groups of everything that the account and its person hold, each once for an
    organization."""
    found: dict[tuple[str, str], Term] = {}
    for row, number, groups in _sources(work, account):
        for group in groups:
            term = Term(row.valid_from, row.valid_until, row.given_by)
            known = found.get((group, number))
            found[group, number] = known.wider(term) if known else term
    return [
        {
            "roleGroup": group,
            "participantId": number,
            "grantedBy": term.given_by,
            **_limits(work, term),
        }
        for (group, number), term in sorted(found.items(), key=lambda one: one[0])
    ]


def _limits(work: UnitOfWork, term: Term) -> dict[str, str]:
    limits = {}
    if term.since > work.now:
        limits["validFrom"] = term.since.isoformat()
    if term.until is not None:
        limits["validUntil"] = term.until.isoformat()
    return limits


def _sources(work: UnitOfWork, account: Account) -> Iterator[tuple[Held, str, list[str]]]:
    """Everything that gives role groups, now or later, with the Organization ID."""
    for access in work.db.scalars(
        select(AccessAssignment).where(
            AccessAssignment.account_id == account.id, _not_over(AccessAssignment, work.now)
        )
    ):
        yield access, access.organization.organization_id, access.access_role.role_groups
    if account.kind == "person" and account.only_organization_id is None:
        yield from _of_person(work, account.person_id)


def _of_person(work: UnitOfWork, person_id: int | None) -> Iterator[tuple[Held, str, list[str]]]:
    """Contact roles (CO-06) and offices, which the first account of a person carries."""
    for contact in work.db.scalars(
        select(ContactAssignment).where(
            ContactAssignment.person_id == person_id, _not_over(ContactAssignment, work.now)
        )
    ):
        yield contact, contact.organization.organization_id, contact.contact_role.role_groups
    offices = select(ContactRole.office, ContactRole.role_groups).where(
        ContactRole.office.is_not(None)
    )
    groups = dict(work.db.execute(offices).all())
    for office in work.db.scalars(
        select(Appointment).where(
            Appointment.person_id == person_id, _not_over(Appointment, work.now)
        )
    ):
        yield office, office.organization.organization_id, groups.get(office.office, [])


def _not_over(held: type[Held], at: datetime) -> ColumnElement[bool]:
    return or_(held.valid_until.is_(None), held.valid_until > at)


def _custodian(work: UnitOfWork, account: Account) -> Person:
    found = work.db.scalars(
        select(Custody)
        .join(Machine, Custody.machine_id == Machine.id)
        .where(Machine.account_id == account.id, Custody.held_at(work.now))
    ).one_or_none()
    if found is None:
        raise NoCustodian(account.external_id)
    return found.person


def _networks(work: UnitOfWork, account: Account) -> list[dict[str, str]]:
    query = (
        select(MachineNetwork)
        .join(Machine, MachineNetwork.machine_id == Machine.id)
        .where(Machine.account_id == account.id, MachineNetwork.held_at(work.now))
        .order_by(MachineNetwork.id)
    )
    return [{"value": row.network, "label": row.label} for row in work.db.scalars(query)]
