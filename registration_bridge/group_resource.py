"""A role group at one participant as a SCIM Group: its members are the accounts that hold it.
Members and the ``grants`` of Users are two views of one table."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeVar

from pydantic import ValidationError
from scim2_models import (
    InvalidPathException,
    InvalidValueException,
    Meta,
    MutabilityException,
    PatchOp,
    Reference,
    UniquenessException,
)
from sqlalchemy import ColumnElement, Select, func, select, true

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.db import insert_if_missing
from idp.directory import participants, role_groups
from idp.models import Account, Assignment, Participant, ProvisionedGroup
from idp.policy.scopes import PushOperation
from idp.transaction import UnitOfWork
from registration_bridge.filters import of_members
from registration_bridge.reach import PART, Reach
from registration_bridge.text_values import clean
from registration_bridge.user_schema import Member, Role

Item = TypeVar("Item")
#: Longer ids are nobody's.
MAX_SUBJECT = 40


@dataclass
class View:
    """A group with the ids of its members; None when nobody asked for them."""

    row: ProvisionedGroup
    members: list[str] | None
    version: str
    applications: list[str]


def views(work: UnitOfWork, rows: list[ProvisionedGroup], *, with_members: bool) -> list[View]:
    """The views of these groups."""
    seen = role_groups.clients_by_role_group(work, {row.role_group_id for row in rows})
    return [
        View(
            row,
            _members(work, row) if with_members else None,
            _version(work, row),
            seen.get(row.role_group_id, []),
        )
        for row in rows
    ]


def _of_pair(row: ProvisionedGroup) -> tuple[Any, ...]:
    return (
        Assignment.role_group_id == row.role_group_id,
        Assignment.participant_id == row.participant_id,
    )


def _holding(work: UnitOfWork, row: ProvisionedGroup) -> Select[Account]:
    """The accounts that are members."""
    return (
        select(Account)
        .join(Assignment, Assignment.account_id == Account.id)
        .where(
            *_of_pair(row),
            Assignment.revoked_at.is_(None),
            Account.is_open(work.now),
        )
        .order_by(Account.id)
    )


def _members(work: UnitOfWork, row: ProvisionedGroup) -> list[str]:
    """Their subjects, in the order of the accounts."""
    return list(work.db.scalars(_holding(work, row).with_only_columns(Account.subject)))


def size(work: UnitOfWork, row: ProvisionedGroup) -> int:
    """How many members it has."""
    query = _holding(work, row).with_only_columns(func.count(Account.id)).order_by(None)
    return work.db.scalar(query) or 0


def _version(work: UnitOfWork, row: ProvisionedGroup) -> str:
    """Another one after every change of name or members, without reading the members."""
    counted = work.db.execute(
        select(func.count(Assignment.id), func.count(Assignment.revoked_at)).where(*_of_pair(row))
    ).one()
    text = f"{row.public_id}/{row.display_name}/{row.external_id}/{row.participant.name}/{counted}"
    return f'W/"{sha256(text.encode()).hexdigest()[:32]}"'


def resource_of(model: Any, view: View, base: str) -> Any:
    """The Group of a view; ``base`` is the address of the service."""
    row = view.row
    group = model(
        id=row.public_id,
        external_id=row.external_id,
        display_name=row.display_name,
        members=[
            Member(value=member, ref=Reference[Any](f"{base}/Users/{member}"), type="User")
            for member in view.members or ()
        ]
        or None,
    )
    group[Role] = Role(
        role_group=row.role_group.name,
        participant_id=row.participant.number,
        participant_name=row.participant.name,
        account_kind=row.role_group.kind,
        applications=view.applications or None,
    )
    group.meta = Meta(
        resource_type="Group",
        created=row.created_at,
        last_modified=row.updated_at,
        version=view.version,
    )
    return group


def create(work: UnitOfWork, reach: Reach, group: Any) -> tuple[ProvisionedGroup, bool]:
    """The group of a role group that exists, with its members; or the one that the same push made
    before (False). Raises the errors of SCIM and of the gateway."""
    extension = group[Role]
    if extension is None:
        raise InvalidValueException(detail="The extension of role groups is needed.")
    name, number = clean(extension.role_group), clean(extension.participant_id)
    reach.check_role_group(name, number)
    role_group = role_groups.by_name(work, name)
    participant = participants.by_number(work, number)
    _rename_participant(work, reach, participant, clean(extension.participant_name))
    values = {
        "public_id": work.token(16),
        "external_id": clean(group.external_id) or None,
        "display_name": clean(group.display_name),
    }
    is_new = insert_if_missing(
        work.db,
        ProvisionedGroup,
        role_group_id=role_group.id,
        participant_id=participant.id,
        client_id=reach.pusher.id,
        created_at=work.now,
        updated_at=work.now,
        **values,
    )
    row = work.db.scalar(
        select(ProvisionedGroup).where(
            ProvisionedGroup.role_group_id == role_group.id,
            ProvisionedGroup.participant_id == participant.id,
        )
    )
    if row is None:
        raise UniquenessException(detail="externalId is taken.")
    if not is_new and (row.external_id is None or row.external_id != values["external_id"]):
        raise UniquenessException(detail="This role group of this participant is a Group already.")
    if is_new:
        events.record(
            work, AuditAction.SCIM_GROUP_CREATED, group=role_group.name, participant=number
        )
        # Whoever holds the role group by then goes on holding it: nobody meant to take it away.
        _add(work, reach, row, _subjects(group.members))
    return row, is_new


def update(work: UnitOfWork, reach: Reach, view: View, group: Any) -> None:
    """Name and members as pushed. Raises the errors of SCIM and of the gateway."""
    changes = [MemberChange("replace", frozenset(_subjects(group.members)))]
    change(work, reach, view.row, group, changes)


def change(
    work: UnitOfWork,
    reach: Reach,
    row: ProvisionedGroup,
    group: Any | None,
    changes: list[MemberChange],
) -> None:
    """Names as in ``group``, if given, and these changes of members one after the other. Raises the
    errors of SCIM and of the gateway."""
    _check(reach, row)
    role_groups.lock_participants(work, [row.participant.number])
    before = _names(row)
    if group is not None:
        _rename(work, reach, row, group)
    after = _names(row)
    added, removed = 0, 0
    for entry in changes:
        came, went = _apply(work, reach, row, entry)
        added, removed = added + came, removed + went
    if not (after != before or added or removed):
        return
    row.updated_at = work.now
    names = {"before": before, "after": after} if after != before else {}
    _record(work, AuditAction.SCIM_GROUP_UPDATED, row, added=added, removed=removed, **names)
    work.db.flush()


def delete(work: UnitOfWork, reach: Reach, view: View) -> None:
    """The role group is nobody's at this participant any more; itself it stays."""
    _check(reach, view.row)
    removed = _remove(work, reach, view.row, true())
    _record(work, AuditAction.SCIM_GROUP_DELETED, view.row, removed=removed)
    work.db.delete(view.row)
    work.db.flush()


