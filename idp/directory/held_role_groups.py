"""The role groups that an account holds, and what follows from them: accessible applications,
console roles and second-factor rules."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, bindparam, false, literal, select, true

from idp.db import UtcDateTime
from idp.models import (
    Account,
    Assignment,
    Client,
    Contact,
    Participant,
    RoleGroup,
    client_role_group,
)
from idp.policy.console import OPERATOR, ConsoleRole
from idp.policy.held_role_group import HeldRoleGroup
from idp.transaction import UnitOfWork
from service_base.prepared import Prepared
from service_base.subqueries import gathered

_IS_EFFECTIVE = Assignment.is_effective(bindparam("now", type_=UtcDateTime))
#: The fields of ``HeldRoleGroup``.
_SEEN = (RoleGroup.name, Participant.number, Participant.name)


def _seen_by(account: ColumnElement[int], client: ColumnElement[int], *columns: Any) -> Select[Any]:
    """The role groups of an account that a relying party sees, as of the parameter ``now``."""
    return (
        select(*columns)
        .select_from(Assignment)
        .join(RoleGroup, RoleGroup.id == Assignment.role_group_id)
        .join(Participant, Participant.id == Assignment.participant_id)
        .join(client_role_group, client_role_group.c.role_group_id == RoleGroup.id)
        .where(
            Assignment.account_id == account, _IS_EFFECTIVE, client_role_group.c.client_id == client
        )
    )


_FOR_CLIENT = Prepared(_seen_by(bindparam("account"), bindparam("client"), *_SEEN))
_HELD = (Assignment.account_id == bindparam("account"), _IS_EFFECTIVE)
#: Authorized Representatives, Primary Contacts and Rights Administrators.
_IS_CONTACT = (
    select(literal(""), literal(""), literal(""), true())
    .select_from(Contact)
    .where(Contact.person_id == bindparam("person"), Contact.ended_at.is_(None))
)
_RULES = Prepared(
    select(RoleGroup.name, RoleGroup.second_factor, Participant.number, false())
    .select_from(Assignment)
    .join(RoleGroup, RoleGroup.id == Assignment.role_group_id)
    .join(Participant, Participant.id == Assignment.participant_id)
    .where(*_HELD)
    .union_all(_IS_CONTACT)
)
_BY_CLIENT = (
    select(client_role_group.c.client_id, Participant.name)
    .join(Assignment, Assignment.role_group_id == client_role_group.c.role_group_id)
    .join(Participant, Participant.id == Assignment.participant_id)
    .where(*_HELD)
    .distinct()
    .order_by(Participant.name)
)
_ACCESSIBLE = (
    select(Client)
    .where(
        Client.id.in_(
            select(client_role_group.c.client_id)
            .join(Assignment, Assignment.role_group_id == client_role_group.c.role_group_id)
            .where(*_HELD)
        ),
        Client.disabled_at.is_(None),
    )
    .order_by(Client.name)
)


def _in_console(whose: ColumnElement[bool]) -> Select[str]:
    """The roles in the console."""
    return (
        select(RoleGroup.name)
        .join(Assignment, Assignment.role_group_id == RoleGroup.id)
        .join(Participant, Participant.id == Assignment.participant_id)
        .where(
            whose,
            _IS_EFFECTIVE,
            Participant.number == OPERATOR,
            RoleGroup.name.in_(list(ConsoleRole)),
        )
    )


_CONSOLE_ROLES = _in_console(Assignment.account_id == bindparam("account"))


def held_for_client(work: UnitOfWork, account_id: int, client_pk: int) -> list[HeldRoleGroup]:
    """The account's role groups that one relying party sees, by one indexed query."""
    values = {"account": account_id, "client": client_pk, "now": work.now}
    return of_rows(work.run(_FOR_CLIENT, values))


def beside(grants: FromClause) -> ColumnElement[Any]:
    """The same for the account and the client in a row of ``grants``, as a column of a statement
    with the parameter ``now``, for ``of_rows``."""
    found = _seen_by(grants.c.account_id, grants.c.client_id, gathered(*_SEEN))
    return found.correlate(grants).scalar_subquery()


