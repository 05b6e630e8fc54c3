"""Contacts of participants, and the notices they get about access of the participant's people
(NT-03, NT-05, NT-06, NT-11; TM-01, TM-03, TM-05, TM-06)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.credentials.credential_refusals import NotSent
from idp.directory.directory_refusals import (
    ContactFunctionUnknown,
    ContactWithoutAccount,
    TooManyContacts,
)
from idp.errors import Invalid
from idp.gathering import Lookup
from idp.messages import queue
from idp.messages.message_kinds import MailKind
from idp.models import (
    Account,
    AccountKind,
    AccountState,
    Assignment,
    Contact,
    ContactFunction,
    Participant,
    Person,
)
from idp.transaction import UnitOfWork

#: For one participant.
MAX_COUNT = 100
#: Who is notified of a vacancy (TM-05, TM-06). Only the operator is above an Authorized
#: Representative (TM-03).
ESCALATION: Mapping[str, ContactFunction] = {
    ContactFunction.RIGHTS_ADMINISTRATOR: ContactFunction.PRIMARY_CONTACT,
    ContactFunction.PRIMARY_CONTACT: ContactFunction.AUTHORIZED_REPRESENTATIVE,
}


@dataclass(frozen=True, order=True)
class ContactRef:
    """A person, by Person ID, and a contact role."""

    person_id: str
    function: str


def list_contacts(work: UnitOfWork, row: Participant) -> list[Contact]:
    """The contacts of the participant, by function and person."""
    return contacts_by_participant(work, [row]).get(row.id, [])


def contacts_by_participant(
    work: UnitOfWork, rows: Collection[Participant]
) -> dict[int, list[Contact]]:
    """As ``list_contacts``, for several participants, by primary key."""
    found: dict[int, list[Contact]] = {}
    for contact in work.db.scalars(
        select(Contact)
        .join(Person, Person.id == Contact.person_id)
        .where(Contact.participant_id.in_([row.id for row in rows]), Contact.ended_at.is_(None))
        .order_by(Contact.function, Person.person_id)
    ):
        found.setdefault(contact.participant_id, []).append(contact)
    return found


def to_entries(contacts: Iterable[Contact]) -> list[ContactRef]:
    """As they appear in a push and on the command line."""
    return sorted(ContactRef(contact.person.person_id, contact.function) for contact in contacts)


def replace(work: UnitOfWork, row: Participant, wanted: Iterable[ContactRef]) -> bool:
    """Set the participant's contacts; False if nothing changes. Added and removed contacts get a
    notice. If a function becomes vacant, the next tier gets one too. Raises Invalid for a person
    without an account and for an unknown function."""
    before = {
        entry: contact for contact in list_contacts(work, row) for entry in to_entries([contact])
    }
    after = set(wanted)
    if after == before.keys():
        return False
    check_count(after)
    new = {entry: _person(work, entry) for entry in sorted(after - before.keys())}
    # Lock the row against concurrent changes.
    row.updated_at = work.now
    work.db.flush()
    for entry, person in new.items():
        work.db.add(
            Contact(
                participant_id=row.id,
                person_id=person.id,
                person=person,
                function=entry.function,
                started_at=work.now,
            )
        )
        _notify_person(work, row, person, entry.function, appointed=True)
    _end(work, row, [before[entry] for entry in sorted(before.keys() - after)])
    return True


def check_count(wanted: Collection[ContactRef]) -> None:
    """Raises Invalid if there are more contacts than a participant may have."""
    if len(wanted) > MAX_COUNT:
        raise TooManyContacts(MAX_COUNT)


def end_for_closed_account(work: UnitOfWork, account: Account) -> None:
    """End the contact roles of the holder of a deactivated account who has no other account."""
    if _account_of(work, account.person) is not None:
        return
    query = select(Contact, Participant).join(Participant, Participant.id == Contact.participant_id)
    for contact, row in work.db.execute(
        query.where(Contact.person_id == account.person_id, Contact.ended_at.is_(None))
    ).all():
        _end(work, row, [contact])


def notify(
    work: UnitOfWork,
    kind: MailKind,
    row: Participant,
    to: str,
    *,
    exclude: Person | None = None,
    **values: Any,
) -> int:
    """Mail each contact with this function, in the contact's language. Returns the number of
    mails."""
    count = 0
    for account in contact_accounts(work, row, to):
        if exclude is None or account.person_id != exclude.id:
            count += _mail(work, kind, account, participant=participant_details(row), **values)
    return count


def contact_accounts(work: UnitOfWork, row: Participant, function: str) -> list[Account]:
    """One account of each contact with this function: it supplies address and language."""
    return SPEAKING.find(work, (row.id, function)) or []


def _read_speaking(
    work: UnitOfWork, keys: Sequence[tuple[int, str]]
) -> dict[tuple[int, str], list[Account]]:
    rows = work.db.execute(
        select(Contact.participant_id, Contact.function, Contact.person_id)
        .join(Person, Person.id == Contact.person_id)
        .where(
            Contact.participant_id.in_({participant for participant, _ in keys}),
            Contact.ended_at.is_(None),
        )
        .order_by(Contact.function, Person.person_id)
    ).all()
    reached = _accounts_of(work, {person for _, function, person in rows})
    found: dict[tuple[int, str], list[Account]] = {}
    for participant, function, person in rows:
        if person in reached:
            found.setdefault((participant, function), []).append(reached[person])
    return found


#: As ``contact_accounts``, by the key of the participant and the function.
SPEAKING: Lookup[tuple[int, str], list[Account]] = Lookup(_read_speaking)


def functions_of(work: UnitOfWork, row: Participant, person: Person) -> list[str]:
    """The person's contact roles at the participant."""
    return [
        contact.function for contact in list_contacts(work, row) if contact.person_id == person.id
    ]


