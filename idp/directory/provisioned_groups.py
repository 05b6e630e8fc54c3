"""Groups of provisioning clients: a role group at one participant, under a client's name. The
members are the accounts that hold the role group there."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from sqlalchemy import Select, and_, exists, func, or_, select

from idp.db import insert_if_missing
from idp.directory.provisioning_scope import ProvisioningScope
from idp.directory.result_pages import Page, PageRequest, page_of
from idp.directory.search_conditions import Attribute, Condition
from idp.directory.shown_accounts import MAX_SUBJECT
from idp.models import (
    Account,
    AccountState,
    Assignment,
    Participant,
    Participation,
    ProvisionedGroup,
    RoleGroup,
)
from idp.policy.console import OPERATOR, ConsoleRole
from idp.policy.scopes import PushOperation
from idp.transaction import UnitOfWork, lock_rows

PUBLIC_ID = Attribute(ProvisionedGroup.public_id)
EXTERNAL_ID = Attribute(ProvisionedGroup.external_id, empty="")
DISPLAY_NAME = Attribute(func.lower(ProvisionedGroup.display_name), str.casefold)
CREATED = Attribute(ProvisionedGroup.created_at)
UPDATED = Attribute(ProvisionedGroup.updated_at)
ROLE_GROUP = Attribute(func.lower(RoleGroup.name), str.casefold)
PARTICIPANT = Attribute(Participant.number)
PARTICIPANT_NAME = Attribute(func.lower(Participant.name), str.casefold)
#: Of one member.
MEMBER = Attribute(Account.subject)


def has_member(condition: Condition) -> Condition:
    """The group has a member of which the condition is true."""
    return exists().where(
        Assignment.role_group_id == ProvisionedGroup.role_group_id,
        Assignment.participant_id == ProvisionedGroup.participant_id,
        Assignment.revoked_at.is_(None),
        Account.id == Assignment.account_id,
        Account.state != AccountState.DEACTIVATED,
        condition,
    )


def is_one_of(subjects: Collection[str]) -> Condition:
    """The member has one of these subject identifiers."""
    return Account.subject.in_(subjects)


def page(
    work: UnitOfWork, scope: ProvisioningScope, condition: Condition | None, request: PageRequest
) -> Page:
    """A page of the groups at participants of the client."""
    base = (
        select(ProvisionedGroup)
        .join(RoleGroup, RoleGroup.id == ProvisionedGroup.role_group_id)
        .join(Participant, Participant.id == ProvisionedGroup.participant_id)
        .where(scope.visible_participants())
    )
    if condition is not None:
        base = base.where(condition)
    return page_of(work, base, ProvisionedGroup.id, request)


def find(work: UnitOfWork, scope: ProvisioningScope, public_id: str) -> ProvisionedGroup | None:
    """The group of this id, if it is at a participant of the client."""
    return work.db.scalar(
        select(ProvisionedGroup)
        .join(ProvisionedGroup.participant)
        .where(ProvisionedGroup.public_id == public_id[:MAX_SUBJECT], scope.visible_participants())
    )


def lock(work: UnitOfWork, public_id: str) -> None:
    """Nobody else changes the group until the transaction ends."""
    lock_rows(work, ProvisionedGroup, ProvisionedGroup.public_id == public_id[:MAX_SUBJECT])


def create(
    work: UnitOfWork,
    scope: ProvisioningScope,
    role_group: RoleGroup,
    participant: Participant,
    *,
    display_name: str,
    external_id: str | None,
) -> tuple[ProvisionedGroup | None, bool]:
    """The group for the role group at the participant, and whether this call created it. None if
    the client uses the external id for another group."""
    is_new = _insert(
        work,
        scope,
        role_group_id=role_group.id,
        participant_id=participant.id,
        display_name=display_name,
        external_id=external_id,
    )
    row = work.db.scalar(
        select(ProvisionedGroup).where(
            ProvisionedGroup.role_group_id == role_group.id,
            ProvisionedGroup.participant_id == participant.id,
        )
    )
    return row, is_new


def create_missing(
    work: UnitOfWork, scope: ProvisioningScope, name: Callable[[str, str], str]
) -> None:
    """Create the missing groups: one for each role group and participant that the client may grant.
    ``name`` makes the name of a group from both. Members do not change."""
    if PushOperation.GRANT not in scope.operations:
        return
    missing = work.db.execute(_missing(scope)).all()
    for role_group_id, participant_id, role_group, participant in missing:
        _insert(
            work,
            scope,
            role_group_id=role_group_id,
            participant_id=participant_id,
            display_name=name(role_group, participant),
            external_id=None,
        )


def _insert(work: UnitOfWork, scope: ProvisioningScope, **values: Any) -> bool:
    return insert_if_missing(
        work.db,
        ProvisionedGroup,
        public_id=work.token(16),
        client_id=scope.client.id,
        created_at=work.now,
        updated_at=work.now,
        **values,
    )


def _missing(scope: ProvisioningScope) -> Select[int, int, str, str]:
    """Role groups and participants that are no group yet, without the operators'."""
    takes_part = exists().where(
        Participation.participant_id == Participant.id,
        Participation.name == RoleGroup.participation,
        Participation.ended_at.is_(None),
    )
    is_made = exists().where(
        ProvisionedGroup.role_group_id == RoleGroup.id,
        ProvisionedGroup.participant_id == Participant.id,
    )
    return (
        select(RoleGroup.id, Participant.id, RoleGroup.name, Participant.number)
        .select_from(RoleGroup)
        .join(Participant, Participant.ended_at.is_(None))
        .where(
            RoleGroup.name.not_in(list(ConsoleRole)),
            Participant.number != OPERATOR,
            Participant.removed_at.is_(None),
            or_(RoleGroup.participation == "", takes_part),
            ~is_made,
            scope.visible_participants(),
        )
        .order_by(RoleGroup.id, Participant.id)
    )


