"""Authorization codes (RFC 6749 section 4.1.2)."""

from __future__ import annotations

from sqlalchemy import bindparam, insert, update

from idp.db import table
from idp.grants.grant_rows import record_of, select_with_grant
from idp.models import AuthorizationCode
from idp.models.records import AnyGrant, AuthorizationCodeRecord
from idp.transaction import CLOCK_SECONDS, UnitOfWork
from service_base.prepared import Prepared

#: FAPI 2.0 Security Profile section 5.3.2.1.
FAPI2_SECONDS = 60
_CODE = table(AuthorizationCode)
_INSERT = Prepared(insert(_CODE).inline())
_FIND = Prepared(
    select_with_grant(AuthorizationCode, AuthorizationCodeRecord).where(
        _CODE.c.digest == bindparam("wanted")
    )
)
_SPEND = Prepared(
    update(_CODE)
    .where(_CODE.c.digest == bindparam("wanted"), _CODE.c.consumed_at.is_(None))
    .values(consumed_at=bindparam("now"))
)


def issue(
    work: UnitOfWork,
    grant: AnyGrant,
    *,
    redirect_uri: str,
    code_challenge: str | None,
    dpop_jkt: str | None = None,
) -> str:
    """A new code of 256 random bits."""
    code, lifetime = work.token(32), work.settings.code_ttl
    if grant.client.fapi2_security_profile:
        lifetime = min(lifetime, FAPI2_SECONDS)
    values = {
        "digest": work.vault.digest("code", code),
        "grant_id": grant.id,
        "redirect_uri": redirect_uri,
        "code_challenge": code_challenge,
        "dpop_jkt": dpop_jkt,
        "created_at": work.now,
        "expires_at": work.after(seconds=lifetime),
    }
    work.write(_INSERT, values)
    return code


def spend(work: UnitOfWork, code: str) -> tuple[AuthorizationCodeRecord | None, bool]:
    """Spend a code. Returns its row, if there is one, and True for exactly one caller.

    The row and its grant are read after the code is spent, so that a concurrent change is seen. If
    that waits for the commit, they are read before, and the request is run again if another one
    spends the code meanwhile."""
    for digest in work.vault.digests("code", code):
        values, waits = {"wanted": digest, "now": work.now}, work.presumes_to_spend
        is_first_use = not waits and work.spend(_SPEND, values)
        row = work.run(_FIND, values).first()
        if row is not None:
            found = record_of(work, AuthorizationCodeRecord, row)
            if waits and found.consumed_at is None:
                is_first_use = work.spend(_SPEND, values)
            return found, is_first_use
    return None, False


def is_valid_now(work: UnitOfWork, row: AuthorizationCodeRecord) -> bool:
    """Whether it has not expired, and does not expire later than a code can: the clock of the
    process that issued it was ahead, or was set back since."""
    latest = work.after(seconds=work.settings.code_ttl + CLOCK_SECONDS)
    return work.now < row.expires_at <= latest
