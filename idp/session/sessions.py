"""Server-side sessions: start, find, renew, end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, bindparam, or_, select, update

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.db import insert_if_missing
from idp.mfa.assurance import acr_of, amr_of, has_factor
from idp.models import (
    AccessToken,
    Account,
    AuthorizationCode,
    BrowserSession,
    Client,
    ClientSession,
    DeviceAuthorization,
    Grant,
    RoleGroup,
)
from idp.models.records import AnyClient, AnySession, SignedInSession, actors
from idp.policy.session_rules import TOUCH_INTERVAL, Limits, is_alive, may_sign_in
from idp.session import concurrent_ends, device_bindings, logout_recipients, session_records
from idp.session.end_reasons import EndReason
from idp.transaction import UnitOfWork
from service_base.prepared import Prepared

MAX_AGENT = 400
MAX_COOKIE = 100
#: Locked until the code is stored, so that the code ends with the sid.
_SID = Prepared(
    select(ClientSession.sid)
    .where(
        ClientSession.session_id == bindparam("session"),
        ClientSession.client_id == bindparam("client"),
    )
    .with_for_update(read=True)
)
_OF_COOKIE = select(BrowserSession).where(
    BrowserSession.digest.in_(bindparam("digests", expanding=True))
)


def limits(work: UnitOfWork) -> Limits:
    """The limits in force."""
    return Limits(
        timedelta(seconds=work.settings.session_idle),
        timedelta(seconds=work.settings.session_absolute),
    )


def start(
    work: UnitOfWork, account: Account, *, methods: Sequence[str], own: BrowserSession | None
) -> tuple[BrowserSession, str]:
    """Start a session for a person who has just signed in. Returns it and its new cookie.

    The cookie always changes (N53). An account that has a session in this browser (``own``) keeps
    it, so that relying parties keep their ``sid``.
    """
    concurrent_ends.rely_on(work, account)
    cookie = work.token(32)
    session = own
    if session is None:
        session = _new(work, account)
        work.db.add(session)
    session.digest = work.vault.digest("session", cookie)
    session.auth_time = work.now
    session.last_seen_at = work.now
    session.expires_at = work.now + limits(work).absolute
    session.amr = amr_of(methods)
    session.acr = acr_of(methods, weak_counts=work.settings.weak_factors_satisfy_mfa)
    session.proved_at = None
    session.factor_at = work.now if has_factor(methods) else None
    device_bindings.attach(work, session)
    work.db.flush()
    return session, cookie


def _new(work: UnitOfWork, account: Account) -> BrowserSession:
    return BrowserSession(
        public_id=work.token(16),
        account_id=account.id,
        account=account,
        # Named, so that it is known after the insert and no update follows.
        accounts_digest=None,
        created_at=work.now,
        ip=work.origin.ip,
        user_agent=(work.origin.user_agent or "")[:MAX_AGENT] or None,
    )


def find(work: UnitOfWork, cookie: str) -> BrowserSession | None:
    """The active session of this cookie, if its account may sign in; records that it was used."""
    session = of_cookie(work, cookie)
    if session is not None:
        touch(work, session)
    return session


def of_cookie(work: UnitOfWork, cookie: str) -> BrowserSession | None:
    """The same, without a record of the use."""
    if not cookie or len(cookie) > MAX_COOKIE:
        return None
    digests = work.vault.digests("session", cookie)
    session = work.db.scalar(_OF_COOKIE, {"digests": digests})
    if session is None or not is_live(work, session):
        return None
    concurrent_ends.rely_on(work, session.account, session)
    return session


def unchanged(work: UnitOfWork, cookie: str) -> SignedInSession | None:
    """As ``find``, as a value, if the request changes nothing of the session: it is bound to no key
    of the browser, and its use was recorded lately."""
    if not cookie or len(cookie) > MAX_COOKIE:
        return None
    session: SignedInSession | None = work.session_records.get(cookie)
    if session is None:
        session = session_records.of_digests(work, work.vault.digests("session", cookie))
        if session is None or session.binding_id is not None or _is_due(work, session):
            return None
        work.session_records[cookie] = session
    return session if is_live(work, session) else None


def touch(work: UnitOfWork, session: BrowserSession) -> None:
    """Record that the session was used, once in an interval."""
    if _is_due(work, session):
        session.last_seen_at = work.now


def _is_due(work: UnitOfWork, session: AnySession) -> bool:
    return work.now - session.last_seen_at > TOUCH_INTERVAL


def last_account_id(work: UnitOfWork, cookie: str) -> int | None:
    """The key of the account whose session this cookie was, ended or not; None if unknown."""
    if not cookie or len(cookie) > MAX_COOKIE:
        return None
    digests = work.vault.digests("session", cookie)
    return work.db.scalar(
        select(BrowserSession.account_id).where(BrowserSession.digest.in_(digests))
    )


def is_live(work: UnitOfWork, session: AnySession) -> bool:
    """Whether the session is active and its account may sign in."""
    return may_sign_in(session.account.effective_state(work.now)) and is_alive(
        now=work.now,
        last_seen=session.last_seen_at,
        expires=session.expires_at,
        ended=session.ended_at,
        limits=limits(work),
    )


def renew(work: UnitOfWork, session: BrowserSession) -> str:
    """A new cookie for a session whose level rose or whose password changed."""
    cookie = work.token(32)
    session.digest = work.vault.digest("session", cookie)
    device_bindings.attach(work, session)
    return cookie


def step_up(work: UnitOfWork, session: BrowserSession, methods: Sequence[str]) -> str:
    """The person proved another factor: the level rises, and the cookie changes (N53)."""
    session.amr = amr_of([*session.amr, *methods])
    session.acr = acr_of(session.amr, weak_counts=work.settings.weak_factors_satisfy_mfa)
    session.auth_time = work.now
    if has_factor(methods):
        session.factor_at = work.now
    return renew(work, session)


def sid_for(work: UnitOfWork, session: AnySession, client: AnyClient) -> str:
    """The ``sid`` under which this client knows the session; created when first needed."""
    key = {"session": session.id, "client": client.id}
    sid = work.run(_SID, key).scalar()
    if sid is None:
        sid = work.token(16)
        # Two tabs may both be first; both get the one row.
        if not insert_if_missing(
            work.db,
            ClientSession,
            session_id=session.id,
            client_id=client.id,
            sid=sid,
            created_at=work.now,
        ):
            sid = work.run(_SID, key).one()[0]
    return str(sid)


def active(work: UnitOfWork, account: Account) -> list[BrowserSession]:
    """The account's active sessions, last used first."""
    rows = work.db.scalars(
        select(BrowserSession)
        .where(BrowserSession.account_id == account.id, BrowserSession.ended_at.is_(None))
        .order_by(BrowserSession.last_seen_at.desc())
    )
    return [row for row in rows if is_live(work, row)]


