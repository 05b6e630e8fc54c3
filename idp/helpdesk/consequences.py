"""What an action of an operator affects: the number of sessions, applications, programs and people.

It only reads. The confirmation page shows the counts (docs/decisions/0036).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, distinct, exists, func, select
from sqlalchemy.orm import InstrumentedAttribute

from idp.factors import authenticators
from idp.machines import machine_keys
from idp.models import (
    AccessToken,
    Account,
    AccountKind,
    Assignment,
    Client,
    Grant,
    RefreshToken,
    RoleGroup,
    SigningKey,
    client_role_group,
)
from idp.session import browsers, sessions
from idp.transaction import UnitOfWork


@dataclass(frozen=True)
class AccountReach:
    """How many of each depend on an account now."""

    sessions: int
    applications: int
    browsers: int
    factors: int
    role_groups: int
    keys: int


@dataclass(frozen=True)
class ClientReach:
    """How many people and how many programs (machine accounts) hold a valid token now."""

    people: int
    programs: int


def of_account(work: UnitOfWork, account: Account) -> AccountReach:
    """Count what depends on the account."""
    return AccountReach(
        sessions=len(sessions.active(work, account)),
        applications=_count(work, Grant.client_id, Grant.account_id == account.id),
        browsers=len(browsers.remembered(work, account)),
        factors=len(authenticators.list_usable(work, account)),
        role_groups=_assignments(work, Assignment.account_id == account.id),
        keys=len(machine_keys.of(work, account)) if account.kind == AccountKind.MACHINE else 0,
    )


def of_client(work: UnitOfWork, client: Client) -> ClientReach:
    """Count who holds a valid token of the application."""
    return _users(work, Grant.client_id == client.id)


def of_signing_key(work: UnitOfWork, key: SigningKey) -> tuple[int, ClientReach]:
    """Count the enabled applications that use the algorithm of the key, and who holds their
    tokens."""
    uses = (Client.id_token_alg == key.alg) | (Client.access_token_alg == key.alg)
    enabled = Client.disabled_at.is_(None)
    clients = work.db.scalar(select(func.count()).select_from(Client).where(uses, enabled)) or 0
    return clients, _users(work, Grant.client_id.in_(select(Client.id).where(uses, enabled)))


def applications_seeing(work: UnitOfWork, group: RoleGroup) -> list[str]:
    """The names of the enabled applications that see the role group."""
    query = (
        select(Client.name)
        .join(client_role_group, client_role_group.c.client_id == Client.id)
        .where(client_role_group.c.role_group_id == group.id, Client.disabled_at.is_(None))
    )
    return list(work.db.scalars(query.order_by(Client.name)))


def _users(work: UnitOfWork, where: ColumnElement[bool]) -> ClientReach:
    machine = select(Account.id).where(Account.kind == AccountKind.MACHINE)
    return ClientReach(
        people=_count(work, Grant.account_id, where, Grant.account_id.not_in(machine)),
        programs=_count(work, Grant.account_id, where, Grant.account_id.in_(machine)),
    )


def _count(
    work: UnitOfWork, column: InstrumentedAttribute[Any], *where: ColumnElement[bool]
) -> int:
    """Count the distinct values of a column over the grants that have a valid token."""
    is_used = exists().where(
        AccessToken.grant_id == Grant.id,
        AccessToken.expires_at > work.now,
        AccessToken.revoked_at.is_(None),
    ) | exists().where(
        RefreshToken.grant_id == Grant.id,
        RefreshToken.expires_at > work.now,
        RefreshToken.consumed_at.is_(None),
    )
    query = select(func.count(distinct(column))).where(Grant.revoked_at.is_(None), is_used, *where)
    return work.db.scalar(query) or 0


def _assignments(work: UnitOfWork, *where: ColumnElement[bool]) -> int:
    query = select(func.count()).select_from(Assignment)
    return work.db.scalar(query.where(Assignment.revoked_at.is_(None), *where)) or 0
