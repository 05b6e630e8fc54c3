"""What the gateway is told of an account: all that registration knows of it, as a SCIM User."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from registration.models import (
    AccessAssignment,
    Account,
    ContactAssignment,
    Custody,
    Machine,
    MachineNetwork,
    Organization,
    Person,
    Push,
    Request,
)
from registration.transaction import UnitOfWork

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
EXTENSION = "urn:ieso:params:scim:schemas:extension:registration:2.0:User"
#: What the gateway calls the kinds of accounts.
KINDS = {"person": "personal", "machine": "machine", "email": "email"}


class NoHolder(RuntimeError):
    """A machine without a custodian cannot be pushed."""


def queue(work: UnitOfWork, account: Account, request: Request | None) -> Push:
    """Order that the gateway makes the account as it is now. The worker sends it after the
    transaction. The account is locked until then: a push says everything of it, so two at once
    would each leave out the other's change."""
    work.db.flush()
    work.db.execute(select(Account.id).where(Account.id == account.id).with_for_update())
    push = Push(
        account_id=account.id,
        request_id=request.id if request else None,
        operation="put",
        body=user(work, account, request),
        state="queued",
        next_attempt_at=work.now,
        created_at=work.now,
    )
    if request:
        request.waits_for += 1
    work.db.add(push)
    work.db.flush()
    return push


def operation(account: Account, body: dict[str, Any]) -> dict[str, Any]:
    """The operation of a Bulk that makes the account so: a new account is recognised by its
    ``externalId`` when it is sent again."""
    if account.scim_id is None:
        return {"method": "POST", "path": "/Users", "data": body}
    return {"method": "PUT", "path": f"/Users/{account.scim_id}", "data": body}


def user(work: UnitOfWork, account: Account, request: Request | None) -> dict[str, Any]:
    """The account as it is now."""
    holder = account.person or _custodian(work, account)
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
    if request:
        extension["requestNumber"] = request.number
    return _holder(holder) | {
        "schemas": [USER, EXTENSION],
        "externalId": account.external_id,
        "active": True,
        EXTENSION: extension,
    }


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


def _grants(work: UnitOfWork, account: Account) -> list[dict[str, Any]]:
    """The role groups of its access roles, and of the contact roles of its person (CO-06), each
    once for an organization."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    access = work.db.scalars(
        select(AccessAssignment).where(
            AccessAssignment.account_id == account.id, AccessAssignment.held_at(work.now)
        )
    )
    for row in access:
        for group in row.access_role.role_groups:
            _add(found, group, row)
    for held in _contact_assignments(work, account):
        for group in held.contact_role.role_groups:
            _add(found, group, held)
    return [found[key] for key in sorted(found)]


def _contact_assignments(work: UnitOfWork, account: Account) -> list[ContactAssignment]:
    """Those of the person that this account carries."""
    if account.kind != "person" or account.person_id is None:
        return []
    query = select(ContactAssignment).where(
        ContactAssignment.person_id == account.person_id, ContactAssignment.held_at(work.now)
    )
    if account.only_organization_id is not None:
        query = query.where(ContactAssignment.organization_id == account.only_organization_id)
    return list(work.db.scalars(query))


def _add(
    found: dict[tuple[str, str], dict[str, Any]],
    group: str,
    row: AccessAssignment | ContactAssignment,
) -> None:
    """Of two that give the same role group, the one that lasts longer counts."""
    key = (row.organization.organization_id, group)
    grant: dict[str, Any] = {
        "roleGroup": group,
        "participantId": row.organization.organization_id,
        "grantedBy": row.given_by,
    }
    if row.valid_until is not None:
        grant["validUntil"] = row.valid_until.isoformat()
    other = found.get(key)
    lasts_longer = other is not None and (
        "validUntil" not in other or other["validUntil"] >= grant.get("validUntil", "9999")
    )
    if not lasts_longer:
        found[key] = grant


def _custodian(work: UnitOfWork, account: Account) -> Person:
    query = (
        select(Custody)
        .join(Machine, Custody.machine_id == Machine.id)
        .where(Machine.account_id == account.id, Custody.held_at(work.now))
    )
    found = work.db.scalars(query).one_or_none()
    if found is None:
        raise NoHolder(account.external_id)
    return found.person


def _networks(work: UnitOfWork, account: Account) -> list[dict[str, str]]:
    query = (
        select(MachineNetwork)
        .join(Machine, MachineNetwork.machine_id == Machine.id)
        .where(Machine.account_id == account.id, MachineNetwork.held_at(work.now))
        .order_by(MachineNetwork.id)
    )
    return [{"value": row.network, "label": row.label} for row in work.db.scalars(query)]


def of_request(work: UnitOfWork, request: Request) -> list[Push]:
    """The pushes that the request waits for, in their order."""
    query = select(Push).where(Push.request_id == request.id).order_by(Push.id)
    return list(work.db.scalars(query))