def applications(work: UnitOfWork, rows: Iterable[BrowserSession]) -> dict[int, list[Client]]:
    """The applications that were opened in each of these sessions, by its id."""
    found: dict[int, list[Client]] = {row.id: [] for row in rows}
    query = (
        select(ClientSession.session_id, Client)
        .join(Client, Client.id == ClientSession.client_id)
        .where(ClientSession.session_id.in_(found))
        .order_by(Client.name)
    )
    for session_id, client in work.db.execute(query):
        found[session_id].append(client)
    return found


def end(
    work: UnitOfWork, session: BrowserSession, reason: EndReason, *, keep_offline: bool = False
) -> None:
    """End a session and revoke what was granted in it. ``keep_offline`` keeps grants with
    ``offline_access``: a plain sign-out does not end them."""
    if session.ended_at is None:
        session.ended_at = work.now
        session.end_reason = reason
        events.record(
            work, AuditAction.SESSION_ENDED, account=session.account, session=session, why=reason
        )
        logout_recipients.session_ended(work, session)
    revoke_grants(work, Grant.session_id == session.id, reason, keep_offline=keep_offline)


def end_all(
    work: UnitOfWork,
    account: Account,
    reason: EndReason,
    *,
    but: BrowserSession | None = None,
    are_programs_kept: bool = False,
) -> int:
    """End every session and grant of the account, except those of ``but``, and those of programs
    if they are kept; returns how many sessions."""
    rows = work.db.scalars(
        select(BrowserSession).where(
            BrowserSession.account_id == account.id, BrowserSession.ended_at.is_(None)
        )
    ).all()
    ended = [row for row in rows if but is None or row.id != but.id]
    for row in ended:
        end(work, row, reason)
    where = Grant.account_id == account.id
    if but is not None:
        where &= Grant.session_id.is_distinct_from(but.id)
    if are_programs_kept:
        where &= Grant.session_id.is_not(None)
    revoke_grants(work, where, reason)
    return len(ended)


