"""Who has access to what, now or at any time in the past. Assignments are never deleted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, or_, select

from idp import list_pages
from idp.list_pages import ListPage, ListRequest
from idp.models import Account, Assignment, Participant, Person, RoleGroup
from idp.transaction import UnitOfWork

BATCH = 500


@dataclass(frozen=True, kw_only=True)
class AccessQuery:
    """Filter criteria for assignments. Empty means no restriction."""

    at: datetime
    participant: str = ""
    group: str = ""
    account_ids: tuple[int, ...] | None = None


@dataclass(frozen=True)
class AccessRecord:
    """One role group, held by one account for one participant."""

    id: int
    subject: str
    username: str
    full_name: str
    person_id: str
    state: str
    group: str
    participant: str
    participant_name: str
    granted_at: datetime
    granted_by: str
    revoked_at: datetime | None
    revoked_by: str | None


def page(work: UnitOfWork, question: AccessQuery, request: ListRequest) -> ListPage[AccessRecord]:
    """A page of the matching assignments, in the order of granting."""
    found = list_pages.page(work, Assignment.id, {}, request, *_conditions(work, question))
    rows = work.db.execute(_rows(Assignment.id.in_(found.rows)))
    return found.of([_access(*row) for row in rows])


def stream_all(work: UnitOfWork, question: AccessQuery) -> Iterator[AccessRecord]:
    """All matching assignments, streamed."""
    query = _rows(*_conditions(work, question)).execution_options(yield_per=BATCH)
    with closing(work.db.execute(query)) as rows:
        for row in rows:
            yield _access(*row)


def _rows(*conditions: ColumnElement[bool]) -> Select[Assignment, Account, Person]:
    return (
        select(Assignment, Account, Person)
        .join(Account, Account.id == Assignment.account_id)
        .join(Person, Person.id == Account.person_id)
        .where(*conditions)
        .order_by(Assignment.id)
    )


def _conditions(work: UnitOfWork, question: AccessQuery) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [
        Assignment.granted_at <= question.at,
        or_(Assignment.revoked_at.is_(None), Assignment.revoked_at > question.at),
        or_(Assignment.valid_from.is_(None), Assignment.valid_from <= question.at),
        or_(Assignment.valid_until.is_(None), Assignment.valid_until > question.at),
    ]
    # Comparing with a constant lets the index return the rows in order; no account has id 0.
    if question.participant:
        wanted = select(Participant.id).where(Participant.number == question.participant)
        found.append(Assignment.participant_id == (work.db.scalar(wanted) or 0))
    if question.group:
        group = select(RoleGroup.id).where(RoleGroup.name == question.group)
        found.append(Assignment.role_group_id == (work.db.scalar(group) or 0))
    if question.account_ids is not None:
        found.append(Assignment.account_id.in_(question.account_ids))
    return found


def _access(assignment: Assignment, account: Account, person: Person) -> AccessRecord:
    return AccessRecord(
        assignment.id,
        account.subject,
        account.username,
        person.full_name,
        person.person_id,
        str(account.state),
        assignment.role_group.name,
        assignment.participant.number,
        assignment.participant.name,
        assignment.granted_at,
        assignment.granted_by,
        assignment.revoked_at,
        assignment.revoked_by,
    )
