"""One-time links: random tokens, stored as keyed digests bound to a purpose, used once."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import bindparam, select, update

from idp.credentials.credential_refusals import LinkRefusal
from idp.db import table
from idp.models import Account, AccountState, Link
from idp.transaction import UnitOfWork, spend_once


class Purpose(StrEnum):
    """The purpose of a link. A link is invalid for any other purpose (N68)."""

    ACTIVATE = "activate"
    RESET = "reset"
    UNLOCK = "unlock"
    #: "This was not me": ends all sessions and starts a password reset.
    DISOWN = "disown"
    #: Shows the holder which support agent has a call open.
    CALL = "call"


#: The account states in which a link of this purpose can be used.
STATES = {
    Purpose.ACTIVATE: (AccountState.PENDING,),
    Purpose.RESET: (AccountState.ACTIVE, AccountState.RESET_REQUIRED),
    Purpose.UNLOCK: (AccountState.ACTIVE, AccountState.RESET_REQUIRED),
    Purpose.DISOWN: (AccountState.ACTIVE, AccountState.RESET_REQUIRED),
    Purpose.CALL: tuple(state for state in AccountState if state != AccountState.DEACTIVATED),
}
#: Purposes for which earlier links remain valid, because each mail reports another event.
LASTING = (Purpose.DISOWN,)


_LINK = table(Link)
_INVALIDATE = (
    update(_LINK)
    .where(
        _LINK.c.account_id == bindparam("account"),
        _LINK.c.used_at.is_(None),
        _LINK.c.superseded_at.is_(None),
    )
    .values(superseded_at=bindparam("now"))
)
_INVALIDATE_ONE = _INVALIDATE.where(_LINK.c.purpose == bindparam("one"))


class Problem(StrEnum):
    """Why a link cannot be used. Each problem has its own page."""

    UNKNOWN = "unknown"
    #: Shown in a browser that did not open the link itself.
    ELSEWHERE = "elsewhere"
    EXPIRED = "expired"
    USED = "used"
    SUPERSEDED = "superseded"

    @property
    def refusal(self) -> LinkRefusal:
        """Its name in the audit trail."""
        return LinkRefusal[self.name]


def issue(
    work: UnitOfWork,
    account: Account,
    purpose: Purpose,
    expires_at: datetime,
    *,
    reminders: int = 0,
    asks_question: bool = False,
    is_first: bool = False,
) -> str:
    """Issue a new link token; earlier links of the same purpose are invalidated, if the account can
    have any (``is_first``). With ``asks_question``, the holder must also answer the security
    question, if one is set."""
    if purpose not in LASTING and not is_first:
        invalidate_all(work, account, purpose)
    token = work.token(24)
    work.add(
        Link(
            purpose=purpose,
            account_id=account.id,
            digest=work.vault.digest(f"link:{purpose}", token),
            created_at=work.now,
            expires_at=expires_at,
            reminders=reminders,
            asks_question=asks_question,
        )
    )
    return token


def look_up(work: UnitOfWork, purpose: Purpose, token: str) -> Link | Problem:
    """The active link for this token, or the problem. Does not use up the link (N69)."""
    digests = work.vault.digests(f"link:{purpose}", token)
    link = work.db.scalar(select(Link).where(Link.digest.in_(digests), Link.purpose == purpose))
    if link is None:
        return Problem.UNKNOWN
    if link.used_at is not None:
        return Problem.USED
    if link.superseded_at is not None:
        return Problem.SUPERSEDED
    if work.now >= link.expires_at:
        return Problem.EXPIRED
    return link


def look_up_with_account(
    work: UnitOfWork, purpose: Purpose, token: str
) -> tuple[Link, Account] | Problem:
    """The active link and its account, or the problem. If the account's state does not allow the
    link (deactivated, already active), the link counts as superseded."""
    link = look_up(work, purpose, token)
    if isinstance(link, Problem):
        return link
    account = work.db.get_one(Account, link.account_id)
    return (link, account) if account.state in STATES[purpose] else Problem.SUPERSEDED


def spend(work: UnitOfWork, link: Link) -> bool:
    """Use up the link; False if another request used it first."""
    alive = (Link.superseded_at.is_(None), Link.expires_at > work.now)
    return spend_once(work, link, Link.used_at, *alive)


def invalidate_all(work: UnitOfWork, account: Account, purpose: Purpose | None = None) -> None:
    """Invalidate the account's unused links, of one purpose or of all."""
    values = {"account": account.id, "now": work.now}
    if purpose is None:
        work.run(_INVALIDATE, values)
    else:
        work.run(_INVALIDATE_ONE, values | {"one": purpose})
