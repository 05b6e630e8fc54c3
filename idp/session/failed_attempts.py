"""Failed attempts, counted in the database, and the lock-outs that follow (N49 to N51).

A password is checked first, without a row lock. Then its outcome is recorded here, one after the
other, under the row of its key. Of any number of parallel guesses only those within the budget
count; the others are refused whether they were right or not.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row, bindparam, delete, or_, select, update

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.db import insert_if_missing, table
from idp.messages import queue
from idp.messages.message_kinds import MailKind
from idp.models import Account, AccountState, KnownBrowser, Throttle
from idp.policy.addresses import UNKNOWN, network_of
from idp.policy.lockout import REVEALING_ATTEMPTS, Budget, Record, after_failure
from idp.policy.names import name_key
from idp.transaction import UnitOfWork
from service_base.prepared import Prepared

#: A network counts as the holder's own this long after a sign-in from it.
NETWORK_DAYS = 30
#: Mails or texts that one account may request: five an hour.
SENDING = Budget(5, timedelta(hours=1), timedelta(hours=1))
_THROTTLE = table(Throttle)
_OF_KEY = select(
    _THROTTLE.c.id, _THROTTLE.c.failures, _THROTTLE.c.locked_at, _THROTTLE.c.locked_until
).where(_THROTTLE.c.key == bindparam("key"))
_STATE = Prepared(_OF_KEY)
_LOCKED = Prepared(_OF_KEY.with_for_update())
_STORE = Prepared(update(_THROTTLE).where(_THROTTLE.c.id == bindparam("row")))
_ADDRESSES = Prepared(
    select(KnownBrowser.ip)
    .where(
        KnownBrowser.account_id == bindparam("account"),
        KnownBrowser.last_seen_at > bindparam("since"),
    )
    .distinct()
)
_OF_SIGN_IN = or_(
    *(
        Throttle.key.startswith(f"{scope}:")
        for scope in ("account", "browser", "network", "session")
    )
)


def signin_budget(work: UnitOfWork) -> Budget:
    """The budget for wrong passwords, from the settings."""
    settings = work.settings
    return Budget(
        settings.lockout_failures,
        timedelta(seconds=settings.lockout_window),
        timedelta(seconds=settings.lockout_seconds),
    )


def key_of(work: UnitOfWork, account: Account | None, typed: str, remembered: int | None) -> str:
    """The key under which this attempt counts; ``remembered`` is the key of the browser if it is
    remembered (``browsers.remembered_id``). A remembered browser and a network of the holder
    have keys of their own, so that nobody elsewhere can lock them out (N51). All spellings of a
    name that does not exist share one key."""
    if account is None:
        return f"name:{work.vault.digest('throttle', name_key(typed))}"
    if remembered is not None:
        return f"browser:{account.id}:{remembered}"
    network = network_of(work.origin.ip)
    if is_own_network(work, account, network):
        return f"network:{account.id}:{network}"
    return f"account:{account.id}"


def is_own_network(work: UnitOfWork, account: Account, network: str) -> bool:
    """Whether the account signed in from this network recently. An unknown network is no one's."""
    since = work.now - timedelta(days=NETWORK_DAYS)
    rows = work.run(_ADDRESSES, {"account": account.id, "since": since})
    return network != UNKNOWN and network in map(network_of, rows.scalars())


def record_outcome(work: UnitOfWork, key: str, account: Account | None, *, matched: bool) -> bool:
    """Record the outcome of one password. True when it was right and counts. When a lock-out
    begins, the holder gets a mail."""
    counts, after = _count(work, key, account, signin_budget(work), matched=matched)
    if account is not None and after is not None and after.locked_until is not None:
        events.record(
            work,
            AuditAction.SIGNIN_LOCKED,
            account=account,
            scope=key.partition(":")[0],
            until=after.locked_until.isoformat(),
        )
        if account.state == AccountState.ACTIVE:
            queue.enqueue(work, MailKind.SIGNIN_LOCKED, account, expires_at=after.locked_until)
    return counts


def record_code_outcome(
    work: UnitOfWork, key: str, account: Account, budget: Budget, *, matched: bool
) -> bool:
    """The same for a code of a second factor: it has a budget of its own, and sends no mail."""
    return _count(work, key, account, budget, matched=matched)[0]


