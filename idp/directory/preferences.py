"""What account holders change themselves: preferences and consents."""

from __future__ import annotations

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.models import BrowserSession, Consent, Grant
from idp.session import sessions
from idp.transaction import UnitOfWork


def set_preferences(
    work: UnitOfWork, session: BrowserSession, *, locale: str, zoneinfo: str
) -> None:
    """Language and time zone; both checked by the caller."""
    account = session.account
    account.locale = locale
    account.locale_is_chosen = True
    account.zoneinfo = zoneinfo
    account.updated_at = work.now
    events.record(
        work,
        AuditAction.PROFILE_PREFERENCES,
        account=account,
        session=session,
        locale=locale,
        zone=zoneinfo,
    )


def set_language(work: UnitOfWork, session: BrowserSession, locale: str) -> None:
    """Language only; checked by the caller."""
    set_preferences(work, session, locale=locale, zoneinfo=session.account.zoneinfo)


def revoke_consent(work: UnitOfWork, session: BrowserSession, consent_id: int) -> bool:
    """Take a consent back and end what was issued under it; False when it is not one's own."""
    row = work.db.get(Consent, consent_id)
    if row is None or row.account_id != session.account_id:
        return False
    where = (Grant.account_id == row.account_id) & (Grant.client_id == row.client_id)
    sessions.revoke_grants(work, where, "consent_revoked")
    events.record(
        work,
        AuditAction.CONSENT_REVOKED,
        account=session.account,
        client=row.client,
        session=session,
    )
    work.db.delete(row)
    return True
