"""Browsers in which an account signed in: recognised, remembered, forgotten.

The value of the cookie changes at every sign-in, and all rows of the browser get the new value. So
a cookie that an attacker planted in a browser is worth nothing after the next sign-in.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select, update

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.mfa.risk_values import Device
from idp.models import Account, KnownBrowser
from idp.policy.addresses import network_of
from idp.transaction import UnitOfWork

MAX_AGENT = 400
MAX_COOKIE = 100
#: A sign-in from the same network with the same program sends no mail for this long.
FAMILIAR_DAYS = 90


def known(work: UnitOfWork, account: Account | None, cookie: str) -> KnownBrowser | None:
    """The row of this account for the browser with this cookie, unless it was forgotten."""
    digests = _digests(work, cookie)
    return work.db.scalar(
        select(KnownBrowser).where(
            KnownBrowser.account_id == (account.id if account else 0),
            KnownBrowser.digest.in_(digests),
            KnownBrowser.ended_at.is_(None),
        )
    )


def device(work: UnitOfWork, account: Account, cookie: str) -> Device:
    """What the cookie tells the risk engine about this browser."""
    rows = work.db.execute(
        select(KnownBrowser.account_id, KnownBrowser.ended_at).where(
            KnownBrowser.digest.in_(_digests(work, cookie))
        )
    ).all()
    own = [ended for holder, ended in rows if holder == account.id]
    if own:
        return Device.KNOWN if None in own else Device.REVOKED
    return Device.OF_ANOTHER if rows else Device.UNKNOWN


def record_sign_in(
    work: UnitOfWork, account: Account, cookie: str, *, remember: bool, with_factor: bool
) -> tuple[str, bool]:
    """Record that the account signed in here. Returns the new cookie of the browser, and whether
    the holder gets a mail because the browser is new."""
    row = known(work, account, cookie)
    is_new = row is None and _is_new(work, account)
    fresh = work.token(32)
    digest = work.vault.digest("known-browser", fresh)
    work.db.execute(
        update(KnownBrowser)
        .where(KnownBrowser.digest.in_(_digests(work, cookie)))
        .values(digest=digest)
        .execution_options(synchronize_session=False)
    )
    if row is None:
        row = KnownBrowser(
            public_id=work.token(16), account_id=account.id, digest=digest, first_seen_at=work.now
        )
        work.db.add(row)
    row.last_seen_at = work.now
    row.ip = work.origin.ip
    row.user_agent = (work.origin.user_agent or "")[:MAX_AGENT] or None
    if with_factor:
        row.proved_at = work.now
    if remember:
        row.remembered_until = work.after(days=work.settings.remember_days)
    return fresh, is_new


def _is_new(work: UnitOfWork, account: Account) -> bool:
    """Whether there were sign-ins before, but no recent one from this network by this program."""
    ever = work.db.scalar(
        select(KnownBrowser.id).where(KnownBrowser.account_id == account.id).limit(1)
    )
    if ever is None:
        return False
    agent = (work.origin.user_agent or "")[:MAX_AGENT] or None
    familiar = select(KnownBrowser.ip).where(
        KnownBrowser.account_id == account.id,
        KnownBrowser.last_seen_at > work.now - timedelta(days=FAMILIAR_DAYS),
        KnownBrowser.user_agent == agent,
    )
    here = network_of(work.origin.ip)
    return here not in map(network_of, work.db.scalars(familiar.distinct()))


def remembered(work: UnitOfWork, account: Account) -> list[KnownBrowser]:
    """The browsers that the holder asked to remember, last used first."""
    return list(
        work.db.scalars(
            select(KnownBrowser)
            .where(
                KnownBrowser.account_id == account.id,
                KnownBrowser.ended_at.is_(None),
                KnownBrowser.remembered_until > work.now,
            )
            .order_by(KnownBrowser.last_seen_at.desc())
        )
    )


def forget(work: UnitOfWork, account: Account, public_id: str) -> bool:
    """Forget one browser of the account; False when there is none with this id."""
    row = work.db.scalar(
        select(KnownBrowser).where(
            KnownBrowser.public_id == public_id,
            KnownBrowser.account_id == account.id,
            KnownBrowser.ended_at.is_(None),
        )
    )
    if row is None:
        return False
    row.ended_at = work.now
    events.record(work, AuditAction.BROWSER_FORGOTTEN, account=account)
    return True


def forget_all(work: UnitOfWork, account: Account) -> None:
    """Forget every browser of the account."""
    work.db.execute(
        update(KnownBrowser)
        .where(KnownBrowser.account_id == account.id, KnownBrowser.ended_at.is_(None))
        .values(ended_at=work.now)
        .execution_options(synchronize_session=False)
    )


def is_remembered(work: UnitOfWork, row: KnownBrowser | None) -> bool:
    """Whether the holder asked to remember this browser and the time is not over."""
    until = row.remembered_until if row is not None and row.ended_at is None else None
    return until is not None and work.now < until


def _digests(work: UnitOfWork, cookie: str) -> list[str]:
    # An empty or overlong value has a digest that no row has.
    return work.vault.digests("known-browser", cookie[:MAX_COOKIE])
