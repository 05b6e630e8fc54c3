"""The effects of a transaction that is tried and then rolled back: mails, ended sessions, lost
applications."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sqlalchemy import event, select
from sqlalchemy.orm import Session, UOWTransaction

from idp.audit.actions import AuditAction
from idp.directory import held_role_groups
from idp.models import (
    TO_PEOPLE,
    Account,
    Client,
    Event,
    MessageChannel,
    OutboxMessage,
    RoleGroup,
)
from idp.transaction import UnitOfWork

#: So many recipients of one kind of mail are named; all are counted.
NAMED = 20


class Effects:
    """Collects what the transactions of one request write to the audit log and the outbox."""

    def __init__(self, work: UnitOfWork) -> None:
        self._work = work
        work.is_trial = True
        self._rows: list[Event | OutboxMessage] = []
        event.listen(work.db, "after_flush", self._collect)

    def _collect(self, session: Session, _context: UOWTransaction) -> None:
        self._rows += [row for row in session.new if isinstance(row, (Event, OutboxMessage))]

    def clear(self) -> None:
        """Forget what was rolled back."""
        self._rows.clear()

    def take(self) -> dict[str, Any]:
        """The effects since the last call, before they are rolled back."""
        self._work.db.flush()
        events = [row for row in self._rows if isinstance(row, Event)]
        messages = [row for row in self._rows if isinstance(row, OutboxMessage)]
        found = {
            "events": list(dict.fromkeys(row.name for row in events)),
            "mails": _mails([row for row in messages if row.channel in TO_PEOPLE]),
            "sessions": sum(row.name == AuditAction.SESSION_ENDED for row in events),
            "applications": self._lost(events),
            "notified": sorted(
                {row.recipient for row in messages if row.channel == MessageChannel.LOGOUT}
            ),
        }
        self.clear()
        return {name: value for name, value in found.items() if value}

    def _lost(self, events: list[Event]) -> list[dict[str, Any]]:
        """The applications that accounts can no longer open, and how many accounts."""
        taken: dict[int, set[str]] = {}
        for row in events:
            if row.name == AuditAction.ROLE_GROUP_REVOKED and row.account_id is not None:
                taken.setdefault(row.account_id, set()).add(row.data["group"])
        query = (
            select(RoleGroup.name, Client)
            .join(Client.role_groups)
            .where(
                RoleGroup.name.in_(set().union(*taken.values())),
                Client.home_url != "",
                Client.disabled_at.is_(None),
            )
        )
        seen: dict[str, set[Client]] = {}
        for name, client in self._work.db.execute(query):
            seen.setdefault(name, set()).add(client)
        lost: Counter[str] = Counter()
        for account_id, names in taken.items():
            account = self._work.db.get_one(Account, account_id)
            before = {
                client
                for name in names
                for client in seen.get(name, set())
                if client.allows_account(account)
            }
            left = before.difference(held_role_groups.list_applications(self._work, account))
            lost.update(client.name for client in left)
        return [{"name": name, "accounts": count} for name, count in sorted(lost.items())]


def _mails(rows: list[OutboxMessage]) -> list[dict[str, Any]]:
    """By kind: how many, and to whom."""
    kinds: dict[str, list[str]] = {}
    for row in rows:
        kinds.setdefault(row.kind, []).append(row.recipient)
    return [
        {"kind": kind, "count": len(to), "to": sorted(set(to))[:NAMED]}
        for kind, to in sorted(kinds.items())
    ]