def notify_state_change(work: UnitOfWork, account: Account) -> None:
    """Notify contacts of each participant that an account was suspended or deactivated (NT-05).

    The Rights Administrators get the notice. For an account of a Rights Administrator, the Primary
    Contacts get it; for one of a Primary Contact, the Authorized Representatives. Call this before
    role groups are revoked."""
    held = select(Assignment.participant_id).where(
        Assignment.account_id == account.id, Assignment.revoked_at.is_(None)
    )
    speaks = select(Contact.participant_id).where(
        Contact.person_id == account.person_id, Contact.ended_at.is_(None)
    )
    places = select(Participant).where(or_(Participant.id.in_(held), Participant.id.in_(speaks)))
    for row in work.db.scalars(places.order_by(Participant.number)).all():
        mine = functions_of(work, row, account.person)
        function = ContactFunction.RIGHTS_ADMINISTRATOR
        for tier, above in ESCALATION.items():
            function = above if tier in mine else function
        notify(
            work,
            MailKind.HOLDER_ACCOUNT_ENDED,
            row,
            function,
            exclude=account.person,
            holder=holder_details(account),
            state=str(account.state),
        )


def notify_activation_reminder(work: UnitOfWork, account: Account, expires_at: datetime) -> None:
    """Notify the Rights Administrators that an account of their participant is not activated
    yet."""
    held = select(Assignment.participant_id).where(
        Assignment.account_id == account.id, Assignment.revoked_at.is_(None)
    )
    for row in work.db.scalars(select(Participant).where(Participant.id.in_(held))).all():
        notify(
            work,
            MailKind.HOLDER_NOT_ACTIVATED,
            row,
            ContactFunction.RIGHTS_ADMINISTRATOR,
            exclude=account.person,
            holder=holder_details(account),
            expires_at=expires_at,
        )


def holder_details(account: Account) -> str:
    """Mail fields that describe an account and its holder."""
    return f"{account.person.full_name}, {account.username}"


def participant_details(row: Participant) -> str:
    """Mail fields that describe the participant."""
    return f"{row.name} ({row.number})"


def _end(work: UnitOfWork, row: Participant, gone: Collection[Contact]) -> None:
    for contact in gone:
        contact.ended_at = work.now
    work.db.flush()
    for contact in gone:
        _notify_person(work, row, contact.person, contact.function, appointed=False)
    left = {contact.function for contact in list_contacts(work, row)}
    for function in sorted({contact.function for contact in gone} - left):
        _notify_vacancy(work, row, function)


def _notify_vacancy(work: UnitOfWork, row: Participant, function: str) -> None:
    """Notify the first tier above that has a contact (NT-11). If there is none, only the audit
    trail shows the vacancy (TM-03)."""
    count, tier = 0, ESCALATION.get(function)
    while tier and not count:
        count = notify(work, MailKind.CONTACT_VACANT, row, tier, function=function)
        tier = ESCALATION.get(tier)
    events.record(
        work,
        AuditAction.PARTICIPANT_VACANCY,
        participant=row.number,
        function=function,
        notified=count,
    )


def _notify_person(
    work: UnitOfWork, row: Participant, person: Person, function: str, *, appointed: bool
) -> None:
    event = (
        AuditAction.PARTICIPANT_CONTACT_ADDED
        if appointed
        else AuditAction.PARTICIPANT_CONTACT_ENDED
    )
    account = _account_of(work, person)
    events.record(
        work,
        event,
        account=account,
        participant=row.number,
        person_id=person.person_id,
        function=function,
    )
    if account is not None:
        kind = MailKind.CONTACT_ADDED if appointed else MailKind.CONTACT_ENDED
        _mail(work, kind, account, participant=participant_details(row), function=function)


def _mail(work: UnitOfWork, kind: MailKind, account: Account, **values: Any) -> bool:
    """Queue a mail. An invalid address of a contact must not block the change itself."""
    try:
        queue.enqueue(work, kind, account, **values)
    except Invalid:
        events.record(work, AuditAction.NOTICE_FAILED, reason=NotSent.BAD_ADDRESS, account=account)
        return False
    return True


def _person(work: UnitOfWork, entry: ContactRef) -> Person:
    if entry.function not in list(ContactFunction):
        raise ContactFunctionUnknown(tuple(ContactFunction))
    person = work.db.scalar(select(Person).where(Person.person_id == entry.person_id))
    if person is None or _account_of(work, person) is None:
        raise ContactWithoutAccount(entry.person_id)
    return person


def _account_of(work: UnitOfWork, person: Person) -> Account | None:
    """The account used to reach a person: one with a UserID before an e-mail account."""
    return _accounts_of(work, [person.id]).get(person.id)


def _accounts_of(work: UnitOfWork, persons: Collection[int]) -> dict[int, Account]:
    """As ``_account_of``, by the key of the person."""
    if not persons:
        return {}
    rows = work.db.scalars(
        select(Account)
        .where(
            Account.person_id.in_(persons),
            Account.kind != AccountKind.MACHINE,
            Account.state != AccountState.DEACTIVATED,
        )
        .order_by(Account.kind.desc(), Account.id)
    )
    found: dict[int, Account] = {}
    for row in rows:
        if row.effective_state(work.now) != AccountState.DEACTIVATED:
            found.setdefault(row.person_id, row)
    return found