def _count(
    work: UnitOfWork, key: str, account: Account | None, budget: Budget, *, matched: bool
) -> tuple[bool, Record | None]:
    """Whether the attempt was right and counts, and the record after a failure. While the key is
    locked, a right secret is refused like a wrong one (N49)."""
    row = _row(work, key, account)
    record = _record(row)
    if record.is_locked(work.now):
        if len(record.failures) <= REVEALING_ATTEMPTS:
            _store(work, row, after_failure(record, work.now, budget))
        return False, None
    if matched:
        if record != Record():
            _store(work, row, Record())
        return True, None
    after = after_failure(record, work.now, budget)
    _store(work, row, after)
    return False, after


def locked_until(work: UnitOfWork, key: str) -> datetime | None:
    """When the lock-out of the key ends, for an attempt that was right and has just been recorded;
    None if it is not locked. Raises TooManyAttempts if the answer would help to guess."""
    row = work.run(_STATE, {"key": key}).first()
    if row is None or not _record(row).is_locked(work.now):
        return None
    if len(row.failures) > REVEALING_ATTEMPTS:
        raise TooManyAttempts()
    until: datetime | None = row.locked_until
    return until


class TooManyAttempts(Exception):
    """The key is locked, and the bounded number of attempts in a lock is used up."""


def consume(work: UnitOfWork, key: str, account: Account | None, budget: Budget) -> bool:
    """Count one use of something limited, such as mails; False when the budget is used up."""
    row = _row(work, key, account)
    record = _record(row)
    if record.is_locked(work.now):
        return False
    _store(work, row, after_failure(record, work.now, budget))
    return True


def was_tried(work: UnitOfWork, key: str, account: Account, secret: str) -> bool:
    """Whether this wrong secret was already counted under the key within the window; marks it as
    counted. Nothing is written while the key is locked, so that a key has few rows."""
    if is_locked(work, key):
        return True
    window = signin_budget(work).window
    tried = work.vault.digest("tried", f"{key}\0{secret}")
    return not consume(work, f"tried:{tried}", account, Budget(1, window, window))


def lock_row(work: UnitOfWork, key: str, account: Account) -> None:
    """Lock the row of this key until the transaction ends, so that outcomes are recorded one after
    the other; counts nothing."""
    _row(work, key, account)


def is_locked(work: UnitOfWork, key: str) -> bool:
    """Whether the key is locked at this moment; counts nothing."""
    row = work.run(_STATE, {"key": key}).first()
    return row is not None and _record(row).is_locked(work.now)


def locks(work: UnitOfWork, account: Account) -> list[Throttle]:
    """The lock-outs of the account at this moment, the widest first."""
    rows = work.db.scalars(
        select(Throttle)
        .where(
            Throttle.account_id == account.id,
            Throttle.locked_until > work.now,
            _OF_SIGN_IN,
        )
        .order_by(Throttle.key)
    )
    return [row for row in rows if _record(row).is_locked(work.now)]


def clear(work: UnitOfWork, account: Account) -> None:
    """Delete the failed passwords and lock-outs of the account: it is unlocked. The counts of mails
    and texts stay."""
    work.db.execute(
        delete(Throttle)
        .where(Throttle.account_id == account.id, _OF_SIGN_IN)
        .execution_options(synchronize_session=False)
    )


def forget(work: UnitOfWork, key: str) -> None:
    """Delete what was counted under one key."""
    work.db.execute(delete(Throttle).where(Throttle.key == key))


def _row(work: UnitOfWork, key: str, account: Account | None) -> Row[Any]:
    """The row of the key, locked until the end of the transaction."""
    # On SQLite the insert comes first, since it is what locks.
    row: Row[Any] | None = None
    if work.is_writing:
        row = work.run(_LOCKED, {"key": key}).first()
    # A concurrent transaction can delete it before it is locked (``forget``).
    while row is None:
        insert_if_missing(
            work.db,
            Throttle,
            key=key,
            account_id=account.id if account else None,
            failures=[],
            updated_at=work.now,
        )
        row = work.run(_LOCKED, {"key": key}).first()
    return row


def _record(row: Throttle | Row[Any]) -> Record:
    moments = tuple(datetime.fromtimestamp(at, UTC) for at in row.failures)
    return Record(moments, row.locked_at, row.locked_until)


def _store(work: UnitOfWork, row: Row[Any], record: Record) -> None:
    work.run(
        _STORE,
        {
            "row": row.id,
            "failures": [at.timestamp() for at in record.failures],
            "locked_at": record.locked_at,
            "locked_until": record.locked_until,
            "updated_at": work.now,
        },
    )
