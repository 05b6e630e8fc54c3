"""The end of a sign-in: the session starts."""

from __future__ import annotations

from dataclasses import dataclass

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.credentials import notices
from idp.factors import enrolment
from idp.messages.message_kinds import MailKind
from idp.models import Account, BrowserSession, Interaction
from idp.policy.signin_state import Proved
from idp.policy.user_agents import describe_user_agent
from idp.session import browser_accounts, browsers
from idp.signin import sign_in_history, state_loader, transitions
from idp.transaction import UnitOfWork


@dataclass(frozen=True)
class SignedIn:
    """A session, with the new values of the browser's cookies."""

    session: BrowserSession
    session_cookie: str
    #: Names all sessions of the browser; empty if it has one.
    accounts_cookie: str
    browser_cookie: str


def complete(
    work: UnitOfWork,
    found: Interaction,
    *,
    cookie: str,
    previous: BrowserSession | None,
    accounts_cookie: str = "",
) -> SignedIn | None:
    """Start the session, if nothing is left to do; None otherwise. The holder gets a mail when the
    browser is new. From now on the sign-in is part of the account's history. ``accounts_cookie``
    names the sessions that the browser has besides ``previous``."""
    progress = state_loader.progress_of(work, found)
    if not isinstance(progress, Proved):
        return None
    transitions.authenticate(found, work.now)
    account = work.db.get_one(Account, progress.account_id)
    methods = progress.evidence.methods
    session, session_cookie, accounts_cookie = browser_accounts.sign_in(
        work, account, methods=methods, previous=previous, cookie=accounts_cookie
    )
    with_factor = bool(set(methods) - {"pwd"})
    browser_cookie, is_new = browsers.record_sign_in(
        work, account, cookie, remember=found.remember, with_factor=with_factor
    )
    sign_in_history.record_sign_in(work, account, with_factor=with_factor)
    events.record(
        work,
        AuditAction.SIGNIN_SUCCEEDED,
        account=account,
        session=session,
        client=found.client,
        amr=session.amr,
        new_browser=is_new,
    )
    if is_new:
        notices.send(
            work,
            MailKind.SIGNIN_FROM_NEW_BROWSER,
            account,
            at=work.now,
            ip=work.origin.ip or "",
            agent=describe_user_agent(work.origin.user_agent),
        )
    enrolment.announce(work, account)
    return SignedIn(session, session_cookie, accounts_cookie, browser_cookie)
