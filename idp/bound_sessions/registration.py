"""A browser registers a key for a session (section 8.1 of the draft)."""

from __future__ import annotations

from sqlalchemy import update

from idp.bound_sessions import binding_proofs
from idp.bound_sessions.binding_proofs import ALGORITHMS, Purpose
from idp.models import BrowserSession, DeviceBinding
from idp.session import browsers, device_bindings
from idp.transaction import UnitOfWork


def offer(work: UnitOfWork, session: BrowserSession, path: str) -> str | None:
    """The value of ``Secure-Session-Registration`` for a browser that may register a key for this
    session at ``path``; None if the session is bound, or sessions are not bound here."""
    if session.binding is not None or not work.settings.bound_sessions:
        return None
    challenge = binding_proofs.challenge(work, Purpose.REGISTER, session.public_id)
    return f'({" ".join(ALGORITHMS)});path="{path}";challenge="{challenge}"'


def register(
    work: UnitOfWork, session: BrowserSession, proof: str, browser_cookie: str
) -> DeviceBinding | None:
    """Bind the session, and the recognition of its browser, to the key of the proof. None if the
    session is bound already: its key is never replaced. Raises BadProof or BadChallenge; then
    nothing has changed."""
    key, algorithm = binding_proofs.registered_key(work, session.public_id, proof)
    binding = DeviceBinding(
        public_id=work.token(16),
        public_key=key,
        algorithm=algorithm,
        created_at=work.now,
        proved_at=work.now,
        ip=work.origin.ip,
        user_agent=work.origin.user_agent,
    )
    if session.binding is not None or not _bind(work, session, binding):
        return None
    browsers.bind(work, session.account, browser_cookie, binding)
    device_bindings.record_bound(work, session)
    return binding


def _bind(work: UnitOfWork, session: BrowserSession, binding: DeviceBinding) -> bool:
    """Of concurrent registrations, exactly one binds the session."""
    work.db.add(binding)
    work.db.flush()
    bound = work.db.execute(
        update(BrowserSession)
        .where(
            BrowserSession.id == session.id,
            BrowserSession.binding_id.is_(None),
            BrowserSession.ended_at.is_(None),
        )
        .values(binding_id=binding.id, bound_at=work.now)
        .execution_options(synchronize_session=False)
    )
    if bound.rowcount != 1:  # type: ignore[attr-defined]
        work.db.delete(binding)
        return False
    work.db.refresh(session)
    return True
