"""A role group at one participant as a SCIM Group: its members are the accounts that hold it.
Members and the ``grants`` of Users are two views of one table."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from scim2_models import (
    InvalidValueException,
    Meta,
    MutabilityException,
    Reference,
    UniquenessException,
)
from sqlalchemy import func, select

from idp.accounts import directory, events, roles
from idp.db import insert_if_missing
from idp.models import Account, AccountState, Assignment, Client, ProvisionedGroup
from idp.transaction import Work
from registration_bridge import reach
from registration_bridge.schema import Member, Role
from registration_bridge.text import clean


@dataclass
class View:
    """A group with its members; None when nobody asked for them."""

    row: ProvisionedGroup
    members: list[Account] | None
    version: str


def views(work: Work, rows: list[ProvisionedGroup], *, with_members: bool) -> list[View]:
    """The views of these groups."""
    return [
        View(row, _members(work, row) if with_members else None, _version(work, row))
        for row in rows
    ]


def _of_pair(row: ProvisionedGroup) -> tuple[Any, ...]:
    return (
        Assignment.role_group_id == row.role_group_id,
        Assignment.participant_id == row.participant_id,
    )


def _members(work: Work, row: ProvisionedGroup) -> list[Account]:
    query = (
        select(Account)
        .join(Assignment, Assignment.account_id == Account.id)
        .where(
            *_of_pair(row),
            Assignment.revoked_at.is_(None),
            Account.state != AccountState.DEACTIVATED,
        )
        .order_by(Account.id)
    )
    return list(work.db.scalars(query))


def _version(work: Work, row: ProvisionedGroup) -> str:
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
            Member(
                value=account.subject,
                ref=Reference[Any](f"{base}/Users/{account.subject}"),
                type="User",
            )
            for account in view.members or ()
        ]
        or None,
    )
    group[Role] = Role(
        role_group=row.role_group.name,
        participant_id=row.participant.number,
        participant_name=row.participant.name,
    )
    group.meta = Meta(
        resource_type="Group",
        created=row.created_at,
        last_modified=row.updated_at,
        version=view.version,
    )
    return group


def create(work: Work, pusher: Client, group: Any) -> tuple[ProvisionedGroup, bool]:
    """The group of a role group that exists, with its members; or the one that the same push made
    before (False). Raises the errors of SCIM and of the gateway."""
    extension = group[Role]
    if extension is None:
        raise InvalidValueException(detail="The extension of role groups is needed.")
    name = clean(extension.role_group)
    reach.check_role_group(name)
    role_group = roles.by_name(work, name)
    participant = directory.ensure_participant(
        work, clean(extension.participant_id), clean(extension.participant_name)
    )
    directory.rename_participant(work, participant, clean(extension.participant_name))
    number = participant.number
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
        client_id=pusher.id,
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
        events.record(work, "scim.group_created", group=role_group.name, participant=number)
        _set_members(work, row, group.members)
    return row, is_new


def update(work: Work, view: View, group: Any) -> None:
    """Name and members as pushed. Raises the errors of SCIM and of the gateway."""
    row, extension = view.row, group[Role]
    if extension is not None and (
        clean(extension.role_group) != row.role_group.name
        or clean(extension.participant_id) != row.participant.number
    ):
        raise MutabilityException(attribute="roleGroup", mutability="immutable")
    reach.check_role_group(row.role_group.name)
    if extension is not None:
        directory.rename_participant(work, row.participant, clean(extension.participant_name))
    row.display_name = clean(group.display_name) or row.display_name
    row.external_id = clean(group.external_id) or None
    row.updated_at = work.now
    _set_members(work, row, group.members)
    events.record(
        work,
        "scim.group_updated",
        group=row.role_group.name,
        participant=row.participant.number,
    )
    work.db.flush()


def _set_members(work: Work, row: ProvisionedGroup, members: list[Member] | None) -> None:
    """Assign to whoever is new, revoke from whoever is gone; each once, nobody unknown."""
    wanted = {clean(member.value) for member in members or ()}
    if any(member.type not in (None, "User") for member in members or ()):
        raise InvalidValueException(detail="Members are Users.")
    present = {account.subject: account for account in _members(work, row)}
    for subject in sorted(wanted - set(present)):
        account = _account(work, subject)
        roles.assign(work, account, row.role_group, row.participant)
    for subject in sorted(set(present) - wanted):
        reach.check_account(work, present[subject])
        roles.revoke(work, present[subject], row.role_group, row.participant)


def _account(work: Work, subject: str) -> Account:
    account = directory.by_subject(work, subject)
    if account is None or account.state == AccountState.DEACTIVATED:
        raise InvalidValueException(detail=f"There is no User {subject!a}.")
    reach.check_account(work, account)
    return account


def delete(work: Work, view: View) -> None:
    """The role group is nobody's at this participant any more; itself it stays."""
    _set_members(work, view.row, [])
    events.record(
        work,
        "scim.group_deleted",
        group=view.row.role_group.name,
        participant=view.row.participant.number,
    )
    work.db.delete(view.row)
    work.db.flush()
