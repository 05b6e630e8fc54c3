"""The accounts of one person that are signed in in one browser (docs/decisions/0066).

Each has a session of its own. The session cookie opens one of them, and only that one. A second
cookie names them all, so that the person can continue with another one. It is as secret as the
first. Both change at every sign-in and switch.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.models import Account, AccountKind, BrowserSession
from idp.session import device_bindings, sessions
from idp.session.end_reasons import EndReason
from idp.transaction import UnitOfWork

#: Accounts that are signed in in one browser at the same time.
MOST = 5
MAX_COOKIE = 100
_KINDS = (AccountKind.PERSONAL, AccountKind.EMAIL)


def others(
    work: UnitOfWork, active: BrowserSession | None, cookie: str, *, locked: bool = False
) -> list[BrowserSession]:
    """The active sessions that this browser has besides ``active``, last used first. A cookie that
    does not belong to ``active`` names none, and none is named that is bound to a key which this
    browser has not proved."""
    if not 0 < len(cookie) <= MAX_COOKIE:
        return []
    digests = work.vault.digests("accounts", cookie)
    if active is not None and active.accounts_digest not in digests:
        return []
    query = (
        select(BrowserSession)
        .where(BrowserSession.accounts_digest.in_(digests), BrowserSession.ended_at.is_(None))
        .order_by(BrowserSession.last_seen_at.desc(), BrowserSession.id)
    )
    if locked:
        # Of two tabs that switch at once, the second finds the sessions under another digest.
        query = query.with_for_update(of=BrowserSession)
    rows = work.db.scalars(query)
    return [
        row
        for row in rows
        if row is not active
        and sessions.is_live(work, row)
        and device_bindings.is_proved(work, row)
    ]


def sign_in(
    work: UnitOfWork,
    account: Account,
    *,
    methods: Sequence[str],
    previous: BrowserSession | None,
    cookie: str,
) -> tuple[BrowserSession, str, str]:
    """Start the session of an account in a browser that has the session ``previous`` and those that
    ``cookie`` names. Accounts of the same person stay signed in, up to ``MOST``; all others end.
    Returns the session and the new values of the two cookies."""
    present = others(work, previous, cookie, locked=True)
    if previous is not None:
        present.insert(0, previous)
    own = next((row for row in present if row.account_id == account.id), None)
    rest = [row for row in present if row is not own]
    kept = [row for row in rest if _stays(row.account, account)][: MOST - 1]
    for row in rest:
        if row not in kept:
            sessions.end(work, row, EndReason.REPLACED)
    session, session_cookie = sessions.start(work, account, methods=methods, own=own)
    return session, session_cookie, _join(work, session, kept)


def _stays(present: Account, entering: Account) -> bool:
    """Whether the account stays signed in when the other one signs in. On a shared computer nobody
    finds the accounts of the person before."""
    is_same_person = present.person_id == entering.person_id
    return is_same_person and present.kind in _KINDS and entering.kind in _KINDS


def switch(
    work: UnitOfWork, active: BrowserSession | None, public_id: str, cookie: str
) -> tuple[BrowserSession, str, str] | None:
    """Continue with another session of this browser, with its own times, level and factors. Returns
    it and the new values of the two cookies; None if this browser does not have it."""
    present = others(work, active, cookie, locked=True)
    chosen = next((row for row in present if row.public_id == public_id), None)
    if chosen is None:
        return None
    rest = [row for row in present if row is not chosen]
    if active is not None:
        rest.insert(0, active)
    session_cookie = sessions.renew(work, chosen)
    chosen.last_seen_at = work.now
    events.record(
        work,
        AuditAction.SESSION_SWITCHED,
        account=chosen.account,
        session=chosen,
        former=active.account.username if active is not None else None,
    )
    return chosen, session_cookie, _join(work, chosen, rest)


def _join(work: UnitOfWork, active: BrowserSession, rest: list[BrowserSession]) -> str:
    """Put the sessions under a new cookie, so that a session cookie opens ``active`` only. Returns
    the cookie; empty if the browser has no other session."""
    active.accounts_digest = None
    if not rest:
        return ""
    cookie = work.token(32)
    for row in (active, *rest):
        row.accounts_digest = work.vault.digest("accounts", cookie)
    for row in rest:
        # Nobody has the cookie of this digest.
        sessions.renew(work, row)
    return cookie
