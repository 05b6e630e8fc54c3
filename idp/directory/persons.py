"""Changes of a person's data by registration. They apply to all accounts of the person, including
machine accounts (RG-09, AC-08, NT-04, NT-12)."""

from __future__ import annotations

from dataclasses import dataclass, fields

from sqlalchemy import case, select

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.credentials import links, one_time_codes
from idp.credentials.links import Purpose
from idp.directory import account_search, accounts, activation, separation_of_duties
from idp.messages import queue
from idp.messages.message_kinds import MailKind
from idp.models import Account, AccountKind, AccountState, Person
from idp.policy.names import name_key
from idp.transaction import UnitOfWork


@dataclass(frozen=True, kw_only=True)
class PersonChanges:
    """New values. None leaves a value unchanged."""

    given_name: str | None = None
    middle_name: str | None = None
    family_name: str | None = None
    preferred_name: str | None = None
    email: str | None = None
    phone: str | None = None


def by_person_id(work: UnitOfWork, person_id: str) -> Person | None:
    """The person with this Person ID."""
    return accounts.PERSONS.find(work, person_id)


def lock_by_person_id(work: UnitOfWork, person_id: str) -> Person | None:
    """As ``by_person_id``, and lock the person until the transaction ends."""
    query = select(Person.id).where(Person.person_id == person_id).with_for_update()
    work.db.execute(query)
    return by_person_id(work, person_id)


def accounts_of(work: UnitOfWork, person: Person) -> list[Account]:
    """The accounts that the person holds or is custodian of, except deactivated ones; personal
    accounts first."""
    order = case({kind: n for n, kind in enumerate(AccountKind)}, value=Account.kind)
    rows = work.db.scalars(
        select(Account)
        .where(Account.person_id == person.id, Account.state != AccountState.DEACTIVATED)
        .order_by(order, Account.id)
    )
    return list(rows)


def update(work: UnitOfWork, person: Person, changes: PersonChanges) -> list[str]:
    """Apply changes and return the names of the changed fields. Raises Invalid and then changes
    nothing.

    The person gets one notice. If the e-mail address changes, the old address gets one too, without
    a usable link. Links and codes sent to the old address are invalidated, and a pending activation
    is mailed again with the same expiry.
    """
    separation_of_duties.check_person(work, person)
    after = _checked(person, changes)
    changed = _different(person, after)
    if not changed:
        return []
    held = accounts_of(work, person)
    if "email" in changed and held:
        queue.enqueue(work, MailKind.ADDRESS_CHANGED, held[0])
    columns = [name for name in changed if name not in ("email_key", "phone_extension")]
    before = {name: getattr(person, name) for name in columns}
    for name in changed:
        setattr(person, name, after[name])
    person.updated_at = work.now
    for account in held:
        account.updated_at = work.now
        account_search.index_account(work, account)
        if "email" in changed:
            _renew_links(work, account)
    _record_update(work, person, held, before, {name: after[name] for name in columns})
    if held:
        queue.enqueue(work, MailKind.PROFILE_CHANGED, held[0], changed=columns)
    return columns


def _record_update(
    work: UnitOfWork,
    person: Person,
    held: list[Account],
    before: dict[str, str],
    after: dict[str, str],
) -> None:
    """One event for each account, or one that names a person without accounts."""
    action = AuditAction.PERSON_UPDATED
    for account in held:
        events.record(work, action, account=account, before=before, after=after)
    if not held:
        events.record(work, action, person_id=person.person_id, before=before, after=after)


def differences(person: Person, changes: PersonChanges) -> list[str]:
    """What ``update`` would change. Raises Invalid."""
    found = _different(person, _checked(person, changes))
    return [name for name in found if name != "email_key"]


def _different(person: Person, after: dict[str, str]) -> list[str]:
    return [name for name, value in after.items() if getattr(person, name) != value]


def _checked(person: Person, changes: PersonChanges) -> dict[str, str]:
    values = {
        item.name: getattr(person, item.name)
        if getattr(changes, item.name) is None
        else getattr(changes, item.name).strip()
        for item in fields(changes)
        if item.name != "phone"
    }
    phone = person.phone + (f" ext {person.phone_extension}" if person.phone_extension else "")
    wanted = phone if changes.phone is None else changes.phone
    checked = accounts.validated(
        accounts.NewPerson(person_id=person.person_id, phone=wanted, **values)
    )
    return checked | {"email_key": name_key(checked["email"])}


def _renew_links(work: UnitOfWork, account: Account) -> None:
    """Invalidate the links and codes sent to the old address."""
    waiting = (
        activation.pending_link(work, account) if account.state == AccountState.PENDING else None
    )
    one_time_codes.invalidate_all(work, account)
    for purpose in Purpose:
        if purpose is not Purpose.ACTIVATE:
            links.invalidate_all(work, account, purpose)
    if waiting is not None and waiting.expires_at > work.now:
        activation.resend(work, account)
    else:
        links.invalidate_all(work, account, Purpose.ACTIVATE)