@dataclass(frozen=True)
class MemberChange:
    """One operation on members: ``add`` or ``replace`` by the ids of accounts, ``remove`` of those
    that a condition on accounts names. A group of ten thousand is changed without reading it."""

    op: str
    subjects: frozenset[str] = frozenset()
    where: ColumnElement[bool] | None = None


def split(patch: PatchOp[Any]) -> tuple[list[MemberChange], PatchOp[Any] | None]:
    """The operations of a PATCH on members, and the others as a PATCH of their own. Raises the
    errors of SCIM."""
    changes, rest = [], []
    for operation in patch.operations or ():
        path = operation.path
        if path is not None and path.parts and path.parts[0].casefold() == "members":
            changes.append(_member_change(operation))
        else:
            rest.append(operation)
    return changes, patch.model_copy(update={"operations": rest}) if rest else None


def _member_change(operation: Any) -> MemberChange:
    op, path = str(operation.op), operation.path
    if len(path.parts) > 1:
        raise MutabilityException(attribute="members", mutability="immutable")
    if path.value_filter is not None:
        if op != "remove":
            raise InvalidPathException(detail="Members are added by their value, without a filter.")
        return MemberChange(op, where=of_members(path.value_filter))
    values = operation.value
    if op == "remove" and values in (None, []):
        return MemberChange(op, where=true())
    subjects = _subjects([_member(entry) for entry in _listed(values)])
    if op == "remove":
        return MemberChange(op, where=Account.subject.in_(subjects))
    return MemberChange(op, frozenset(subjects))


