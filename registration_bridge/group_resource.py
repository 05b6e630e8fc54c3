"""A role group at one participant as a SCIM Group: its members are the accounts that hold it there.
Members and the ``grants`` of Users are two views of one table."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from scim2_models import Meta, Reference

from idp.directory import provisioned_groups, role_groups
from idp.models import ProvisionedGroup
from idp.transaction import UnitOfWork
from registration_bridge.user_schema import Member, Role


@dataclass(frozen=True)
class View:
    """A group with the ids of its members; None when they are not shown."""

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
            provisioned_groups.members(work, row) if with_members else None,
            _version(work, row),
            seen.get(row.role_group_id, []),
        )
        for row in rows
    ]


def _version(work: UnitOfWork, row: ProvisionedGroup) -> str:
    """A digest that changes with the name or the members, without reading the members."""
    counted = provisioned_groups.changes_of_members(work, row)
    names = f"{row.display_name}/{row.external_id}/{row.participant.name}/{row.role_group.name_fr}"
    text = f"{row.public_id}/{names}/{counted}"
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
        role_group_fr=row.role_group.name_fr or None,
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
