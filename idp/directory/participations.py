"""Participations: the markets, programs and services of participants. A role group may require
one."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Select, exists, select

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.directory.directory_refusals import (
    HeldWithoutParticipation,
    ParticipationKindUnknown,
    TooManyParticipations,
)
from idp.directory.role_groups import checked_participation
from idp.models import Participant, Participation, ParticipationKind, RoleGroup
from idp.transaction import UnitOfWork

if TYPE_CHECKING:
    from idp.models import Account

#: For one participant.
MAX_COUNT = 100


@dataclass(frozen=True, order=True)
class ParticipationRef:
    """The name and kind of a market, program or service (RG-12)."""

    name: str
    kind: str = ParticipationKind.MARKET


def list_participations(work: UnitOfWork, row: Participant) -> list[ParticipationRef]:
    """The participant's current participations, by name."""
    return participations_by_participant(work, [row]).get(row.id, [])


def list_names(work: UnitOfWork) -> list[str]:
    """The names of all current participations, and of those that role groups require, for forms."""
    running = select(Participation.name).where(Participation.ended_at.is_(None)).distinct()
    required = select(RoleGroup.participation).where(RoleGroup.participation != "").distinct()
    return sorted({*work.db.scalars(running), *work.db.scalars(required)})


def participations_by_participant(
    work: UnitOfWork, rows: Collection[Participant]
) -> dict[int, list[ParticipationRef]]:
    """As ``list_participations``, for several participants, by primary key."""
    query = select(Participation).where(
        Participation.participant_id.in_([row.id for row in rows]),
        Participation.ended_at.is_(None),
    )
    found: dict[int, list[ParticipationRef]] = {}
    for entry in work.db.scalars(query.order_by(Participation.name)):
        found.setdefault(entry.participant_id, []).append(ParticipationRef(entry.name, entry.kind))
    return found


def replace(work: UnitOfWork, row: Participant, wanted: Iterable[ParticipationRef]) -> bool:
    """Set the participant's participations; False if nothing changes. Role groups that require an
    ended one are revoked. Raises Invalid."""
    after = {part.name: part.kind for part in map(_checked, wanted)}
    if len(after) > MAX_COUNT:
        raise TooManyParticipations(MAX_COUNT)
    before = {part.name: part.kind for part in list_participations(work, row)}
    if after == before:
        return False
    # A concurrent grant waits for this lock, or is found below.
    row.updated_at = work.now
    work.db.flush()
    changed = {name for name in before if after.get(name) != before[name]}
    for entry in work.db.scalars(_current(row, changed)):
        entry.ended_at = work.now
    work.db.flush()
    for name in sorted(name for name in after if after[name] != before.get(name)):
        work.db.add(
            Participation(participant_id=row.id, name=name, kind=after[name], started_at=work.now)
        )
    work.db.flush()
    gone = before.keys() - after
    from idp.directory import role_group_assignments

    ended = (
        role_group_assignments.revoke_at_participant(work, row, RoleGroup.participation.in_(gone))
        if gone
        else 0
    )
    events.record(
        work,
        AuditAction.PARTICIPANT_PARTICIPATIONS,
        participant=row.number,
        before=sorted(before),
        after=sorted(after),
        assignments=ended,
    )
    return True


def affected_accounts(
    work: UnitOfWork, row: Participant, wanted: Iterable[ParticipationRef]
) -> list[Account]:
    """The accounts that would lose a role group if the participations were ``wanted``."""
    gone = {part.name for part in list_participations(work, row)} - {part.name for part in wanted}
    from idp.directory import role_group_assignments

    return role_group_assignments.accounts_at_participant(
        work, row, RoleGroup.participation.in_(gone)
    )


def set_required(work: UnitOfWork, group: RoleGroup, name: str) -> None:
    """Set the participation that the role group requires; empty means none. Raises Invalid, and
    Refused while an account holds the group at a participant without it."""
    name = checked_participation(name) if name else ""
    # A grant at the same time waits for this row, or is found below.
    work.db.execute(select(RoleGroup.id).where(RoleGroup.id == group.id).with_for_update())
    if name and (number := _held_elsewhere(work, group, name)):
        raise HeldWithoutParticipation(group.name, number, name)
    group.participation = name
    events.record(work, AuditAction.ROLE_GROUP_PARTICIPATION, group=group.name, participation=name)


def _held_elsewhere(work: UnitOfWork, group: RoleGroup, name: str) -> str | None:
    """The number of a participant where the group is held without this participation."""
    from idp.models import Assignment

    takes_part = exists().where(
        Participation.participant_id == Participant.id,
        Participation.name == name,
        Participation.ended_at.is_(None),
    )
    return work.db.scalar(
        select(Participant.number)
        .join(Assignment, Assignment.participant_id == Participant.id)
        .where(Assignment.role_group_id == group.id, Assignment.revoked_at.is_(None), ~takes_part)
        .limit(1)
    )


def _current(row: Participant, names: Collection[str]) -> Select[Participation]:
    return select(Participation).where(
        Participation.participant_id == row.id,
        Participation.ended_at.is_(None),
        Participation.name.in_(names),
    )


def _checked(part: ParticipationRef) -> ParticipationRef:
    if part.kind not in list(ParticipationKind):
        raise ParticipationKindUnknown(tuple(ParticipationKind))
    return ParticipationRef(checked_participation(part.name), part.kind)
