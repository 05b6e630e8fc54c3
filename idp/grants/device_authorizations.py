"""Devices that wait until a person allows them to act for them (RFC 8628)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, bindparam, select, update

from idp.db import table
from idp.grants import grant_lifecycle
from idp.grants.grant_rows import record_of, select_with_grant
from idp.models import DeviceAuthorization
from idp.models.records import AnyClient, AnyGrant, DeviceAuthorizationRecord, GrantRecord
from idp.policy import user_code
from idp.session.end_reasons import EndReason
from idp.transaction import UnitOfWork, spend_once
from service_base.prepared import Prepared

_GRANT = Prepared(
    select_with_grant(DeviceAuthorization, DeviceAuthorizationRecord).where(
        table(DeviceAuthorization).c.id == bindparam("key")
    )
)
#: The person must decide, and the device fetch its tokens, within this time.
SECONDS = 600
#: How often a device may ask at first, and how much slower it has to become each time that it asks
#: too soon (section 3.5).
POLL_SECONDS, SLOWER_SECONDS = 5, 5
#: Networks deliver requests a little sooner or later than they were sent.
TOLERANCE_SECONDS = 1


class DeviceState(StrEnum):
    """What a device that asks for its tokens gets."""

    WAITING = "waiting"
    TOO_SOON = "too_soon"
    REFUSED = "refused"
    EXPIRED = "expired"
    #: The tokens; exactly one caller sees this.
    ALLOWED = "allowed"
    USED = "used"


@dataclass(frozen=True)
class Issued:
    """The codes of a new authorization. Only their digests can be looked up."""

    device_code: str
    #: As the device shows it.
    user_code: str


def issue(work: UnitOfWork, client: AnyClient, request: dict[str, Any]) -> Issued:
    """Store what the device asks for."""
    secret, code = work.token(32), _free_user_code(work)
    work.db.add(
        DeviceAuthorization(
            digest=work.vault.digest("device-code", secret),
            user_code_digest=work.vault.digest("user-code", code),
            user_code_sealed=work.vault.encrypt(code),
            client_id=client.id,
            request=request,
            ip=work.origin.ip,
            created_at=work.now,
            expires_at=work.after(seconds=SECONDS),
            poll_seconds=POLL_SECONDS,
            next_poll_at=work.now,
        )
    )
    return Issued(secret, user_code.shown(code))


def _free_user_code(work: UnitOfWork) -> str:
    """A code that no other row has. There are 26 thousand million."""
    code = user_code.generate(work.ports.tokens.random_below)
    while _by_user_code(work, code) is not None:
        code = user_code.generate(work.ports.tokens.random_below)
    return code


def _by_user_code(work: UnitOfWork, code: str) -> DeviceAuthorization | None:
    digests = work.vault.digests("user-code", code)
    return work.db.scalar(
        select(DeviceAuthorization).where(DeviceAuthorization.user_code_digest.in_(digests))
    )


def find_waiting(work: UnitOfWork, typed: str) -> DeviceAuthorization | None:
    """The authorization with this user code that waits for a decision."""
    code = user_code.typed_code(typed)
    row = _by_user_code(work, code) if code else None
    return row if row is not None and is_waiting(work, row) else None


def by_id(work: UnitOfWork, device_id: int) -> DeviceAuthorization | None:
    """The authorization with this key, whatever its state."""
    return work.db.get(DeviceAuthorization, device_id)


def is_waiting(work: UnitOfWork, row: DeviceAuthorization) -> bool:
    """Whether somebody may still decide."""
    is_open = row.decided_at is None and work.now < row.expires_at
    return is_open and row.client.disabled_at is None


def code_of(work: UnitOfWork, row: DeviceAuthorization) -> str:
    """Its user code, for comparison with the device."""
    return user_code.shown(work.vault.decrypt(row.user_code_sealed))


def decide(work: UnitOfWork, device_id: int) -> bool:
    """A person decides. Of concurrent callers, exactly one gets True. It is a refusal unless a
    grant follows in the same transaction (``allow``)."""
    row = by_id(work, device_id)
    if row is None or not is_waiting(work, row):
        return False
    return spend_once(work, row, DeviceAuthorization.decided_at)


def allow(work: UnitOfWork, device_id: int, grant: AnyGrant) -> None:
    """The device gets tokens of this grant."""
    _update(work, device_id, grant_id=grant.id)


def find(work: UnitOfWork, device_code: str) -> DeviceAuthorization | None:
    """The authorization with this device code, whatever its state."""
    digests = work.vault.digests("device-code", device_code)
    return work.db.scalar(
        select(DeviceAuthorization).where(DeviceAuthorization.digest.in_(digests))
    )


def poll(work: UnitOfWork, row: DeviceAuthorization) -> DeviceState:
    """The device asks for its tokens. Speed counts only while it has to wait (section 3.5)."""
    if row.consumed_at is not None:
        return DeviceState.USED
    if row.decided_at is not None and row.grant_id is None:
        return DeviceState.REFUSED
    if work.now >= row.expires_at:
        return DeviceState.EXPIRED
    if row.grant_id is None:
        return _wait(work, row)
    is_first = spend_once(work, row, DeviceAuthorization.consumed_at)
    return DeviceState.ALLOWED if is_first else DeviceState.USED


def grant_of(work: UnitOfWork, row: DeviceAuthorization) -> GrantRecord | None:
    """What was granted. Read it after ``poll``, so that a concurrent change is seen."""
    found = work.run(_GRANT, {"key": row.id, "now": work.now}).first()
    if found is None:
        return None
    record: DeviceAuthorizationRecord = record_of(work, DeviceAuthorizationRecord, found)
    return record.grant


def _wait(work: UnitOfWork, row: DeviceAuthorization) -> DeviceState:
    """Of two requests at once, one is in time and one too soon."""
    tolerated = row.poll_seconds - TOLERANCE_SECONDS
    in_time = DeviceAuthorization.next_poll_at <= work.now
    if _update(work, row.id, in_time, next_poll_at=work.after(seconds=tolerated)):
        return DeviceState.WAITING
    _update(
        work,
        row.id,
        poll_seconds=DeviceAuthorization.poll_seconds + SLOWER_SECONDS,
        next_poll_at=work.after(seconds=tolerated + SLOWER_SECONDS),
    )
    return DeviceState.TOO_SOON


def end(work: UnitOfWork, row: DeviceAuthorization, reason: EndReason) -> None:
    """End it, and what was granted: its device code is in other hands."""
    _update(work, row.id, expires_at=work.now)
    if (grant := grant_of(work, row)) is not None:
        grant_lifecycle.revoke(work, grant, reason)


def _update(
    work: UnitOfWork, device_id: int, *conditions: ColumnElement[bool], **values: Any
) -> bool:
    """Change the row if it meets the conditions; whether it did."""
    result = work.db.execute(
        update(DeviceAuthorization)
        .where(DeviceAuthorization.id == device_id, *conditions)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    return bool(result.rowcount == 1)  # type: ignore[attr-defined]
