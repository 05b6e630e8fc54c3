"""Writes the history: what was changed, by whom and why (TM-12, RG-08)."""

from __future__ import annotations

from typing import Any

from registration.models import Account, History, Organization, Person, Request
from registration.transaction import UnitOfWork


def record(
    work: UnitOfWork,
    action: str,
    *,
    organization: Organization | None = None,
    person: Person | None = None,
    account: Account | None = None,
    request: Request | None = None,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    reason: str = "",
) -> History:
    """Append an entry in the name of who acts in this unit of work. Values are texts, numbers or
    lists of them; the worker seals the entry later."""
    entry = History(
        at=work.now,
        actor=work.origin.actor,
        on_behalf_of=work.origin.on_behalf_of,
        action=action,
        organization_id=organization.id if organization else None,
        person_id=person.id if person else None,
        account_id=account.id if account else None,
        request_id=request.id if request else None,
        before=before or {},
        after=after or {},
        reason=reason,
    )
    work.db.add(entry)
    return entry
