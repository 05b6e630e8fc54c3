"""A role group at one participant as a SCIM Group: its members are the accounts that hold it there.
Members and the ``grants`` of Users are two views of one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from idp.directory import provisioned_groups, role_groups
from idp.models import ProvisionedGroup
from idp.transaction import UnitOfWork
from registration_bridge.resource_document import ResourceDocument, ResourceKind, present
from registration_bridge.user_schema import ROLE


@dataclass(frozen=True)
class View:
    """A group with the ids of its members; None when they are not shown."""

    row: ProvisionedGroup
    members: list[str] | None
    #: What its version is a digest of.
    state: list[Any]
    applications: list[str]


def views(work: UnitOfWork, rows: list[ProvisionedGroup], *, with_members: bool) -> list[View]:
    """The views of these groups, by as many statements for many as for one."""
    if not rows:
        return []
    held = provisioned_groups.members_of_groups(work, rows) if with_members else {}
    changes = provisioned_groups.changes_of_members(work, rows)
    seen = role_groups.clients_by_role_group(work, {row.role_group_id for row in rows})
    return [
        View(
            row,
            held.get(row.id, []) if with_members else None,
            _state(row, changes.get(row.id, (0, 0))),
            seen.get(row.role_group_id, []),
        )
        for row in rows
    ]


def document_of(kind: ResourceKind, view: View, base: str) -> ResourceDocument:
    """The Group of a view; ``base`` is the address of the service."""
    row = view.row
    role = present(
        roleGroup=row.role_group.name,
        participantId=row.participant.number,
        roleGroupFr=row.role_group.name_fr or None,
        participantName=row.participant.name,
        accountKind=row.role_group.kind,
        applications=view.applications or None,
    )
    values = present(
        externalId=row.external_id,
        displayName=row.display_name,
        members=[
            {"value": member, "$ref": f"{base}/Users/{member}", "type": "User"}
            for member in view.members or ()
        ]
        or None,
    )
    return kind.document(
        base,
        row.public_id,
        values | {str(ROLE): role},
        created=row.created_at,
        modified=row.updated_at,
        version_of=view.state,
    )


def _state(row: ProvisionedGroup, changes: tuple[int, int]) -> list[Any]:
    """Values that change with the name or the members, without reading the members."""
    return [
        row.public_id,
        row.display_name,
        row.external_id,
        row.participant.name,
        row.role_group.name_fr,
        *changes,
    ]
