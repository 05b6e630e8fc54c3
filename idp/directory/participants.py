"""Participants: register, rename and end them, and revoke the role groups of an ended one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from sqlalchemy import bindparam, exists, select, update

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.db import insert_if_missing
from idp.directory.directory_refusals import (
    OperatorCannotEnd,
    ParticipantExists,
    ParticipantNameInvalid,
    ParticipantNotFound,
    ParticipantNumberInvalid,
)
from idp.gathering import Lookup
from idp.models import Participant, Participation
from idp.policy.console import OPERATOR
from idp.policy.names import printable
from idp.policy.search_terms import fold
from idp.transaction import UnitOfWork

MAX_NAME = 200
#: Case folding can lengthen a name.
MAX_KEY = 200
_NUMBER = re.compile(r"[A-Za-z0-9._-]{1,20}")


_BY_NUMBERS = select(Participant).where(Participant.number.in_(bindparam("keys", expanding=True)))


def _read(work: UnitOfWork, numbers: Sequence[str]) -> dict[str, Participant]:
    found = work.db.scalars(_BY_NUMBERS, {"keys": numbers})
    return {row.number: row for row in found}


#: The participant with this number, as ``find``.
BY_NUMBER: Lookup[str, Participant] = Lookup(_read)


def find(work: UnitOfWork, number: str) -> Participant | None:
    """The participant with this number, including ended and removed ones."""
    return BY_NUMBER.find(work, number)


def by_number(work: UnitOfWork, number: str) -> Participant:
    """As ``find``. Raises NotFound: only registration creates a participant (TM-08)."""
    row = find(work, number)
    if row is None:
        raise ParticipantNotFound(number)
    return row


def lock_by_number(work: UnitOfWork, number: str) -> Participant:
    """As ``by_number``, but locks the row until the transaction ends, so that concurrent additions
    do not overwrite each other."""
    work.db.execute(
        update(Participant)
        .where(Participant.number == number)
        .values(updated_at=Participant.updated_at)
        .execution_options(synchronize_session=False)
    )
    return by_number(work, number)


def list_choices(work: UnitOfWork, participation: str = "") -> list[tuple[str, str]]:
    """Number and name of the participants at which role groups are held, for forms, by name; with
    ``participation``, of those that have it."""
    query = select(Participant.number, Participant.name).where(
        Participant.removed_at.is_(None), Participant.ended_at.is_(None)
    )
    if participation:
        query = query.where(
            exists().where(
                Participation.participant_id == Participant.id,
                Participation.name == participation,
                Participation.ended_at.is_(None),
            )
        )
    rows = work.db.execute(query.order_by(Participant.name_key, Participant.number))
    return [(number, f"{name} ({number})") for number, name in rows]


def stream_pages(work: UnitOfWork) -> Iterator[Sequence[Participant]]:
    """All participants that are not removed, by number, in pages."""
    query = select(Participant).where(Participant.removed_at.is_(None)).order_by(Participant.number)
    return work.db.scalars(query.execution_options(yield_per=500)).partitions()


def register(work: UnitOfWork, number: str, name: str) -> Participant:
    """Create a participant, or restore a removed one without its former role groups. Raises
    Invalid, or Conflict if the number is taken."""
    if not _NUMBER.fullmatch(number):
        raise ParticipantNumberInvalid()
    name = _checked_name(name)
    is_new = insert_if_missing(
        work.db,
        Participant,
        number=number,
        name=name,
        name_key=fold(name)[:MAX_KEY],
        created_at=work.now,
    )
    row = by_number(work, number)
    if not is_new and row.removed_at is None:
        raise ParticipantExists(number)
    if not is_new:
        row.removed_at = None
        restore(work, row)
        rename(work, row, name)
    events.record(work, AuditAction.PARTICIPANT_REGISTERED, participant=number)
    return row


def rename(work: UnitOfWork, row: Participant, name: str) -> bool:
    """Rename the participant; False if the name is unchanged. Raises Invalid."""
    name = _checked_name(name)
    if name == row.name:
        return False
    row.name, row.name_key, row.updated_at = name, fold(name)[:MAX_KEY], work.now
    events.record(work, AuditAction.PARTICIPANT_RENAMED, participant=row.number)
    return True


def _checked_name(name: str) -> str:
    name = name.strip()
    if not 0 < len(name) <= MAX_NAME or not printable(name):
        raise ParticipantNameInvalid(MAX_NAME)
    return name


def end(work: UnitOfWork, row: Participant) -> int:
    """End the participant: revoke every role group held there and allow no new ones. Returns the
    number of revoked assignments. Raises Refused for the gateway's own operator."""
    if row.number == OPERATOR:
        raise OperatorCannotEnd()
    if row.ended_at is not None:
        return 0
    row.ended_at = row.updated_at = work.now
    work.db.flush()
    from idp.directory import role_group_assignments

    ended = role_group_assignments.revoke_at_participant(work, row)
    events.record(work, AuditAction.PARTICIPANT_ENDED, participant=row.number, assignments=ended)
    return ended


def restore(work: UnitOfWork, row: Participant) -> bool:
    """Allow role groups at the participant again; revoked ones stay revoked. False if it had not
    ended."""
    if row.ended_at is None:
        return False
    row.ended_at, row.updated_at = None, work.now
    events.record(work, AuditAction.PARTICIPANT_RESTORED, participant=row.number)
    return True
