"""Why an account cannot sign in or open an application, as data for a page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import exists, select

from idp.credentials import temporary_passwords
from idp.directory import activation
from idp.models import (
    Account,
    AccountKind,
    AccountState,
    Assignment,
    Client,
    Link,
    client_role_group,
)
from idp.session import failed_attempts
from idp.signin import password_change
from idp.transaction import UnitOfWork


class SignInBlockKind(StrEnum):
    """What keeps an account from signing in."""

    NEVER_ACTIVATED = "never_activated"
    ACTIVATION_WAITING = "activation_waiting"
    ACTIVATION_EXPIRED = "activation_expired"
    TOO_MANY_FAILURES = "too_many_failures"
    RENEWAL_DUE = "renewal_due"
    TEMPORARY_WAITING = "temporary_waiting"
    TEMPORARY_EXPIRED = "temporary_expired"
    TEMPORARY_USED = "temporary_used"
    RESET_WAITING = "reset_waiting"
    RESET_EXPIRED = "reset_expired"
    RESET_REQUIRED = "reset_required"
    LOCKED = "locked"
    SUSPENDED = "suspended"
    DEACTIVATED = "deactivated"


@dataclass(frozen=True)
class SignInBlock:
    """One reason. ``kind`` selects the text; times and ``detail`` are its parameters."""

    kind: SignInBlockKind
    since: datetime | None = None
    until: datetime | None = None
    detail: str = ""


def sign_in_blocks(work: UnitOfWork, account: Account) -> list[SignInBlock]:
    """Everything that prevents a sign-in, the decisive reason first; empty if nothing does."""
    found = [*_of_state(work, account)]
    if account.state == AccountState.ACTIVE:
        for lock in failed_attempts.locks(work, account):
            scope = lock.key.partition(":")[0]
            found.append(
                SignInBlock(
                    SignInBlockKind.TOO_MANY_FAILURES, lock.locked_at, lock.locked_until, scope
                )
            )
        if password_change.is_renewal_due(work, account) and account.password_changed_at:
            due = account.password_changed_at + timedelta(days=work.settings.password_max_age_days)
            found.append(SignInBlock(SignInBlockKind.RENEWAL_DUE, due))
    return found


def _of_state(work: UnitOfWork, account: Account) -> list[SignInBlock]:
    since, reason = account.state_changed_at, account.state_reason
    if account.state == AccountState.PENDING:
        link = activation.pending_link(work, account)
        if link is None:
            return [SignInBlock(SignInBlockKind.NEVER_ACTIVATED, account.created_at)]
        if link.expires_at <= work.now:
            return [
                SignInBlock(SignInBlockKind.ACTIVATION_EXPIRED, link.created_at, link.expires_at)
            ]
        return [SignInBlock(SignInBlockKind.ACTIVATION_WAITING, link.created_at, link.expires_at)]
    if account.state == AccountState.RESET_REQUIRED:
        return [_reset_required(work, account)]
    if account.state == AccountState.ACTIVE:
        return []
    return [SignInBlock(SignInBlockKind(account.state), since, None, reason)]


def _reset_required(work: UnitOfWork, account: Account) -> SignInBlock:
    """How the holder can set a new password, and whether that is still possible."""
    since = account.state_changed_at
    given = temporary_passwords.latest(work, account)
    if given is not None and given.created_at >= since and given.superseded_at is None:
        if given.used_at is not None:
            return SignInBlock(SignInBlockKind.TEMPORARY_USED, since, given.used_at)
        kind = (
            SignInBlockKind.TEMPORARY_WAITING
            if given.expires_at > work.now
            else SignInBlockKind.TEMPORARY_EXPIRED
        )
        return SignInBlock(kind, since, given.expires_at)
    link = work.db.scalar(
        select(Link)
        .where(
            Link.account_id == account.id,
            Link.purpose == "reset",
            Link.used_at.is_(None),
            Link.superseded_at.is_(None),
        )
        .order_by(Link.id.desc())
        .limit(1)
    )
    if link is None:
        return SignInBlock(SignInBlockKind.RESET_REQUIRED, since)
    kind = (
        SignInBlockKind.RESET_WAITING
        if link.expires_at > work.now
        else SignInBlockKind.RESET_EXPIRED
    )
    return SignInBlock(kind, since, link.expires_at)


def inaccessible_clients(work: UnitOfWork, account: Account) -> list[Client]:
    """The relying parties with a tile for which the account holds no role group, by name."""
    if account.kind == AccountKind.MACHINE:
        return []
    held = exists().where(
        client_role_group.c.client_id == Client.id,
        Assignment.role_group_id == client_role_group.c.role_group_id,
        Assignment.account_id == account.id,
        Assignment.is_effective(work.now),
    )
    query = select(Client).where(Client.disabled_at.is_(None), Client.home_url != "", ~held)
    return list(work.db.scalars(query.order_by(Client.name)))
