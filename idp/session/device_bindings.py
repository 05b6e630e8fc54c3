"""Keys of browsers (Device Bound Session Credentials), and the sessions and known browsers that are
bound to them.

The browser proves its key every few minutes (``idp.bound_sessions``) and gets a cookie for it, the
bound cookie. It is signed and names the key and its time, so that every process can verify it, and
several are valid at once: tabs and requests on their way may have the previous one. The request's
``Origin`` has the key whose bound cookie it came with.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, bindparam, or_, select

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.mfa.features import agent_of
from idp.models import BrowserSession, DeviceBinding, KnownBrowser
from idp.policy.addresses import network_of
from idp.policy.device_binding import Presented, Standing, standing
from idp.transaction import CLOCK_SECONDS, UnitOfWork
from idp.vault import Vault

MAX_COOKIE = 200
#: How old a proof may be at a sign-in with a password, which it can save a second factor. A browser
#: with an older one proves its key again (docs/decisions/0089).
FRESH_SECONDS = 10
_PURPOSE = "bound-cookie"


def cookie_of(work: UnitOfWork, binding: DeviceBinding) -> str:
    """A new bound cookie."""
    text = f"{binding.public_id}.{int(work.now.timestamp())}"
    return f"{text}.{work.vault.digest(_PURPOSE, text)}"


def key_named_by(vault: Vault, cookie: str, now: datetime, seconds: int) -> str | None:
    """The ``public_id`` of the key that was proved for this cookie; None if it is not valid now. It
    is accepted a little longer than the browser keeps it, for requests on their way."""
    if not 0 < len(cookie) <= MAX_COOKIE or not cookie.isascii():
        return None
    text, _, mac = cookie.rpartition(".")
    name, _, issued = text.rpartition(".")
    if not (issued.isdigit() and len(issued) < 12 and vault.matches(_PURPOSE, text, mac)):
        return None
    age = now.timestamp() - int(issued)
    return name if -CLOCK_SECONDS <= age < seconds + CLOCK_SECONDS else None


def proved(work: UnitOfWork) -> DeviceBinding | None:
    """The key that the browser of this request has proved."""
    name = work.origin.device_key
    found = find(work, name) if name else None
    return found if found is not None and found.ended_at is None else None


def find(work: UnitOfWork, public_id: str) -> DeviceBinding | None:
    """A key, ended or not."""
    return work.db.scalar(select(DeviceBinding).where(DeviceBinding.public_id == public_id))


def is_proved(work: UnitOfWork, row: BrowserSession | KnownBrowser) -> bool:
    """Whether the session or known browser is bound to no key, or to the one of this request."""
    binding = row.binding
    if binding is None:
        return True
    return binding.ended_at is None and binding.public_id == work.origin.device_key


def is_proved_in_query() -> ColumnElement[bool]:
    """The same for ``KnownBrowser`` as a condition of a query that joins ``DeviceBinding``, with
    the key of the request as ``device_key``."""
    return or_(
        KnownBrowser.binding_id.is_(None),
        DeviceBinding.ended_at.is_(None) & (DeviceBinding.public_id == bindparam("device_key")),
    )


def assess(work: UnitOfWork, session: BrowserSession, *, is_skipped: bool) -> Standing:
    """What this request may do with the session whose cookie it has. ``is_skipped``: the browser
    reports that it could not prove its key."""
    if session.binding is None or session.bound_at is None or is_proved(work, session):
        return Standing.OPEN
    binding, origin = session.binding, work.origin
    return standing(
        Presented(
            bound_for=work.now - session.bound_at,
            is_same_network=network_of(origin.ip) == network_of(binding.ip),
            is_same_program=_program(origin.user_agent) == _program(binding.user_agent),
            is_skipped=is_skipped,
        )
    )


def _program(user_agent: str | None) -> tuple[str, str]:
    agent = agent_of(user_agent or "")
    return agent.family, agent.system


def attach(work: UnitOfWork, session: BrowserSession) -> None:
    """Bind a session whose cookie changes to the key that its browser has proved. A bound session
    keeps its key."""
    if session.binding is not None or work.origin.device_key is None:
        return
    session.binding = proved(work)
    if session.binding is not None:
        session.bound_at = work.now
        record_bound(work, session)


def record_bound(work: UnitOfWork, session: BrowserSession) -> None:
    """Record that the session is bound now."""
    binding = session.binding
    events.record(
        work,
        AuditAction.SESSION_BOUND,
        account=session.account,
        session=session,
        alg=binding.algorithm if binding is not None else None,
    )


def is_needed(work: UnitOfWork, binding: DeviceBinding) -> bool:
    """Whether a session or known browser is bound to the key."""
    for model in (BrowserSession, KnownBrowser):
        rows = select(model.id).where(model.binding_id == binding.id, model.ended_at.is_(None))
        if work.db.scalar(rows.limit(1)) is not None:
            return True
    return False
