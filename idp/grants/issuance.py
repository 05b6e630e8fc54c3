"""Grants and what is issued under them: codes, refresh tokens, access tokens.

Everything here is found by a keyed digest and spent by a conditional UPDATE, so that of any
number of simultaneous requests exactly one wins (RFC 6749 sections 4.1.2 and 10.5, RFC 9700
section 4.14).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import insert, select, update

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.models import (
    AccessToken,
    Account,
    AccountKind,
    AuthorizationCode,
    BrowserSession,
    Client,
    Grant,
    RefreshToken,
)
from idp.policy.scopes import ACR_PASSWORD
from idp.policy.session_rules import may_sign_in
from idp.session import sessions
from idp.transaction import UnitOfWork, spend_once


def is_standing(work: UnitOfWork, grant: Grant, *, session: bool = False) -> bool:
    """Whether the grant still counts: not revoked, its client enabled, its account able and of a
    kind that opens the client. With ``session``, also the session it was given in (needed until a
    code is redeemed)."""
    if grant.revoked_at is not None or grant.client.disabled_at is not None:
        return False
    if grant.account is not None and not (
        may_sign_in(grant.account.state_at(work.now)) and grant.client.admits(grant.account)
    ):
        return False
    if session and grant.session is not None:
        return sessions.is_live(work, grant.session)
    return True


def revoke(work: UnitOfWork, grant: Grant, reason: str) -> None:
    """End the grant and with it every token issued under it."""
    work.db.execute(
        update(Grant)
        .where(Grant.id == grant.id, Grant.revoked_at.is_(None))
        .values(revoked_at=work.now, revoke_reason=reason)
        .execution_options(synchronize_session=False)
    )
    events.record(
        work, AuditAction.GRANT_REVOKED, account=grant.account, client=grant.client, why=reason
    )


def issue_code(
    work: UnitOfWork, grant: Grant, *, redirect_uri: str, code_challenge: str | None
) -> str:
    """A code of 256 random bits for this grant."""
    code = work.token(32)
    work.db.add(
        AuthorizationCode(
            digest=work.vault.digest("code", code),
            grant=grant,
            redirect_uri=redirect_uri,
            code_challenge=code_challenge,
            created_at=work.now,
            expires_at=work.after(seconds=work.settings.code_ttl),
        )
    )
    return code


def spend_code(work: UnitOfWork, code: str) -> tuple[AuthorizationCode | None, bool]:
    """Spend a code; returns its row, if there is one, and True for exactly one caller.

    What stands behind it is read after it was spent: whatever ended meanwhile has ended."""
    named = AuthorizationCode.digest.in_(work.vault.digests("code", code))
    result = work.db.execute(
        update(AuthorizationCode)
        .where(named, AuthorizationCode.consumed_at.is_(None))
        .values(consumed_at=work.now)
        .execution_options(synchronize_session=False)
    )
    row = work.db.scalar(select(AuthorizationCode).where(named))
    return row, result.rowcount == 1  # type: ignore[attr-defined]


def issue_refresh_token(work: UnitOfWork, grant: Grant) -> str:
    """The first refresh token of the grant's family."""
    token = work.token(32)
    _add_refresh(work, grant, token, work.after(seconds=work.settings.refresh_absolute))
    return token


def _add_refresh(work: UnitOfWork, grant: Grant, token: str, family_end: object) -> None:
    work.db.execute(
        insert(RefreshToken).values(
            digest=work.vault.digest("refresh", token),
            grant_id=grant.id,
            created_at=work.now,
            expires_at=work.after(seconds=work.settings.refresh_idle),
            family_expires_at=family_end,
        )
    )


def find_refresh_token(work: UnitOfWork, token: str) -> RefreshToken | None:
    """The row of this refresh token, whatever its state."""
    digests = work.vault.digests("refresh", token)
    return work.db.scalar(select(RefreshToken).where(RefreshToken.digest.in_(digests)))


def is_expired(work: UnitOfWork, row: RefreshToken) -> bool:
    """Past its idle or its family's absolute limit."""
    return work.now >= row.expires_at or work.now >= row.family_expires_at


