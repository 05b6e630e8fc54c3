"""Acceptance of the conditions of use at activation (GW-02, TM-11)."""

from __future__ import annotations

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.models import Account
from idp.transaction import UnitOfWork


def accept(work: UnitOfWork, account: Account, version: str, *, language: str) -> None:
    """Store which version the holder accepted, in which language it was shown, and when."""
    account.conditions_version = version
    account.conditions_accepted_at = work.now
    account.updated_at = work.now
    events.record(
        work, AuditAction.CONDITIONS_ACCEPTED, account=account, version=version, language=language
    )
