"""One-time links: random, kept as keyed digests bound to their purpose, spent by one UPDATE."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import select, update

from idp.models import Account, AccountState, Link
from idp.transaction import UnitOfWork, spend_once


class Purpose(StrEnum):
    """What a link is good for; a link of one purpose is unknown at another (N68)."""

    ACTIVATE = "activate"
    RESET = "reset"
    UNLOCK = "unlock"
    #: "This was not me": ends what is going on and starts a reset.
    DISOWN = "disown"
    #: Shows the holder which agent is on the telephone.
    CALL = "call"


#: The states in which the link of a purpose is good for something.
STATES = {
    Purpose.ACTIVATE: (AccountState.PENDING,),
    Purpose.RESET: (AccountState.ACTIVE, AccountState.RESET_REQUIRED),
    Purpose.UNLOCK: (AccountState.ACTIVE, AccountState.RESET_REQUIRED),
    Purpose.DISOWN: (AccountState.ACTIVE, AccountState.RESET_REQUIRED),
    Purpose.CALL: tuple(state for state in AccountState if state != AccountState.DEACTIVATED),
}
#: Purposes of which every mail stays good: each mail tells of something else.
LASTING = (Purpose.DISOWN,)


class Problem(StrEnum):
    """Why a link cannot be used; each has its own page."""

    UNKNOWN = "unknown"
    #: The page of a link, in a browser that did not open the link.
    ELSEWHERE = "elsewhere"
    EXPIRED = "expired"
    USED = "used"
    SUPERSEDED = "superseded"


def issue(
    work: UnitOfWork,
    account: Account,
    purpose: Purpose,
    expires_at: datetime,
    *,
    reminders: int = 0,
    asks_question: bool = False,
) -> str:
    """A new link token for the account; earlier ones of the same purpose end. With
    ``asks_question`` it is not enough alone where the holder chose a security question."""
    if purpose not in LASTING:
        invalidate_all(work, account, purpose)
    token = work.token(24)
    work.db.add(
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
    """The live link of this token, or what is wrong with it. Consumes nothing (N69)."""
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
    """The live link and its account, or the problem. An account that can no longer use it
    (deactivated, already active) answers like a link that has ended."""
    link = look_up(work, purpose, token)
    if isinstance(link, Problem):
        return link
    account = work.db.get_one(Account, link.account_id)
    return (link, account) if account.state in STATES[purpose] else Problem.SUPERSEDED


def spend(work: UnitOfWork, link: Link) -> bool:
    """Spend it; False when another request was first."""
    alive = (Link.superseded_at.is_(None), Link.expires_at > work.now)
    return spend_once(work, link, Link.used_at, *alive)


def invalidate_all(work: UnitOfWork, account: Account, purpose: Purpose | None = None) -> None:
    """End the account's unspent links, of one purpose or of all."""
    where = [Link.account_id == account.id, Link.used_at.is_(None), Link.superseded_at.is_(None)]
    if purpose is not None:
        where.append(Link.purpose == purpose)
    work.db.execute(
        update(Link)
        .where(*where)
        .values(superseded_at=work.now)
        .execution_options(synchronize_session=False)
    )
