"""Assignments: which accounts hold which role groups, for which participants and how long."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, select, update

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.directory import contacts, second_accounts, separation_of_duties
from idp.directory.directory_refusals import (
    AccountDeactivated,
    ParticipantEnded,
    ParticipationMissing,
    TermsInvalid,
    WrongAccountKind,
)
from idp.gathering import Lookup
from idp.messages import queue
from idp.messages.message_kinds import MailKind
from idp.models import (
    Account,
    AccountState,
    Assignment,
    ContactFunction,
    Participant,
    Participation,
    RoleGroup,
)
from idp.transaction import UnitOfWork


@dataclass(frozen=True)
class AssignmentTerms:
    """The validity of an assignment, who requested it, and the request number."""

    valid_from: datetime | None = None
    valid_until: datetime | None = None
    requested_by: str = ""
    request_number: str = ""


def terms_of(row: Assignment) -> AssignmentTerms:
    """The terms of an existing assignment."""
    return AssignmentTerms(row.valid_from, row.valid_until, row.requested_by, row.request_number)


@dataclass
class ChangeNotice:
    """Collects changes that the holder is notified of in one mail."""

    granted: list[str] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)
    #: Participant, role group, and whether it was granted.
    lines: list[tuple[Participant, str, bool]] = field(default_factory=list)

    def send(self, work: UnitOfWork, account: Account) -> None:
        """Queue the notice if there is a change. The holder of a pending account gets only the
        activation mail."""
        if (self.granted or self.revoked) and account.state != AccountState.PENDING:
            queue.enqueue(
                work, MailKind.ACCESS_CHANGED, account, granted=self.granted, revoked=self.revoked
            )
        self._notify_contacts(work, account)

    def _notify_contacts(self, work: UnitOfWork, account: Account) -> None:
        """Notify the Rights Administrators of each participant (NT-03)."""
        for row in {row.id: row for row, _, _ in self.lines}.values():
            here = [(name, is_new) for place, name, is_new in self.lines if place.id == row.id]
            contacts.notify(
                work,
                MailKind.HOLDER_ACCESS_CHANGED,
                row,
                ContactFunction.RIGHTS_ADMINISTRATOR,
                exclude=account.person,
                holder=contacts.holder_details(account),
                granted=[name for name, is_new in here if is_new],
                revoked=[name for name, is_new in here if not is_new],
            )


def assign(
    work: UnitOfWork,
    account: Account,
    group: RoleGroup,
    participant: Participant,
    terms: AssignmentTerms | None = None,
    *,
    notice: ChangeNotice | None = None,
    is_new: bool = False,
) -> bool:
    """Assign a role group; False if it is already held on these terms, or on any terms if none are
    given. A new account (``is_new``) holds none. The holder gets a mail, or a line in ``notice``.
    Raises Refused for a deactivated account, a wrong kind of account (MA-04, EN-03), and a
    participant that has ended, lacks the participation or is not the one of a second account.
    Raises Invalid if the end is past or not after the start."""
    _check_holder(work, account, group, participant)
    row = None if is_new else _active(work, account, group, participant)
    if row is not None and terms in (None, terms_of(row)):
        return False
    terms = terms or AssignmentTerms()
    begins = max(terms.valid_from or work.now, work.now)
    if terms.valid_until is not None and terms.valid_until <= begins:
        raise TermsInvalid(group.name)
    if row is not None:
        _set_terms(work, account, row, terms)
        return True
    _check_assignable(work, group, participant)
    work.add(
        Assignment(
            account_id=account.id,
            role_group_id=group.id,
            participant_id=participant.id,
            granted_at=work.now,
            granted_by=work.origin.actor or "system",
            **asdict(terms),
        )
    )
    work.flush()
    _record_and_notify(
        work, AuditAction.ROLE_GROUP_ASSIGNED, account, group, participant, notice, granted=True
    )
    return True


def _check_holder(
    work: UnitOfWork, account: Account, group: RoleGroup, participant: Participant
) -> None:
    """Whether the account may hold the group at the participant at all."""
    separation_of_duties.check(work, account)
    if account.state == AccountState.DEACTIVATED:
        raise AccountDeactivated(account.username)
    if account.kind != group.kind:
        raise WrongAccountKind(group.name, group.kind)
    second_accounts.check_participant(account, participant)


def lock_participants(work: UnitOfWork, numbers: Collection[str]) -> None:
    """Lock these participants until the transaction ends. Call this before any write, so that
    concurrent transactions lock in the same order."""
    LOCKED.find_many(work, numbers)


def _lock(work: UnitOfWork, numbers: Sequence[str]) -> dict[str, bool]:
    work.db.execute(
        select(Participant.id)
        .where(Participant.number.in_(numbers))
        .order_by(Participant.id)
        .with_for_update(read=True)
    )
    return dict.fromkeys(numbers, True)


#: The participants that ``lock_participants`` has locked, by number.
LOCKED: Lookup[str, bool] = Lookup(_lock)


def _check_assignable(work: UnitOfWork, group: RoleGroup, participant: Participant) -> None:
    """Check under a lock, so that a concurrent end of the participant or a participation, or a
    change of the role group, is seen."""
    found = PLACES.get(work, (participant.id, group.id))
    if found.ended_at is not None:
        raise ParticipantEnded(participant.number)
    if found.missing:
        raise ParticipationMissing(group.name, found.missing, participant.number)


@dataclass(frozen=True)
class _Place:
    """A role group at a participant: when that ended, and the participation that it lacks."""

    ended_at: datetime | None
    missing: str


def _lock_places(
    work: UnitOfWork, keys: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], _Place]:
    rows = _lock_one_place(work, *keys[0]) if len(keys) == 1 else _lock_many_places(work, keys)
    held: set[tuple[int, str]] = set()
    if any(needed for *_, needed in rows):
        query = select(Participation.participant_id, Participation.name).where(
            Participation.participant_id.in_({participant for participant, *_ in rows}),
            Participation.name.in_({needed for *_, needed in rows if needed}),
            Participation.ended_at.is_(None),
        )
        held = {(participant, name) for participant, name in work.db.execute(query)}
    return {
        (participant, group): _Place(ended, "" if (participant, needed) in held else needed)
        for participant, group, ended, needed in rows
    }


def _lock_one_place(work: UnitOfWork, participant: int, group: int) -> Sequence[Any]:
    return work.db.execute(
        select(Participant.id, RoleGroup.id, Participant.ended_at, RoleGroup.participation)
        .join(RoleGroup, RoleGroup.id == group)
        .where(Participant.id == participant)
        .with_for_update(read=True)
    ).all()


def _lock_many_places(work: UnitOfWork, keys: Sequence[tuple[int, int]]) -> Sequence[Any]:
    """Participants first, as the statement for one does. All pairs of both would be too many."""
    ended: dict[int, datetime | None] = dict(
        work.db.execute(
            select(Participant.id, Participant.ended_at)
            .where(Participant.id.in_({participant for participant, _ in keys}))
            .order_by(Participant.id)
            .with_for_update(read=True)
        ).all()
    )
    needed: dict[int, str] = dict(
        work.db.execute(
            select(RoleGroup.id, RoleGroup.participation)
            .where(RoleGroup.id.in_({group for _, group in keys}))
            .order_by(RoleGroup.id)
            .with_for_update(read=True)
        ).all()
    )
    return [(participant, group, ended[participant], needed[group]) for participant, group in keys]


#: What ``_check_assignable`` needs, by the keys of participant and role group.
PLACES: Lookup[tuple[int, int], _Place] = Lookup(_lock_places)


def _set_terms(work: UnitOfWork, account: Account, row: Assignment, terms: AssignmentTerms) -> None:
    before = terms_of(row)
    counted = before.valid_from is None or before.valid_from <= work.now
    for name, value in asdict(terms).items():
        setattr(row, name, value)
    if counted and terms.valid_from is not None and terms.valid_from > work.now:
        from idp.session import sessions

        sessions.end_client_sessions(work, account, row.role_group)
    events.record(
        work,
        AuditAction.ROLE_GROUP_TERMS,
        account=account,
        group=row.role_group.name,
        participant=row.participant.number,
        before=_written(before),
        after=_written(terms),
    )


def _written(terms: AssignmentTerms) -> dict[str, str]:
    return {
        name: value if isinstance(value, str) else value.isoformat()
        for name, value in asdict(terms).items()
        if value
    }


def revoke_next_expired(work: UnitOfWork) -> bool:
    """Revoke one expired assignment, for the notice and the audit trail; False if there is none. It
    gave no access after its expiry."""
    row = work.db.scalar(
        select(Assignment)
        .where(Assignment.revoked_at.is_(None), Assignment.valid_until <= work.now)
        .order_by(Assignment.valid_until)
        .limit(1)
    )
    if row is None:
        return False
    account = work.db.get_one(Account, row.account_id)
    revoke(work, account, row.role_group, row.participant)
    return True


def revoke(
    work: UnitOfWork,
    account: Account,
    group: RoleGroup,
    participant: Participant,
    *,
    notice: ChangeNotice | None = None,
) -> bool:
    """Revoke; False if it was not held. The next token reflects it, and relying parties that see
    the group get a back-channel logout. The holder gets a mail, or a line in ``notice``."""
    separation_of_duties.check(work, account)
    row = _active(work, account, group, participant)
    if row is None:
        return False
    taken = work.db.execute(
        update(Assignment)
        .where(Assignment.id == row.id, Assignment.revoked_at.is_(None))
        .values(revoked_at=work.now, revoked_by=work.origin.actor or "system")
    )
    if taken.rowcount != 1:  # type: ignore[attr-defined]
        # A concurrent request revoked it and sent the notices.
        return False
    _record_and_notify(
        work, AuditAction.ROLE_GROUP_REVOKED, account, group, participant, notice, granted=False
    )
    from idp.session import sessions

    sessions.end_client_sessions(work, account, group)
    return True


def revoke_all(work: UnitOfWork, account: Account) -> int:
    """Revoke all role groups of the account without separate mails; returns how many."""
    from idp.directory import held_role_groups

    rows = held_role_groups.list_held(work, account)
    for row in rows:
        row.revoked_at, row.revoked_by = work.now, work.origin.actor or "system"
        events.record(
            work,
            AuditAction.ROLE_GROUP_REVOKED,
            account=account,
            group=row.role_group.name,
            participant=row.participant.number,
        )
    return len(rows)


def revoke_at_participant(
    work: UnitOfWork, participant: Participant, *where: ColumnElement[bool]
) -> int:
    """Revoke all assignments at the participant, or those that match these conditions, with one
    mail per holder. Returns how many."""
    rows = work.db.execute(
        select(Assignment, Account)
        .join(Account, Account.id == Assignment.account_id)
        .join(RoleGroup, RoleGroup.id == Assignment.role_group_id)
        .where(Assignment.participant_id == participant.id, Assignment.revoked_at.is_(None), *where)
        .order_by(Account.id)
    ).all()
    for account, held in groupby(rows, lambda pair: pair[1]):
        notice = ChangeNotice()
        for assignment, _ in held:
            revoke(work, account, assignment.role_group, participant, notice=notice)
        notice.send(work, account)
    return len(rows)


def accounts_at_participant(
    work: UnitOfWork, participant: Participant, *where: ColumnElement[bool]
) -> list[Account]:
    """The accounts that ``revoke_at_participant`` would affect."""
    held = (
        select(Assignment.account_id)
        .join(RoleGroup, RoleGroup.id == Assignment.role_group_id)
        .where(Assignment.participant_id == participant.id, Assignment.revoked_at.is_(None), *where)
    )
    return list(work.db.scalars(select(Account).where(Account.id.in_(held)).order_by(Account.id)))


def _active(
    work: UnitOfWork, account: Account, group: RoleGroup, participant: Participant
) -> Assignment | None:
    return work.db.scalar(
        select(Assignment).where(
            Assignment.account_id == account.id,
            Assignment.role_group_id == group.id,
            Assignment.participant_id == participant.id,
            Assignment.revoked_at.is_(None),
        )
    )


def _record_and_notify(
    work: UnitOfWork,
    event: AuditAction,
    account: Account,
    group: RoleGroup,
    participant: Participant,
    notice: ChangeNotice | None,
    *,
    granted: bool,
) -> None:
    events.record(work, event, account=account, group=group.name, participant=participant.number)
    mail = notice or ChangeNotice()
    (mail.granted if granted else mail.revoked).append(f"{group.name} ({participant.number})")
    mail.lines.append((participant, group.name, granted))
    if notice is None:
        mail.send(work, account)
