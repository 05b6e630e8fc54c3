"""Browsers in which an account signed in: recognised, remembered, forgotten.

The value of the cookie changes at every sign-in, and all rows of the browser get the new value. So
a cookie that an attacker planted in a browser is worth nothing after the next sign-in. A former
value that comes back shows that there are two browsers with the cookie.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import bindparam, insert, outerjoin, select, update
from sqlalchemy.orm import contains_eager

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.db import table
from idp.mfa.risk_values import Device
from idp.models import Account, DeviceBinding, FormerBrowserCookie, KnownBrowser
from idp.models.records import AnyAccount
from idp.policy.addresses import network_of
from idp.session import device_bindings
from idp.transaction import UnitOfWork
from service_base.prepared import Prepared

MAX_AGENT = 400
MAX_COOKIE = 100
#: A sign-in from the same network with the same program sends no mail for this long.
FAMILIAR_DAYS = 90
#: A browser that missed the answer with its new cookie comes back within this time.
LOST_ANSWER = timedelta(seconds=60)
_DIGESTS = KnownBrowser.digest.in_(bindparam("digests", expanding=True))
_OF_ACCOUNT = select(KnownBrowser).where(
    KnownBrowser.account_id == bindparam("account"), _DIGESTS, KnownBrowser.ended_at.is_(None)
)
_WITH_KEY = outerjoin(KnownBrowser, DeviceBinding, DeviceBinding.id == KnownBrowser.binding_id)
#: The rows of a browser, with what may have changed since they were loaded. Locked, since all get
#: the new cookie: another tab may sign in another account at the same moment.
_OF_BROWSER = (
    select(
        KnownBrowser,
        KnownBrowser.digest,
        KnownBrowser.ended_at,
        device_bindings.is_proved_in_query().label("is_proved"),
    )
    .select_from(_WITH_KEY)
    .options(contains_eager(KnownBrowser.binding))
    .where(_DIGESTS)
    .order_by(KnownBrowser.id)
    .with_for_update(of=KnownBrowser)
)
#: The row of the account, if the holder asked to remember the browser.
_REMEMBERED = Prepared(
    select(KnownBrowser.id)
    .select_from(_WITH_KEY)
    .where(
        KnownBrowser.account_id == bindparam("account"),
        _DIGESTS,
        KnownBrowser.ended_at.is_(None),
        KnownBrowser.remembered_until > bindparam("now"),
        device_bindings.is_proved_in_query(),
    )
)
_REMEMBER = Prepared(insert(table(FormerBrowserCookie)).inline())


class Recognised(NamedTuple):
    """What the cookie of a browser tells about it. ``known`` is its row of the account, unless it
    was forgotten, or is bound to a key that the browser has not proved."""

    known: KnownBrowser | None
    device: Device


def known(work: UnitOfWork, account: AnyAccount | None, cookie: str) -> KnownBrowser | None:
    """As ``Recognised.known``."""
    row = _row_of(work, account, cookie)
    return row if row is not None and device_bindings.is_proved(work, row) else None


def remembered_id(work: UnitOfWork, account: AnyAccount | None, cookie: str) -> int | None:
    """The key of the row of this account, if the holder asked to remember the browser."""
    if not cookie:
        return None
    # A name that does not exist takes as long as others.
    about = {"account": account.id if account else 0, "now": work.now}
    found: int | None = work.run(_REMEMBERED, _of_browser(work, cookie) | about).scalar()
    return found


def _row_of(work: UnitOfWork, account: AnyAccount | None, cookie: str) -> KnownBrowser | None:
    if account is None or not cookie:
        return None
    return work.db.scalar(_OF_ACCOUNT, {"account": account.id, "digests": _digests(work, cookie)})


def recognise(work: UnitOfWork, account: Account, cookie: str) -> Recognised:
    """The browser with this cookie, by one query."""
    rows = work.browser_rows[cookie] = _rows_of(work, cookie)
    own = [row for row in rows if row.KnownBrowser.account_id == account.id]
    if not own and copied(work, account, cookie) is not None:
        return Recognised(None, Device.COPIED)
    if not own:
        return Recognised(None, Device.OF_ANOTHER if rows else Device.UNKNOWN)
    live = [row for row in own if row.ended_at is None]
    if not live:
        return Recognised(None, Device.REVOKED)
    known = next((row.KnownBrowser for row in live if row.is_proved), None)
    return Recognised(known, Device.UNPROVED if known is None else Device.KNOWN)


def _rows_of(work: UnitOfWork, cookie: str) -> Sequence[Any]:
    """The rows of all accounts for the browser with this cookie."""
    if not cookie:
        return ()
    return work.db.execute(_OF_BROWSER, _of_browser(work, cookie)).all()


def copied(work: UnitOfWork, account: Account, cookie: str) -> KnownBrowser | None:
    """The browser of this account that had this cookie before its latest sign-in. None if it is
    that browser itself, which missed the answer: it has proved its key, or comes back at once from
    where it was."""
    former = cookie and work.db.scalar(
        select(FormerBrowserCookie)
        .join(FormerBrowserCookie.browser)
        .where(
            FormerBrowserCookie.digest.in_(_digests(work, cookie)),
            KnownBrowser.account_id == account.id,
            KnownBrowser.ended_at.is_(None),
        )
        .order_by(FormerBrowserCookie.id.desc())
        .limit(1)
    )
    if not former:
        return None
    browser = former.browser
    is_here = network_of(browser.ip) == network_of(work.origin.ip)
    is_same = browser.user_agent == ((work.origin.user_agent or "")[:MAX_AGENT] or None)
    missed = is_here and is_same and work.now - former.replaced_at < LOST_ANSWER
    has_key = browser.binding is not None and device_bindings.is_proved(work, browser)
    return None if missed or has_key else browser


def end_copied(work: UnitOfWork, account: Account, cookie: str) -> None:
    """Recognise neither of the two browsers with the cookie any more."""
    browser = copied(work, account, cookie)
    if browser is not None:
        browser.ended_at = work.now
        events.record(
            work, AuditAction.BROWSER_COPIED, account=account, last_network=network_of(browser.ip)
        )


def record_sign_in(
    work: UnitOfWork, account: Account, cookie: str, *, remember: bool, with_factor: bool
) -> tuple[str, bool]:
    """Record that the account signed in here. Returns the new cookie of the browser, and whether
    the holder gets a mail because the browser is new. A browser that did not prove the key that it
    was bound to is another one from now on."""
    rows = work.browser_rows.pop(cookie, None)
    if rows is None:
        rows = _rows_of(work, cookie)
    row = None
    for one in rows:
        if one.KnownBrowser.account_id != account.id or one.ended_at is not None:
            continue
        if one.is_proved:
            row = one.KnownBrowser
        else:
            one.KnownBrowser.ended_at = work.now
    is_new = row is None and _is_new(work, account)
    key = device_bindings.proved(work)
    fresh = work.token(32)
    digest = work.vault.digest("known-browser", fresh)
    _replace(work, rows, digest)
    if row is None:
        row = KnownBrowser(
            public_id=work.token(16), account_id=account.id, digest=digest, first_seen_at=work.now
        )
        work.db.add(row)
    if row.binding is None:
        row.binding = key
    row.last_seen_at = work.now
    row.ip = work.origin.ip
    row.user_agent = (work.origin.user_agent or "")[:MAX_AGENT] or None
    if with_factor:
        row.proved_at = work.now
    if remember:
        row.remembered_until = work.after(days=work.settings.remember_days)
    return fresh, is_new


def _replace(work: UnitOfWork, rows: Iterable[Any], digest: str) -> None:
    """Give all rows of the browser its new cookie, and remember the one that it had. Rows that are
    bound to a key which it has not proved are not its own."""
    for found in rows:
        if found.is_proved:
            browser = found.KnownBrowser
            former = {"browser_id": browser.id, "digest": found.digest, "replaced_at": work.now}
            work.run(_REMEMBER, former)
            browser.digest = digest


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


def bind(work: UnitOfWork, account: Account, cookie: str, binding: DeviceBinding) -> None:
    """Recognise this browser only with a proof of the key from now on. A key that it is bound to
    already stays."""
    row = _row_of(work, account, cookie)
    if row is not None and row.binding is None:
        row.binding = binding


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


def _of_browser(work: UnitOfWork, cookie: str) -> dict[str, Any]:
    return {"digests": _digests(work, cookie), "device_key": work.origin.device_key}


def _digests(work: UnitOfWork, cookie: str) -> list[str]:
    # An overlong value has a digest that no row has.
    return work.vault.digests("known-browser", cookie[:MAX_COOKIE])
