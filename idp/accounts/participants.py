"""The end of a participant, and what it takes with it."""

from __future__ import annotations

from itertools import groupby

from sqlalchemy import select

from idp.accounts import events, roles
from idp.models import Account, Assignment, Participant
from idp.transaction import Work


def holders(work: Work, row: Participant) -> list[Account]:
    """The accounts that hold a role group there."""
    held = select(Assignment.account_id).where(
        Assignment.participant_id == row.id, Assignment.revoked_at.is_(None)
    )
    return list(work.db.scalars(select(Account).where(Account.id.in_(held)).order_by(Account.id)))


def end(work: Work, row: Participant) -> int:
    """Nobody holds anything there any more, and nothing is given; returns how many assignments
    ended. Role groups elsewhere stay."""
    if row.ended_at is not None:
        return 0
    row.ended_at = row.updated_at = work.now
    work.db.flush()
    query = select(Assignment, Account).join(Account, Account.id == Assignment.account_id)
    held = work.db.execute(
        query.where(Assignment.participant_id == row.id, Assignment.revoked_at.is_(None)).order_by(
            Account.id
        )
    ).all()
    for account, rows in groupby(held, lambda pair: pair[1]):
        notice = roles.Notice()
        for assignment, _ in rows:
            roles.revoke(work, account, assignment.role_group, row, notice=notice)
        notice.send(work, account)
    events.record(work, "participant.ended", participant=row.number, assignments=len(held))
    return len(held)


def restore(work: Work, row: Participant) -> bool:
    """Role groups may be given there again; those that ended do not come back. False when it had
    not ended."""
    if row.ended_at is None:
        return False
    row.ended_at, row.updated_at = None, work.now
    events.record(work, "participant.restored", participant=row.number)
    return True
