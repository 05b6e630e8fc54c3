"""Second personal accounts. A person has one personal account; another one needs a stated reason
and acts for one participant (UI-10, UI-11)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, select

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.db import table
from idp.directory import separation_of_duties
from idp.directory.directory_refusals import (
    FirstAccountExists,
    OtherParticipantOnly,
    ParticipantEnded,
    RoleGroupHeldElsewhere,
    SecondAccountExists,
    SecondNotPersonal,
    SecondReasonStated,
    SecondReasonUnknown,
)
from idp.gathering import Lookup
from idp.models import Account, AccountKind, AccountState, Assignment, Participant, Person
from idp.policy.registered_values import SecondAccountReason
from idp.transaction import UnitOfWork

_ACCOUNT = table(Account).c
_PERSONAL = (
    select(_ACCOUNT.id)
    .where(
        _ACCOUNT.person_id == bindparam("person"),
        _ACCOUNT.kind == AccountKind.PERSONAL,
        _ACCOUNT.state != AccountState.DEACTIVATED,
    )
    .limit(1)
)
_FIRST = select(_ACCOUNT.person_id).where(
    _ACCOUNT.person_id.in_(bindparam("persons", expanding=True)),
    _ACCOUNT.kind == AccountKind.PERSONAL,
    _ACCOUNT.state != AccountState.DEACTIVATED,
    _ACCOUNT.second_reason == "",
)
_SECOND = _PERSONAL.where(_ACCOUNT.second_participant_id == bindparam("participant"))


def _read_first(work: UnitOfWork, persons: Sequence[int]) -> dict[int, bool]:
    return dict.fromkeys(work.run(_FIRST, {"persons": persons}).scalars(), True)


#: Whether the person with this key has an open personal account that is not a second one.
FIRST_ACCOUNTS: Lookup[int, bool] = Lookup(_read_first)


@dataclass(frozen=True)
class SecondAccountGrounds:
    """The reason for a second account, and its participant."""

    reason: SecondAccountReason
    participant: Participant

    @classmethod
    def of(cls, reason: str, participant: Participant) -> SecondAccountGrounds:
        """Raises Invalid for an unknown reason."""
        if reason not in set(SecondAccountReason):
            raise SecondReasonUnknown(tuple(SecondAccountReason))
        return cls(SecondAccountReason(reason), participant)


#: For second accounts that are older than the rule.
UNSTATED = "unstated"


def columns(
    work: UnitOfWork, person: Person, kind: AccountKind, second: SecondAccountGrounds | None
) -> dict[str, Any]:
    """The columns of a new account that record the grounds. Raises PersonalAccountExists, Invalid
    for an account of another kind, Refused for a participant that has ended."""
    if second is None:
        if kind is AccountKind.PERSONAL and FIRST_ACCOUNTS.find(work, person.id):
            raise FirstAccountExists(person.person_id, tuple(SecondAccountReason))
        return {"second_reason": "", "second_participant_id": None}
    if kind is not AccountKind.PERSONAL:
        raise SecondNotPersonal()
    if second.participant.ended_at is not None:
        raise ParticipantEnded(second.participant.number)
    values = {"person": person.id, "participant": second.participant.id}
    if work.run(_SECOND, values).first() is not None:
        raise SecondAccountExists(person.person_id, second.participant.number)
    return {
        "second_reason": str(second.reason),
        "second_participant_id": second.participant.id,
        "second_participant": second.participant,
    }


def note_new(work: UnitOfWork, account: Account) -> None:
    """A load has a new account."""
    if account.kind == AccountKind.PERSONAL and not account.second_reason:
        FIRST_ACCOUNTS.learn(work, account.person_id, True)


def state_reason(work: UnitOfWork, account: Account, second: SecondAccountGrounds) -> None:
    """State the reason for a second account that is older than the rule. It cannot be changed
    later. Raises Refused for any other account or if it holds a role group at another participant,
    and the errors of ``columns``."""
    separation_of_duties.check(work, account)
    if account.second_reason != UNSTATED:
        raise SecondReasonStated(account.username)
    stated = columns(work, account.person, AccountKind(account.kind), second)
    elsewhere = work.db.scalar(
        select(Participant.number)
        .join(Assignment, Assignment.participant_id == Participant.id)
        .where(
            Assignment.account_id == account.id,
            Assignment.revoked_at.is_(None),
            Participant.id != second.participant.id,
        )
        .order_by(Participant.number)
        .limit(1)
    )
    if elsewhere is not None:
        raise RoleGroupHeldElsewhere(account.username, elsewhere)
    for name, value in stated.items():
        setattr(account, name, value)
    account.updated_at = work.now
    number = second.participant.number
    events.record(
        work,
        AuditAction.ACCOUNT_SECOND,
        account=account,
        second=str(second.reason),
        participant=number,
    )


def check_participant(account: Account, participant: Participant) -> None:
    """Raises Refused if the account may not hold a role group at this participant."""
    only = account.second_participant
    if only is not None and only.id != participant.id:
        raise OtherParticipantOnly(account.username, only.number)