def of_rows(rows: Iterable[Iterable[str]]) -> list[HeldRoleGroup]:
    """The role groups in rows of the database."""
    return list(map(HeldRoleGroup._make, rows))


def list_held(work: UnitOfWork, account: Account) -> list[Assignment]:
    """The account's assignments that are not revoked, including future ones, sorted by participant
    and role group."""
    rows = work.db.scalars(
        select(Assignment)
        .join(Assignment.participant)
        .join(Assignment.role_group)
        .where(Assignment.account_id == account.id, Assignment.revoked_at.is_(None))
        .order_by(Participant.number, RoleGroup.name)
    )
    return list(rows)


def holders(
    work: UnitOfWork, group: RoleGroup, accounts: Iterable[Account]
) -> dict[int, list[Assignment]]:
    """The assignments of the role group to these accounts, by account id, including future ones."""
    rows = work.db.scalars(
        select(Assignment)
        .join(Assignment.participant)
        .where(
            Assignment.role_group_id == group.id,
            Assignment.account_id.in_([account.id for account in accounts]),
            Assignment.revoked_at.is_(None),
        )
        .order_by(Participant.number)
    )
    found: dict[int, list[Assignment]] = {}
    for row in rows:
        found.setdefault(row.account_id, []).append(row)
    return found


def second_factor_rules(work: UnitOfWork, account: Account) -> list[str]:
    """The second-factor rules that apply to the account: those of its role groups, and the
    administrators' rule for accounts with a console role and for the accounts of contacts of a
    participant, who decide about the access of others (Z-13). Empty for an account without such
    rights."""
    values = _held_by(work, account) | {"person": account.person_id}
    rows = work.run(_RULES, values).all()
    consoles = set(ConsoleRole)
    found = [rule for _, rule, _, _ in rows if rule]
    if any(
        is_contact or (number == OPERATOR and name in consoles)
        for name, _, number, is_contact in rows
    ):
        found.append(work.settings.second_factor_administrators)
    return found


def list_applications(work: UnitOfWork, account: Account) -> list[Client]:
    """The relying parties with a tile for which the account holds a role group (GW-05)."""
    return [client for client in accessible_clients(work, account) if client.home_url]


def participants_of(work: UnitOfWork, account: Account) -> dict[int, list[str]]:
    """The names of the participants for which the account can open each relying party, by the
    database id of the client."""
    found: dict[int, list[str]] = {}
    for client_id, name in work.db.execute(_BY_CLIENT, _held_by(work, account)):
        found.setdefault(client_id, []).append(name)
    return found


def participant_names(work: UnitOfWork, account: Account) -> list[str]:
    """The names of the participants for which the account holds a role group now."""
    query = (
        select(Participant.name)
        .join(Assignment, Assignment.participant_id == Participant.id)
        .where(Assignment.account_id == account.id, Assignment.is_effective(work.now))
        .distinct()
        .order_by(Participant.name)
    )
    return list(work.db.scalars(query))


def accessible_clients(work: UnitOfWork, account: Account) -> list[Client]:
    """The relying parties that the account can open, sorted by name: it holds one of their role
    groups, and they allow its kind of account."""
    rows = work.db.scalars(_ACCESSIBLE, _held_by(work, account))
    return [row for row in rows if row.allows_account(account)]


def console_roles(work: UnitOfWork, account: Account) -> frozenset[ConsoleRole]:
    """The account's roles in the console. Only the gateway's own role groups count, and only if
    held for the operator's own participant."""
    return frozenset(map(ConsoleRole, work.db.scalars(_CONSOLE_ROLES, _held_by(work, account))))


def any_is_operator(work: UnitOfWork, accounts: Iterable[Account]) -> bool:
    """Whether the person of any of these accounts has a console role through any account."""
    persons = {account.person_id for account in accounts}
    held = select(Account.id).where(Account.person_id.in_(persons))
    query = _in_console(Assignment.account_id.in_(held)).limit(1)
    return work.db.scalar(query, {"now": work.now}) is not None


def _held_by(work: UnitOfWork, account: Account) -> dict[str, Any]:
    return {"account": account.id, "now": work.now}