def members(work: UnitOfWork, row: ProvisionedGroup) -> list[str]:
    """The subject identifiers of the members, in the order of the accounts."""
    return members_of_groups(work, [row]).get(row.id, [])


def members_of_groups(work: UnitOfWork, rows: Collection[ProvisionedGroup]) -> dict[int, list[str]]:
    """As ``members``, by the key of each group that has any."""
    query = _members(work, rows).with_only_columns(ProvisionedGroup.id, Account.subject)
    found: dict[int, list[str]] = {}
    for key, subject in work.db.execute(query):
        found.setdefault(key, []).append(subject)
    return found


def members_by(work: UnitOfWork, row: ProvisionedGroup, condition: Condition) -> list[Account]:
    """The members of which the condition is true."""
    return list(work.db.scalars(_members(work, [row]).where(condition)))


def size(work: UnitOfWork, row: ProvisionedGroup) -> int:
    """How many members there are."""
    query = _members(work, [row]).with_only_columns(func.count(Account.id)).order_by(None)
    return work.db.scalar(query) or 0


def changes_of_members(
    work: UnitOfWork, rows: Collection[ProvisionedGroup]
) -> dict[int, tuple[int, int]]:
    """How often members were added and removed since the group exists, by the key of each group
    that ever had any."""
    query = (
        select(ProvisionedGroup.id, func.count(Assignment.id), func.count(Assignment.revoked_at))
        .join(Assignment, _IN_GROUP)
        .where(ProvisionedGroup.id.in_([row.id for row in rows]))
        .group_by(ProvisionedGroup.id)
    )
    return {key: (added, removed) for key, added, removed in work.db.execute(query)}


def rename(row: ProvisionedGroup, *, display_name: str, external_id: str | None) -> None:
    """The names under which the client knows the group; without a display name that stays."""
    row.display_name = display_name or row.display_name
    row.external_id = external_id


def touch(work: UnitOfWork, row: ProvisionedGroup) -> None:
    """The group was changed now."""
    row.updated_at = work.now
    work.db.flush()


def delete(work: UnitOfWork, row: ProvisionedGroup) -> None:
    """Delete the group; the role group stays, and so do its assignments."""
    work.db.delete(row)
    work.db.flush()


_IN_GROUP = and_(
    Assignment.role_group_id == ProvisionedGroup.role_group_id,
    Assignment.participant_id == ProvisionedGroup.participant_id,
)


def _members(work: UnitOfWork, rows: Collection[ProvisionedGroup]) -> Select[Account]:
    return (
        select(Account)
        .join(Assignment, Assignment.account_id == Account.id)
        .join(ProvisionedGroup, _IN_GROUP)
        .where(
            ProvisionedGroup.id.in_([row.id for row in rows]),
            Assignment.revoked_at.is_(None),
            Account.is_open(work.now),
        )
        .order_by(Account.id)
    )
