"""The number of accounts, kept by the database (``idp.models.account_count``)."""

from __future__ import annotations

from sqlalchemy import BigInteger, cast, delete, func, insert, select

from idp.db import table
from idp.directory.shown_accounts import NOW
from idp.models import Account, AccountCount, AccountState
from idp.models.account_count import NUMBER
from idp.transaction import UnitOfWork
from service_base.prepared import Prepared

#: Reading so many changes costs less than adding them up.
MOST_CHANGES = 200
_ACCOUNT, _COUNT = table(Account).c, table(AccountCount)
#: Past their end, and not yet deactivated by the worker.
_ENDED = (
    select(func.count(_ACCOUNT.id))
    .where(_ACCOUNT.ends_at <= NOW, _ACCOUNT.state != AccountState.DEACTIVATED)
    .scalar_subquery()
)
_NOT_DEACTIVATED = Prepared(select(cast(NUMBER, BigInteger)))
_OPEN = Prepared(select(cast(NUMBER - _ENDED, BigInteger)))
_CHANGES = select(func.count(_COUNT.c.id))
_TAKE = delete(_COUNT).returning(_COUNT.c.change)
_ADD = insert(_COUNT).inline()


def not_deactivated(work: UnitOfWork) -> int:
    """How many accounts are not deactivated."""
    return int(work.run(_NOT_DEACTIVATED).scalar())


def open_now(work: UnitOfWork) -> int:
    """How many accounts are open (``Account.is_open``)."""
    return int(work.run(_OPEN, {"now": work.now}).scalar())


def add_up(work: UnitOfWork) -> bool:
    """Put one row in place of all changes, if there are many. Returns whether there were. Of two
    workers that do it at once, one waits for the other and finds no rows."""
    if (work.run(_CHANGES).scalar() or 0) <= MOST_CHANGES:
        return False
    taken = work.run(_TAKE).scalars().all()
    if taken:
        work.run(_ADD, {"change": sum(taken)})
    return bool(taken)
