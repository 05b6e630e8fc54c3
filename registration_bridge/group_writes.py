"""Apply a pushed Group: its name, and who holds the role group at the participant."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from scim2_models import InvalidValueException, MutabilityException, UniquenessException

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.directory import (
    participants,
    provisioned_accounts,
    provisioned_groups,
    role_group_assignments,
    role_groups,
)
from idp.directory.provisioning_scope import ProvisioningScope, batches
from idp.directory.search_conditions import ALWAYS, Condition
from idp.models import Participant, ProvisionedGroup
from idp.policy.scopes import PushOperation
from idp.transaction import UnitOfWork
from registration_bridge.pushed_group import MemberChange, PushedGroup


def create(
    work: UnitOfWork, scope: ProvisioningScope, group: PushedGroup
) -> tuple[ProvisionedGroup, bool]:
    """The group of an existing role group, with its members, or the one that the same push created
    before (False). Raises the errors of SCIM and of the gateway."""
    scope.check_role_group(group.role_group, group.participant)
    role_group = role_groups.by_name(work, group.role_group)
    participant = participants.by_number(work, group.participant)
    _rename_participant(work, scope, participant, group.participant_name)
    row, is_new = provisioned_groups.create(
        work,
        scope,
        role_group,
        participant,
        display_name=group.display_name,
        external_id=group.external_id,
    )
    if row is None:
        raise UniquenessException(detail="externalId is already in use.")
    if not is_new and (row.external_id is None or row.external_id != group.external_id):
        raise UniquenessException(
            detail="A Group for this role group and participant already exists."
        )
    if is_new:
        events.record(
            work,
            AuditAction.SCIM_GROUP_CREATED,
            group=role_group.name,
            participant=participant.number,
        )
        # Accounts that hold the role group already stay members.
        _add(work, scope, row, group.members)
    return row, is_new


def change(
    work: UnitOfWork,
    scope: ProvisioningScope,
    row: ProvisionedGroup,
    group: PushedGroup | None,
    changes: Iterable[MemberChange],
) -> None:
    """Apply the names of ``group``, if given, and then these changes of members in order. Raises
    the errors of SCIM and of the gateway."""
    _check(scope, row)
    role_group_assignments.lock_participants(work, [row.participant.number])
    before = _names(row)
    if group is not None:
        _rename(work, scope, row, group)
    after = _names(row)
    added, removed = 0, 0
    for entry in changes:
        came, went = _apply(work, scope, row, entry)
        added, removed = added + came, removed + went
    if not (after != before or added or removed):
        return
    provisioned_groups.touch(work, row)
    names = {"before": before, "after": after} if after != before else {}
    _record(work, AuditAction.SCIM_GROUP_UPDATED, row, added=added, removed=removed, **names)


def delete(work: UnitOfWork, scope: ProvisioningScope, row: ProvisionedGroup) -> None:
    """Revoke the role group at this participant from all members; the role group itself stays."""
    _check(scope, row)
    removed = _remove(work, scope, row, ALWAYS)
    _record(work, AuditAction.SCIM_GROUP_DELETED, row, removed=removed)
    provisioned_groups.delete(work, row)


def _apply(
    work: UnitOfWork, scope: ProvisioningScope, row: ProvisionedGroup, entry: MemberChange
) -> tuple[int, int]:
    """Returns how many were added and removed."""
    if entry.condition is not None:
        return 0, _remove(work, scope, row, entry.condition)
    if entry.op == "add":
        return _add(work, scope, row, entry.subjects), 0
    present = set(provisioned_groups.members(work, row))
    gone = [
        _remove(work, scope, row, provisioned_groups.is_one_of(batch))
        for batch in batches(present - entry.subjects)
    ]
    return _add(work, scope, row, entry.subjects - present), sum(gone)


def _add(
    work: UnitOfWork, scope: ProvisioningScope, row: ProvisionedGroup, subjects: Collection[str]
) -> int:
    """Assign the role group to each once. Raises InvalidValueException for an account that is
    unknown, deactivated or out of scope."""
    added = 0
    for batch in batches(subjects):
        found = provisioned_accounts.find_many(work, scope, batch)
        if unknown := set(batch) - {account.subject for account in found}:
            raise InvalidValueException(detail=f"There is no User {min(unknown)!a}.")
        scope.check_accounts(work, found)
        for account in found:
            added += role_group_assignments.assign(work, account, row.role_group, row.participant)
    return added


def _remove(
    work: UnitOfWork, scope: ProvisioningScope, row: ProvisionedGroup, condition: Condition
) -> int:
    """Revoke the role group from the members that match the condition."""
    found = provisioned_groups.members_by(work, row, condition)
    scope.check_accounts(work, found)
    for account in found:
        role_group_assignments.revoke(work, account, row.role_group, row.participant)
    return len(found)


def _names(row: ProvisionedGroup) -> dict[str, str | None]:
    return {
        "displayName": row.display_name,
        "externalId": row.external_id,
        "participantName": row.participant.name,
    }


def _rename(
    work: UnitOfWork, scope: ProvisioningScope, row: ProvisionedGroup, group: PushedGroup
) -> None:
    """Set the name of the group, and the name of the participant everywhere."""
    pair = (row.role_group.name, row.participant.number)
    if (group.role_group, group.participant) != pair:
        raise MutabilityException(attribute="roleGroup", mutability="immutable")
    _rename_participant(work, scope, row.participant, group.participant_name)
    provisioned_groups.rename(row, display_name=group.display_name, external_id=group.external_id)


def _rename_participant(
    work: UnitOfWork, scope: ProvisioningScope, row: Participant, name: str
) -> None:
    if name not in ("", row.name):
        scope.check_no_operator(row.number)
        scope.check(PushOperation.UPDATE)
        participants.rename(work, row, name)


def _check(scope: ProvisioningScope, row: ProvisionedGroup) -> None:
    scope.check_role_group(row.role_group.name, row.participant.number)


def _record(work: UnitOfWork, name: AuditAction, row: ProvisionedGroup, **data: Any) -> None:
    participant = row.participant.number
    events.record(work, name, group=row.role_group.name, participant=participant, **data)