def revoke_grants(
    work: UnitOfWork, where: ColumnElement[bool], reason: EndReason, *, keep_offline: bool = False
) -> None:
    """Revoke grants, and with them their codes and tokens."""
    rows = work.db.execute(select(Grant.id, Grant.scopes).where(where, Grant.revoked_at.is_(None)))
    ids = [pk for pk, scopes in rows if not (keep_offline and "offline_access" in scopes)]
    if ids:
        work.db.execute(
            update(Grant)
            .where(Grant.id.in_(ids), Grant.revoked_at.is_(None))
            .values(revoked_at=work.now, revoke_reason=reason)
        )


def revoke_exchanged_tokens(work: UnitOfWork, client: Client) -> None:
    """Revoke the access tokens that the client exchanged, and those that others got for them."""
    live = select(AccessToken.id, AccessToken.act).where(
        AccessToken.act.is_not(None),
        AccessToken.revoked_at.is_(None),
        AccessToken.expires_at > work.now,
    )
    ids = [key for key, act in work.db.execute(live) if client.client_id in actors(act)]
    if ids:
        work.db.execute(
            update(AccessToken).where(AccessToken.id.in_(ids)).values(revoked_at=work.now)
        )


def end_client_sessions(work: UnitOfWork, account: Account, group: RoleGroup) -> None:
    """End what the relying parties that see this role group know of the account's sessions: it was
    revoked. They get a back-channel logout; the next single sign-on there has another ``sid``."""
    for row, client in logout_recipients.client_sessions_seeing(work, account, group):
        logout_recipients.notify(work, account, client, row, EndReason.ACCESS_REVOKED)
        revoke_grants(work, Grant.sid == row.sid, EndReason.ACCESS_REVOKED, keep_offline=True)
        _detach_offline_grants(work, row.sid)
        work.db.delete(row)


def end_at_client(work: UnitOfWork, account: Account, client: Client, reason: EndReason) -> None:
    """End everything that a relying party was given for the account, offline grants too. It gets a
    back-channel logout; the next single sign-on there has another ``sid``."""
    for row, _ in logout_recipients.client_sessions_at(work, account, client):
        logout_recipients.notify(work, account, client, row, reason)
        work.db.delete(row)
    where = (Grant.account_id == account.id) & (Grant.client_id == client.id)
    revoke_grants(work, where, reason)


def end_next_expired(work: UnitOfWork) -> bool:
    """End one session that was not used for too long or is at its end; False if there is none. So
    its relying parties get a back-channel logout, as for every other end."""
    unused_since = work.now - limits(work).idle
    session = work.db.scalar(
        select(BrowserSession)
        .where(
            BrowserSession.ended_at.is_(None),
            or_(BrowserSession.last_seen_at <= unused_since, BrowserSession.expires_at <= work.now),
        )
        .limit(1)
        .with_for_update(of=BrowserSession, skip_locked=True)
    )
    if session is None:
        return False
    end(work, session, EndReason.EXPIRED, keep_offline=True)
    return True


def _detach_offline_grants(work: UnitOfWork, sid: str) -> None:
    """Grants with ``offline_access`` go on without a session. A code of theirs that was not
    redeemed yet would start a client session that nothing ends, so it expires now."""
    kept = (Grant.sid == sid, Grant.revoked_at.is_(None))
    for model in (AuthorizationCode, DeviceAuthorization):
        work.db.execute(
            update(model)
            .where(
                model.grant_id.in_(select(Grant.id).where(*kept)),
                model.consumed_at.is_(None),
            )
            .values(expires_at=work.now)
            .execution_options(synchronize_session=False)
        )
    work.db.execute(update(Grant).where(*kept).values(sid=None))


def end_by_sid(work: UnitOfWork, sid: str) -> None:
    """End what was granted to the relying party that knows a session as ``sid``."""
    revoke_grants(work, Grant.sid == sid, EndReason.SIGNED_OUT)
