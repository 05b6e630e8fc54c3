"""Read the audit trail: search, paging, export."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select

from idp import list_pages
from idp.audit import chain
from idp.audit.actions import AuditAction
from idp.list_pages import ListPage, ListRequest
from idp.models import Account, Event
from idp.transaction import UnitOfWork


@dataclass(frozen=True, kw_only=True)
class EventFilter:
    """Filter criteria for events. None or empty means no restriction."""

    account_ids: tuple[int, ...] | None = None
    actor: str = ""
    client_id: str = ""
    #: An event name, or a prefix that ends with a full stop, such as ``signin.``
    name: str = ""
    #: ``ok`` or ``refused``.
    outcome: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """The conditions for the WHERE clause."""
        found: list[ColumnElement[bool]] = []
        if self.account_ids is not None:
            found.append(Event.account_id.in_(self.account_ids))
        if self.actor:
            found.append(Event.actor == self.actor)
        if self.client_id:
            found.append(Event.client_id == self.client_id)
        if self.name.endswith("."):
            found.append(Event.name.startswith(self.name, autoescape=True))
        elif self.name:
            found.append(Event.name == self.name)
        if self.outcome:
            found.append(Event.outcome == self.outcome)
        if self.since is not None:
            found.append(Event.at >= self.since)
        if self.until is not None:
            found.append(Event.at < self.until)
        return found


@dataclass(frozen=True)
class TrailEntry:
    """An event, with its account as it is now."""

    event: Event
    username: str
    subject: str


def page(work: UnitOfWork, criteria: EventFilter, request: ListRequest) -> ListPage[TrailEntry]:
    """A page of the matching events, newest first."""
    found = list_pages.page(work, Event.id, {}, request, *criteria.conditions(), newest_first=True)
    rows = list_pages.load(work, Event.id, found.rows)
    about = {event.account_id for event in rows if event.account_id is not None}
    names = {
        pk: (username, subject)
        for pk, username, subject in work.db.execute(
            select(Account.id, Account.username, Account.subject).where(Account.id.in_(about))
        )
    }
    return found.of([TrailEntry(row, *names.get(row.account_id, ("", ""))) for row in rows])


def recent_sign_ins(work: UnitOfWork, account: Account, limit: int) -> list[Event]:
    """The last sign-ins of the account, including refused ones, newest first."""
    return account_events(
        work, account, limit, AuditAction.SIGNIN_SUCCEEDED, AuditAction.SIGNIN_REFUSED
    )


def recent_risk_assessments(work: UnitOfWork, account: Account, limit: int = 10) -> list[Event]:
    """The last risk assessments for the account, newest first."""
    return account_events(work, account, limit, AuditAction.SIGNIN_ASSESSED)


def recent_machine_refusals(work: UnitOfWork, account: Account, limit: int) -> list[Event]:
    """The last refused requests of a machine account, newest first."""
    return account_events(work, account, limit, AuditAction.MACHINE_REFUSED)


def account_events(
    work: UnitOfWork, account: Account, limit: int, *names: AuditAction
) -> list[Event]:
    """The last events of the account, newest first, optionally restricted to these names."""
    query = select(Event).where(Event.account_id == account.id)
    if names:
        query = query.where(Event.name.in_(names))
    return list(work.db.scalars(query.order_by(Event.at.desc(), Event.id.desc()).limit(limit)))


def export(work: UnitOfWork, criteria: EventFilter | None = None) -> Iterator[str]:
    """The matching events as JSON lines, oldest first, streamed."""
    for record in export_records(work, criteria):
        yield json.dumps(record, sort_keys=True)


def export_records(
    work: UnitOfWork, criteria: EventFilter | None = None
) -> Iterator[dict[str, Any]]:
    """The matching events as dictionaries. ``proof`` is the status of the seal; only ``proved``
    means that the seal is valid (see ``idp.audit.chain.SealStatus``)."""
    query = (
        chain.with_previous_seal(select(Event, Account.username))
        .outerjoin(Account, Account.id == Event.account_id)
        .where(*(criteria or EventFilter()).conditions())
        .order_by(Event.id)
        .execution_options(yield_per=chain.BATCH)
    )
    with closing(work.db.execute(query)) as rows:
        # Read after the query, so that every row in the result is before this head.
        end, start = chain.chain_end(work), chain.start(work)
        for event, username, before in rows:
            if event.seq == start.seq + 1 and start.seq:
                before = start.seal
            record: dict[str, Any] = json.loads(chain.canonical(event))
            standing = chain.seal_status(work.vault, event, before, end)
            yield record | {"account": username, "seal": event.seal, "proof": str(standing)}
