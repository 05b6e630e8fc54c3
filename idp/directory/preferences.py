"""What account holders change themselves: preferences and consents."""

from __future__ import annotations

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.models import BrowserSession, Consent
from idp.session import sessions
from idp.session.end_reasons import EndReason
from idp.transaction import UnitOfWork


def set_preferences(
    work: UnitOfWork, session: BrowserSession, *, locale: str, zoneinfo: str
) -> None:
    """Set language and time zone. The caller validates both."""
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
    """Set the language. The caller validates it."""
    set_preferences(work, session, locale=locale, zoneinfo=session.account.zoneinfo)


def revoke_consent(work: UnitOfWork, session: BrowserSession, consent_id: int) -> bool:
    """Revoke a consent and everything issued under it, and notify the relying party; False if it
    belongs to another account."""
    row = work.db.get(Consent, consent_id)
    if row is None or row.account_id != session.account_id:
        return False
    sessions.end_at_client(work, session.account, row.client, EndReason.CONSENT_REVOKED)
    events.record(
        work,
        AuditAction.CONSENT_REVOKED,
        account=session.account,
        client=row.client,
        session=session,
    )
    work.db.delete(row)
    return True
