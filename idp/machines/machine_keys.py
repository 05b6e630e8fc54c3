"""Keys of machine accounts (``private_key_jwt``, RFC 7523).

The custodian registers them. An account may have several, so that a key can be replaced while
programs keep running."""

from __future__ import annotations

from sqlalchemy import select

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.credentials import assertions
from idp.directory import separation_of_duties
from idp.machines.machine_refusals import (
    KeyDaysInvalid,
    KeyExists,
    KeyNameInvalid,
    KeysOfPerson,
    MachineKeyNotFound,
    TooManyKeys,
)
from idp.messages import queue
from idp.messages.message_kinds import MailKind
from idp.models import Account, AccountKind, Grant, MachineKey
from idp.policy.machine_networks import MAX_LABEL
from idp.policy.names import printable
from idp.policy.registered_values import DEFAULT_KEY_DAYS, MAX_KEY_DAYS
from idp.session import sessions
from idp.session.end_reasons import EndReason
from idp.transaction import UnitOfWork

MAX_KEYS = 10


def of(work: UnitOfWork, account: Account) -> list[MachineKey]:
    """The keys that were not removed, including expired ones, oldest first."""
    query = select(MachineKey).where(
        MachineKey.account_id == account.id, MachineKey.revoked_at.is_(None)
    )
    return list(work.db.scalars(query.order_by(MachineKey.id)))


def usable(work: UnitOfWork, account: Account) -> list[MachineKey]:
    """The keys that are valid now."""
    return [row for row in of(work, account) if row.expires_at > work.now]


def add(
    work: UnitOfWork, account: Account, text: str, *, label: str, days: int = DEFAULT_KEY_DAYS
) -> MachineKey:
    """Register a public key (JWK or PEM). The custodian gets a mail. Raises Invalid or Conflict."""
    if account.kind != AccountKind.MACHINE:
        raise KeysOfPerson()
    separation_of_duties.check(work, account)
    label = label.strip()
    if not label or len(label) > MAX_LABEL or not printable(label):
        raise KeyNameInvalid(MAX_LABEL)
    if not 0 < days <= MAX_KEY_DAYS:
        raise KeyDaysInvalid(MAX_KEY_DAYS)
    present = of(work, account)
    if len(present) >= MAX_KEYS:
        raise TooManyKeys(MAX_KEYS)
    jwk = assertions.public_key(text)
    if any(row.kid == jwk["kid"] for row in present):
        raise KeyExists()
    row = MachineKey(
        account_id=account.id,
        kid=jwk["kid"],
        label=label,
        jwk=jwk,
        created_at=work.now,
        expires_at=work.after(days=days),
    )
    work.db.add(row)
    work.db.flush()
    events.record(work, AuditAction.MACHINE_KEY_ADDED, account=account, kid=row.kid, label=label)
    queue.enqueue(work, MailKind.MACHINE_KEY_ADDED, account, label=label, expires_at=row.expires_at)
    return row


def revoke(work: UnitOfWork, account: Account, kid: str) -> None:
    """Remove a key and revoke the grants of the account. Raises NotFound."""
    separation_of_duties.check(work, account)
    row = next((row for row in of(work, account) if row.kid == kid), None)
    if row is None:
        raise MachineKeyNotFound(kid)
    _remove(work, account, row)
    sessions.revoke_grants(work, Grant.account_id == account.id, EndReason.MACHINE_KEY_REMOVED)


def revoke_all(work: UnitOfWork, account: Account) -> None:
    """Remove all keys: the custodian changes (MA-10)."""
    for row in of(work, account):
        _remove(work, account, row)


def _remove(work: UnitOfWork, account: Account, row: MachineKey) -> None:
    row.revoked_at = work.now
    events.record(
        work, AuditAction.MACHINE_KEY_REMOVED, account=account, kid=row.kid, label=row.label
    )


def verify_assertion(
    work: UnitOfWork, account: Account | None, name: str, assertion: str
) -> MachineKey:
    """The key of the account that signed the assertion. An unknown account costs one signature
    check too. Raises BadAssertion."""
    rows = usable(work, account) if account is not None else []
    kid = assertions.verify(work, assertion, name, [row.jwk for row in rows])
    return next(row for row in rows if row.kid == kid)