def _listed(values: Any) -> list[Any]:
    return values if isinstance(values, list) else [] if values is None else [values]


def _member(entry: Any) -> Member:
    try:
        return Member.model_validate(entry)
    except ValidationError as error:
        raise InvalidValueException(detail="A member is an object with a value.") from error


def _subjects(members: Iterable[Member] | None) -> set[str]:
    """The ids of members, each once."""
    rows = list(members or ())
    if any(row.type not in (None, "User") for row in rows):
        raise InvalidValueException(detail="Members are Users.")
    return {clean(row.value)[:MAX_SUBJECT] for row in rows}


def _apply(
    work: UnitOfWork, reach: Reach, row: ProvisionedGroup, entry: MemberChange
) -> tuple[int, int]:
    """How many were added and removed."""
    if entry.where is not None:
        return 0, _remove(work, reach, row, entry.where)
    if entry.op == "add":
        return _add(work, reach, row, entry.subjects), 0
    present = set(_members(work, row))
    gone = [
        _remove(work, reach, row, Account.subject.in_(part))
        for part in _parts(present - entry.subjects)
    ]
    return _add(work, reach, row, entry.subjects - present), sum(gone)


def _add(work: UnitOfWork, reach: Reach, row: ProvisionedGroup, subjects: Collection[str]) -> int:
    """Assign to each once; nobody unknown, closed, or out of reach."""
    added = 0
    for part in _parts(subjects):
        found = work.db.scalars(
            select(Account).where(
                Account.subject.in_(part),
                Account.is_open(work.now),
                reach.visible(),
            )
        ).all()
        if ghosts := set(part) - {account.subject for account in found}:
            raise InvalidValueException(detail=f"There is no User {min(ghosts)!a}.")
        reach.check_accounts(work, found)
        for account in found:
            added += role_groups.assign(work, account, row.role_group, row.participant)
    return added


def _remove(
    work: UnitOfWork, reach: Reach, row: ProvisionedGroup, where: ColumnElement[bool]
) -> int:
    """Revoke from the members that the condition names."""
    found = work.db.scalars(_holding(work, row).where(where)).all()
    reach.check_accounts(work, found)
    for account in found:
        role_groups.revoke(work, account, row.role_group, row.participant)
    return len(found)


def _parts(rows: Collection[Item]) -> Iterator[list[Item]]:
    """The rows in parts that fit into one statement."""
    listed = list(rows)
    for start in range(0, len(listed), PART):
        yield listed[start : start + PART]


def _names(row: ProvisionedGroup) -> dict[str, str | None]:
    return {
        "displayName": row.display_name,
        "externalId": row.external_id,
        "participantName": row.participant.name,
    }


def _rename(work: UnitOfWork, reach: Reach, row: ProvisionedGroup, group: Any) -> None:
    """The names of the group, and of the participant for everybody."""
    extension = group[Role]
    if extension is not None and (
        clean(extension.role_group) != row.role_group.name
        or clean(extension.participant_id) != row.participant.number
    ):
        raise MutabilityException(attribute="roleGroup", mutability="immutable")
    if extension is not None:
        _rename_participant(work, reach, row.participant, clean(extension.participant_name))
    row.display_name = clean(group.display_name) or row.display_name
    row.external_id = clean(group.external_id) or None


def _rename_participant(work: UnitOfWork, reach: Reach, row: Participant, name: str) -> None:
    if name not in ("", row.name):
        reach.check_no_operator(row.number)
        reach.check(PushOperation.UPDATE)
        participants.rename(work, row, name)


def _check(reach: Reach, row: ProvisionedGroup) -> None:
    reach.check_role_group(row.role_group.name, row.participant.number)


def _record(work: UnitOfWork, name: AuditAction, row: ProvisionedGroup, **data: Any) -> None:
    participant = row.participant.number
    events.record(work, name, group=row.role_group.name, participant=participant, **data)
