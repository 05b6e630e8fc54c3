"""Lists of accounts for the console: by state, participant, kind, role group and application.

Every page reads a bounded number of rows from an index (``idp.list_pages``); only an export reads
all accounts that match.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from enum import StrEnum

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import aliased

from idp import list_pages
from idp.list_pages import ListPage, ListRequest
from idp.models import (
    Account,
    AccountKind,
    AccountState,
    Assignment,
    Client,
    Participant,
    RoleGroup,
    TemporaryPassword,
    client_role_group,
)
from idp.transaction import UnitOfWork

BATCH = 500


class AccountList(StrEnum):
    """The lists, with their names in URLs."""

    ALL = "all"
    PENDING = "pending"
    LOCKED = "locked"
    #: Accounts with a temporary password that is valid and unused.
    TEMPORARY = "temporary"
    RESET_REQUIRED = "reset-required"
    SUSPENDED = "suspended"
    DEACTIVATED = "deactivated"


#: The state of the accounts in a list.
STATE = {
    AccountList.PENDING: AccountState.PENDING,
    AccountList.LOCKED: AccountState.LOCKED,
    AccountList.RESET_REQUIRED: AccountState.RESET_REQUIRED,
    AccountList.SUSPENDED: AccountState.SUSPENDED,
    AccountList.DEACTIVATED: AccountState.DEACTIVATED,
}
#: The sort orders of a list. ``since`` is the time of the latest change of state.
SORTS: list_pages.Sorts = {
    "name": (Account.sort_name,),
    "username": (Account.username_key,),
    "since": (Account.state_changed_at,),
}


@dataclass(frozen=True, kw_only=True)
class AccountFilter:
    """The filter of a list. Empty means no restriction. An unknown participant, role group or
    application matches no account."""

    list: AccountList = AccountList.ALL
    kind: str = ""
    #: The number of a participant for which the account holds a role group.
    participant: str = ""
    role_group: str = ""
    #: The client ID of an application that sees a role group of the account.
    application: str = ""


@dataclass(frozen=True)
class ListedAccount:
    """An account in a list, the participants for which it holds a role group, and its unused
    temporary password."""

    account: Account
    participants: list[str] = field(default_factory=list)
    temporary: TemporaryPassword | None = None


def page(
    work: UnitOfWork, criteria: AccountFilter, request: ListRequest, size: int = list_pages.SIZE
) -> ListPage[ListedAccount]:
    """A page of the accounts that match."""
    found = list_pages.page(
        work, Account.id, SORTS, request, *conditions(work, criteria), size=size
    )
    return found.of(_listed(work, list_pages.load(work, Account.id, found.rows)))


def stream_all(
    work: UnitOfWork, criteria: AccountFilter, request: ListRequest
) -> Iterator[ListedAccount]:
    """All accounts that match, in the order of the list, streamed."""
    name = request.sort if request.sort in SORTS else next(iter(SORTS))
    keys = list_pages.keys_query(
        Account.id,
        SORTS[name],
        *conditions(work, criteria),
        is_descending=request.is_descending,
    )
    query = keys.with_only_columns(Account, maintain_column_froms=True)
    with closing(work.db.scalars(query.execution_options(yield_per=BATCH))) as rows:
        for batch in rows.partitions():
            yield from _listed(work, batch)


def conditions(work: UnitOfWork, criteria: AccountFilter) -> list[ColumnElement[bool]]:
    """The conditions for the WHERE clause."""
    found: list[ColumnElement[bool]] = []
    if criteria.list in STATE:
        found.append(Account.state == STATE[criteria.list])
    if criteria.list not in (AccountList.ALL, AccountList.DEACTIVATED):
        # An account past its end date is deactivated, even before the worker records it.
        found.append(or_(Account.ends_at.is_(None), Account.ends_at > work.now))
    if criteria.list is AccountList.TEMPORARY:
        found.append(Account.id.in_(_with_temporary(work)))
    if criteria.kind == AccountKind.PERSONAL:
        # Nearly all accounts are personal: read the index of the sort order, not that of the kind.
        found.append(Account.kind.not_in([k for k in AccountKind if k != criteria.kind]))
    elif criteria.kind:
        # Few accounts are of another kind: read the index of the kind, then sort.
        few = aliased(Account)
        found.append(Account.id.in_(select(few.id).where(few.kind == criteria.kind)))
    if criteria.participant or criteria.role_group or criteria.application:
        found.append(Account.id.in_(_holders(work, criteria)))
    return found


def _with_temporary(work: UnitOfWork) -> Select[int]:
    return select(TemporaryPassword.account_id).where(*_is_waiting(work))


def _is_waiting(work: UnitOfWork) -> tuple[ColumnElement[bool], ...]:
    return (
        TemporaryPassword.used_at.is_(None),
        TemporaryPassword.superseded_at.is_(None),
        TemporaryPassword.expires_at > work.now,
    )


def _holders(work: UnitOfWork, criteria: AccountFilter) -> Select[int]:
    """The accounts with an assignment that matches participant, role group and application,
    including future ones. An unknown name becomes id 0, which no row has."""
    query = select(Assignment.account_id).where(Assignment.revoked_at.is_(None))
    if criteria.participant:
        place = select(Participant.id).where(Participant.number == criteria.participant)
        query = query.where(Assignment.participant_id == (work.db.scalar(place) or 0))
    if criteria.role_group:
        group = select(RoleGroup.id).where(RoleGroup.name == criteria.role_group)
        query = query.where(Assignment.role_group_id == (work.db.scalar(group) or 0))
    if criteria.application:
        seen = (
            select(client_role_group.c.role_group_id)
            .join(Client, Client.id == client_role_group.c.client_id)
            .where(Client.client_id == criteria.application)
        )
        query = query.where(Assignment.role_group_id.in_(work.db.scalars(seen).all()))
    return query


def _listed(work: UnitOfWork, accounts: Sequence[Account]) -> list[ListedAccount]:
    ids = [account.id for account in accounts]
    places: dict[int, list[str]] = {}
    held = (
        select(Assignment.account_id, Participant.number)
        .join(Participant, Participant.id == Assignment.participant_id)
        .where(Assignment.account_id.in_(ids), Assignment.revoked_at.is_(None))
        .distinct()
        .order_by(Assignment.account_id, Participant.number)
    )
    for account_id, number in work.db.execute(held):
        places.setdefault(account_id, []).append(number)
    waiting = select(TemporaryPassword).where(
        TemporaryPassword.account_id.in_(ids), *_is_waiting(work)
    )
    temporary = {row.account_id: row for row in work.db.scalars(waiting)}
    return [
        ListedAccount(account, places.get(account.id, []), temporary.get(account.id))
        for account in accounts
    ]


@dataclass(frozen=True)
class AccountCounts:
    """The number of accounts in each state, and of accounts with an unused temporary password."""

    by_state: dict[str, int]
    temporary: int

    @property
    def total(self) -> int:
        """All accounts that are not deactivated."""
        return sum(n for name, n in self.by_state.items() if name != AccountState.DEACTIVATED)


def counts(work: UnitOfWork) -> AccountCounts:
    """The counts by recorded state, read from an index only. An account past its end date counts as
    deactivated after the worker has recorded it."""
    rows = work.db.execute(select(Account.state, func.count()).group_by(Account.state)).all()
    waiting = work.db.scalar(
        select(func.count(TemporaryPassword.account_id.distinct())).where(*_is_waiting(work))
    )
    return AccountCounts({str(name): n for name, n in rows}, waiting or 0)
