"""Role groups: create them, set their rules, and list them with the relying parties that see them.

``role_group_assignments`` has the accounts that hold them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.directory.directory_refusals import (
    AccountKindUnknown,
    ParticipationNameInvalid,
    RoleGroupDescriptionInvalid,
    RoleGroupExists,
    RoleGroupFrenchNameInvalid,
    RoleGroupNameInvalid,
    RoleGroupNotFound,
    RuleUnknown,
)
from idp.gathering import Lookup
from idp.mfa.second_factor_rule import Rule
from idp.models import AccountKind, RoleGroup
from idp.policy.console import ConsoleRole
from idp.policy.names import printable
from idp.transaction import UnitOfWork

if TYPE_CHECKING:
    from idp.models import Client

MAX_PARTICIPATION = 100
MAX_NAME, MAX_DESCRIPTION = 100, 500
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:/()-]{0,99}")


def create(
    work: UnitOfWork,
    name: str,
    *,
    description: str = "",
    name_fr: str = "",
    description_fr: str = "",
    kind: str = "personal",
    clients: list[Client] | None = None,
    participation: str = "",
) -> RoleGroup:
    """Create a role group for these relying parties. If ``participation`` is set, participants must
    have it. Raises Invalid or Conflict."""
    if not _NAME.fullmatch(name):
        raise RoleGroupNameInvalid()
    if kind not in list(AccountKind):
        raise AccountKindUnknown(tuple(AccountKind))
    if work.db.scalar(select(RoleGroup.id).where(RoleGroup.name == name)) is not None:
        raise RoleGroupExists(name)
    group = RoleGroup(
        name=name,
        **_checked_texts(description=description, name_fr=name_fr, description_fr=description_fr),
        kind=kind,
        participation=checked_participation(participation) if participation else "",
        created_at=work.now,
    )
    work.db.add(group)
    for client in clients or []:
        client.role_groups.append(group)
    work.db.flush()
    events.record(
        work,
        AuditAction.ROLE_GROUP_CREATED,
        group=name,
        clients=[c.client_id for c in clients or []],
    )
    return group


def checked_participation(name: str) -> str:
    """Validate the name of a market, program or service and strip it. Raises Invalid."""
    name = name.strip()
    if not 0 < len(name) <= MAX_PARTICIPATION or not printable(name):
        raise ParticipationNameInvalid(MAX_PARTICIPATION)
    return name


def set_rule(work: UnitOfWork, group: RoleGroup, rule: str) -> None:
    """Set the second-factor rule of the group; empty for the default of the environment. Raises
    Invalid."""
    if rule not in ("", *Rule):
        raise RuleUnknown(tuple(Rule))
    group.second_factor = rule
    events.record(work, AuditAction.ROLE_GROUP_RULE, group=group.name, second_factor=rule)


def describe(work: UnitOfWork, group: RoleGroup, **texts: str) -> None:
    """Set ``description``, ``description_fr`` or ``name_fr`` of the group. Raises Invalid."""
    checked: dict[str, Any] = _checked_texts(**texts)
    for name, text in checked.items():
        setattr(group, name, text)
    events.record(work, AuditAction.ROLE_GROUP_DESCRIBED, group=group.name, **checked)


def _checked_texts(**texts: str) -> dict[str, str]:
    for name, text in texts.items():
        is_name = name == "name_fr"
        most = MAX_NAME if is_name else MAX_DESCRIPTION
        if len(text) > most or not printable(text):
            raise (RoleGroupFrenchNameInvalid if is_name else RoleGroupDescriptionInvalid)(most)
    return texts


_BY_NAMES = select(RoleGroup).where(RoleGroup.name.in_(bindparam("keys", expanding=True)))


def _read(work: UnitOfWork, names: Sequence[str]) -> dict[str, RoleGroup]:
    found = work.db.scalars(_BY_NAMES, {"keys": names})
    return {group.name: group for group in found}


#: The role group with this name.
BY_NAME: Lookup[str, RoleGroup] = Lookup(_read)


def by_name(work: UnitOfWork, name: str) -> RoleGroup:
    """Raises NotFound."""
    group = BY_NAME.find(work, name)
    if group is None:
        raise RoleGroupNotFound(name)
    return group


def find(work: UnitOfWork, pk: int) -> RoleGroup | None:
    """The role group of this number."""
    return work.db.get(RoleGroup, pk)


def list_grantable(work: UnitOfWork, kind: str) -> list[RoleGroup]:
    """The role groups that accounts of a kind may hold, without those of operators, by name."""
    query = select(RoleGroup).where(
        RoleGroup.kind == kind, RoleGroup.name.not_in(list(ConsoleRole))
    )
    return list(work.db.scalars(query.order_by(RoleGroup.name)))


def clients_by_role_group(
    work: UnitOfWork, groups: Collection[int] | None = None
) -> dict[int, list[str]]:
    """The client ids that see each role group; for all groups or for these."""
    from idp.models import Client, client_role_group

    query = select(client_role_group.c.role_group_id, Client.client_id).join(
        Client, Client.id == client_role_group.c.client_id
    )
    if groups is not None:
        query = query.where(client_role_group.c.role_group_id.in_(groups))
    seen: dict[int, list[str]] = {}
    for group_id, client_id in work.db.execute(query.order_by(Client.client_id)):
        seen.setdefault(group_id, []).append(client_id)
    return seen


def list_role_groups(work: UnitOfWork) -> list[tuple[RoleGroup, list[str]]]:
    """All role groups by name, each with the client ids that see it."""
    seen = clients_by_role_group(work)
    groups = work.db.scalars(select(RoleGroup).order_by(RoleGroup.name))
    return [(group, seen.get(group.id, [])) for group in groups]
