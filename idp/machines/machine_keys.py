"""Keys of machine accounts: registered by the custodian, several at a time, so that one replaces
another without a program having to stop."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.credentials import assertions
from idp.directory import separation_of_duties
from idp.errors import Conflict, Invalid, NotFound
from idp.messages import queue
from idp.models import Account, AccountKind, Grant, MachineKey, RegisteredNetwork
from idp.policy.machine_networks import MAX_LABEL
from idp.policy.names import printable
from idp.session import sessions
from idp.transaction import UnitOfWork

MAX_KEYS = 10
#: Days that a key may be good for, and those when nothing else is said.
MAX_DAYS, DAYS = 730, 365


def of(work: UnitOfWork, account: Account) -> list[MachineKey]:
    """Those that are not removed, expired ones too, in the order in which they came."""
    query = select(MachineKey).where(
        MachineKey.account_id == account.id, MachineKey.revoked_at.is_(None)
    )
    return list(work.db.scalars(query.order_by(MachineKey.id)))


def usable(work: UnitOfWork, account: Account) -> list[MachineKey]:
    """Those that count now."""
    return [row for row in of(work, account) if row.expires_at > work.now]


def add(
    work: UnitOfWork, account: Account, text: str, *, label: str, days: int = DAYS
) -> MachineKey:
    """Register a public key (JWK or PEM); the custodian gets a mail. Raises Invalid or Conflict."""
    if account.kind != AccountKind.MACHINE:
        raise Invalid("only a machine account has keys")
    separation_of_duties.check(work, account)
    label = label.strip()
    if not label or len(label) > MAX_LABEL or not printable(label):
        raise Invalid(f"a key needs a name of at most {MAX_LABEL} printable characters")
    if not 0 < days <= MAX_DAYS:
        raise Invalid(f"a key is good for 1 to {MAX_DAYS} days")
    present = of(work, account)
    if len(present) >= MAX_KEYS:
        raise Invalid(f"a machine account has at most {MAX_KEYS} keys")
    jwk = assertions.public_key(text)
    if any(row.kid == jwk["kid"] for row in present):
        raise Conflict("this key is registered already")
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
    queue.enqueue(work, "machine_key_added", account, label=label, expires_at=row.expires_at)
    return row


def revoke(work: UnitOfWork, account: Account, kid: str) -> None:
    """Remove a key: what was issued to the account ends too. Raises NotFound."""
    separation_of_duties.check(work, account)
    row = next((row for row in of(work, account) if row.kid == kid), None)
    if row is None:
        raise NotFound(f"no key {kid}")
    _end(work, account, row)
    sessions.revoke_grants(work, Grant.account_id == account.id, "machine_key.removed")


def revoke_all(work: UnitOfWork, account: Account) -> None:
    """Another custodian: nothing that the one before had counts any more (MA-10)."""
    for row in of(work, account):
        _end(work, account, row)


def _end(work: UnitOfWork, account: Account, row: MachineKey) -> None:
    row.revoked_at = work.now
    events.record(
        work, AuditAction.MACHINE_KEY_REMOVED, account=account, kid=row.kid, label=row.label
    )


def prove(work: UnitOfWork, account: Account | None, name: str, assertion: str) -> MachineKey:
    """The key that signed an assertion of this account; as much is done when there is none. Raises
    BadAssertion."""
    rows = usable(work, account) if account is not None else []
    kid = assertions.verify(work, assertion, name, [row.jwk for row in rows])
    return next(row for row in rows if row.kid == kid)


#: When a key or a network was last used is written at most so often.
TOUCH = timedelta(minutes=1)


def touch(work: UnitOfWork, row: MachineKey | RegisteredNetwork) -> None:
    """Note that it was used."""
    if row.last_used_at is None or work.now - row.last_used_at > TOUCH:
        row.last_used_at = work.now
