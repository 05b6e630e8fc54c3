"""Delete expired rows in small batches, so that requests are not delayed.

Audit events, accounts, assignments, consents and undelivered messages are never deleted, except
security events that nobody fetched.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, exists, or_, select

from idp.models import (
    AccessToken,
    AuthorizationCode,
    BrowserSession,
    Client,
    ClientSession,
    DeviceAuthorization,
    DeviceBinding,
    FormerBrowserCookie,
    Grant,
    Interaction,
    KnownBrowser,
    Link,
    Logo,
    MessageChannel,
    MessageState,
    OneTimeCode,
    OutboxMessage,
    PushedRequest,
    RecoveryRequest,
    RefreshToken,
    SpentChallenge,
    TemporaryPassword,
    Throttle,
)
from idp.policy.event_types import RETENTION
from idp.transaction import UnitOfWork

BATCH = 1000
DAY = timedelta(days=1)
#: Settings and the audit trail refer to sessions, so they are kept for a month after they end.
SESSION_DAYS = 30
MESSAGE_DAYS = 30
LINK_DAYS = 180
BROWSER_DAYS = 400
#: A copy of a cookie is used within days.
COPY_DAYS = 90
#: Longer than a proposal is open, so that the logo of a proposed change is still there.
LOGO_DAYS = 7


def _expired(model: type, age: timedelta) -> Callable[[datetime], ColumnElement[bool]]:
    return lambda now: model.expires_at < now - age  # type: ignore[attr-defined]


def _idle_grants(now: datetime) -> ColumnElement[bool]:
    """Old grants without codes or tokens."""
    issued = [
        exists().where(model.grant_id == Grant.id)
        for model in (AuthorizationCode, DeviceAuthorization, RefreshToken, AccessToken)
    ]
    return (Grant.created_at < now - DAY) & ~or_(*issued)


def _old_sessions(now: datetime) -> ColumnElement[bool]:
    long_ago = now - timedelta(days=SESSION_DAYS)
    over = or_(BrowserSession.ended_at < long_ago, BrowserSession.expires_at < long_ago)
    return over & ~exists().where(Grant.session_id == BrowserSession.id)


def _unused_bindings(now: datetime) -> ColumnElement[bool]:
    bound = [
        exists().where(model.binding_id == DeviceBinding.id)
        for model in (BrowserSession, KnownBrowser)
    ]
    return (DeviceBinding.proved_at < now - DAY) & ~or_(*bound)


def _unused_logos(now: datetime) -> ColumnElement[bool]:
    is_old = Logo.stored_at < now - timedelta(days=LOGO_DAYS)
    return is_old & ~exists().where(Client.logo == Logo.digest)


#: Ordered so that no row refers to a deleted one.
KINDS: dict[str, tuple[type, Callable[[datetime], ColumnElement[bool]]]] = {
    "interactions": (Interaction, _expired(Interaction, DAY)),
    "pushed_requests": (PushedRequest, _expired(PushedRequest, DAY)),
    "device_authorizations": (DeviceAuthorization, _expired(DeviceAuthorization, DAY)),
    "authorization_codes": (AuthorizationCode, _expired(AuthorizationCode, DAY)),
    "access_tokens": (AccessToken, _expired(AccessToken, DAY)),
    "refresh_tokens": (
        RefreshToken,
        # Keep unused members of an active family, so that reuse is detected.
        lambda now: RefreshToken.family_expires_at < now - DAY,
    ),
    "grants": (Grant, _idle_grants),
    "sessions": (BrowserSession, _old_sessions),
    "links": (Link, _expired(Link, timedelta(days=LINK_DAYS))),
    "one_time_codes": (OneTimeCode, _expired(OneTimeCode, DAY)),
    "spent_challenges": (SpentChallenge, _expired(SpentChallenge, DAY)),
    "temporary_passwords": (
        TemporaryPassword,
        _expired(TemporaryPassword, timedelta(days=LINK_DAYS)),
    ),
    "recovery_requests": (
        RecoveryRequest,
        lambda now: RecoveryRequest.processed_at < now - DAY,
    ),
    "throttles": (Throttle, lambda now: Throttle.updated_at < now - DAY),
    "former_browser_cookies": (
        FormerBrowserCookie,
        # Those of a browser are deleted before it.
        lambda now: (
            (FormerBrowserCookie.replaced_at < now - timedelta(days=COPY_DAYS))
            | FormerBrowserCookie.browser_id.in_(
                select(KnownBrowser.id).where(
                    KnownBrowser.last_seen_at < now - timedelta(days=BROWSER_DAYS)
                )
            )
        ),
    ),
    "known_browsers": (
        KnownBrowser,
        lambda now: KnownBrowser.last_seen_at < now - timedelta(days=BROWSER_DAYS),
    ),
    "device_bindings": (DeviceBinding, _unused_bindings),
    "logos": (Logo, _unused_logos),
    "events": (
        OutboxMessage,
        lambda now: (
            (OutboxMessage.channel == MessageChannel.KEPT_EVENT)
            & (OutboxMessage.state == MessageState.QUEUED)
            & (OutboxMessage.created_at < now - RETENTION)
        ),
    ),
    "messages": (
        OutboxMessage,
        lambda now: (
            (OutboxMessage.state == MessageState.SENT)
            & (OutboxMessage.sent_at < now - timedelta(days=MESSAGE_DAYS))
        ),
    ),
}


def purge_batch(work: UnitOfWork, kind: str) -> int:
    """Delete at most ``BATCH`` rows of a kind; returns how many."""
    model, condition = KINDS[kind]
    ids = work.db.scalars(
        select(model.id).where(condition(work.now)).limit(BATCH)  # type: ignore[attr-defined]
    ).all()
    if not ids:
        return 0
    if model is BrowserSession:
        work.db.execute(delete(ClientSession).where(ClientSession.session_id.in_(ids)))
    work.db.execute(delete(model).where(model.id.in_(ids)))  # type: ignore[attr-defined]
    return len(ids)
