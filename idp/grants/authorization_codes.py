"""Authorization codes (RFC 6749 section 4.1.2)."""

from __future__ import annotations

from sqlalchemy import select, update

from idp.models import AuthorizationCode, Grant
from idp.transaction import UnitOfWork


def issue(work: UnitOfWork, grant: Grant, *, redirect_uri: str, code_challenge: str | None) -> str:
    """A new code of 256 random bits."""
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


def spend(work: UnitOfWork, code: str) -> tuple[AuthorizationCode | None, bool]:
    """Spend a code. Returns its row, if there is one, and True for exactly one caller.

    The row and its grant are read after the code is spent, so that a concurrent change is
    seen."""
    named = AuthorizationCode.digest.in_(work.vault.digests("code", code))
    result = work.db.execute(
        update(AuthorizationCode)
        .where(named, AuthorizationCode.consumed_at.is_(None))
        .values(consumed_at=work.now)
        .execution_options(synchronize_session=False)
    )
    row = work.db.scalar(select(AuthorizationCode).where(named))
    return row, result.rowcount == 1  # type: ignore[attr-defined]