def rotate(work: UnitOfWork, row: RefreshToken, scope: str) -> str | None:
    """Spend a refresh token and return its successor.

    A repetition of the same request within the grace (its answer was lost, or two tabs asked at
    once) gets the same successor. None means reuse, or a grant that ended since it was read: the
    caller revokes the family.
    """
    successor = work.token(32)
    still = select(Grant.id).where(Grant.id == row.grant_id, Grant.revoked_at.is_(None)).exists()
    first = spend_once(
        work,
        row,
        RefreshToken.consumed_at,
        still,
        successor_sealed=work.vault.encrypt(successor),
        successor_digest=work.vault.digest("refresh", successor),
        consumed_scope=scope,
    )
    if first:
        _add_refresh(work, row.grant, successor, row.family_expires_at)
        return successor
    return _same_successor(work, row, scope)


def _same_successor(work: UnitOfWork, row: RefreshToken, scope: str) -> str | None:
    work.db.refresh(row)
    grace = timedelta(seconds=work.settings.refresh_grace)
    if row.consumed_at is None or row.successor_sealed is None:
        return None
    if abs(work.now - row.consumed_at) > grace or row.consumed_scope != scope:
        return None
    used = work.db.scalar(
        select(RefreshToken.consumed_at).where(RefreshToken.digest == row.successor_digest)
    )
    return None if used is not None else work.vault.decrypt(row.successor_sealed)


def record_access_token(
    work: UnitOfWork, grant: Grant, handle: str, *, scopes: list[str], audience: str
) -> None:
    """The row without which an access token is worth nothing."""
    work.db.execute(
        insert(AccessToken).values(
            handle=handle,
            grant_id=grant.id,
            scopes=scopes,
            audience=audience,
            created_at=work.now,
            expires_at=work.after(seconds=work.settings.access_token_ttl),
        )
    )


def find_access_token(work: UnitOfWork, handles: list[str]) -> AccessToken | None:
    """The row of a ``jti`` or of an opaque token's digest, with all that stands behind it."""
    return work.db.scalar(select(AccessToken).where(AccessToken.handle.in_(handles)))


def is_active(work: UnitOfWork, row: AccessToken) -> bool:
    """Whether an access token counts at this moment."""
    return row.revoked_at is None and work.now < row.expires_at and is_standing(work, row.grant)


@dataclass(frozen=True, kw_only=True)
class Authorized:
    """What the authorization endpoint found: who, for whom, for what."""

    session: BrowserSession
    client: Client
    scopes: list[str]
    claims: dict[str, object]
    nonce: str | None


def authorize(work: UnitOfWork, found: Authorized) -> Grant:
    """A new grant in the person's session."""
    session = found.session
    grant = Grant(
        client=found.client,
        account=session.account,
        session=session,
        sid=sessions.sid_for(work, session, found.client),
        scopes=found.scopes,
        claims=found.claims,
        nonce=found.nonce,
        acr=session.acr,
        amr=list(session.amr),
        auth_time=session.auth_time,
        created_at=work.now,
    )
    work.db.add(grant)
    return grant


def for_client_itself(work: UnitOfWork, client: Client, scopes: list[str]) -> Grant:
    """A grant of client credentials: nobody but the client."""
    grant = Grant(
        client=client, scopes=scopes, claims={}, amr=[], created_at=work.now, account=None
    )
    work.db.add(grant)
    work.db.flush()
    return grant


def for_machine(
    work: UnitOfWork, client: Client, account: Account, scopes: list[str], participant: str | None
) -> Grant:
    """A grant of a machine account that acts for itself at an application, for one participant or
    for all of its own."""
    grant = Grant(
        client=client,
        account=account,
        participant=participant,
        scopes=scopes,
        claims={},
        acr=ACR_PASSWORD,
        amr=["pwd"],
        auth_time=work.now,
        created_at=work.now,
    )
    work.db.add(grant)
    work.db.flush()
    return grant


def requester(grant: Grant) -> str:
    """``client_id`` of its tokens (RFC 9068 section 2.2): the application that a person signed on
    to, or the machine itself."""
    is_own = grant.account is not None and grant.account.kind == AccountKind.MACHINE
    return grant.account.username if is_own and grant.account else grant.client.client_id


def revoke_access_token(work: UnitOfWork, row: AccessToken) -> None:
    """End one access token; its family goes on."""
    row.revoked_at = row.revoked_at or work.now
    events.record(
        work,
        AuditAction.TOKEN_REVOKED,
        account=row.grant.account,
        client=row.grant.client,
        token_type="access_token",  # noqa: S106 - the name of a kind of token
    )
