"""Passkeys that a browser creates without a prompt after a sign-in with password and second factor,
for holders who agreed (WebAuthn level 3, conditional mediation; docs/decisions/0077)."""

from __future__ import annotations

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.factors import authenticators, passkeys
from idp.factors.passkeys import Ceremony
from idp.mfa.passkey_ceremony import PasskeyRefusal, PasskeyRefused
from idp.models import Account, Authenticator, BrowserSession
from idp.transaction import UnitOfWork


def set_agreed(work: UnitOfWork, account: Account, *, agreed: bool) -> None:
    """The holder agrees, or does not agree any more."""
    account.creates_passkeys = agreed
    events.record(work, AuditAction.FACTOR_AUTOMATIC_SET, account=account, after=agreed)


def creation_options(work: UnitOfWork, session: BrowserSession, flow: str) -> str | None:
    """The JSON with which the browser may create a passkey without a prompt; None if it may not."""
    if not session.account.creates_passkeys or _refusal(work, session) is not None:
        return None
    return passkeys.creation_options(work, session.account, flow, Ceremony.AUTOMATIC)


def register(work: UnitOfWork, session: BrowserSession, flow: str, text: str) -> bool:
    """Store the passkey that the browser created; False if that is not possible. The sign-in goes
    on in either case."""
    authenticators.lock(work, session.account)
    refusal = _refusal(work, session)
    if refusal is not None:
        passkeys.refused(work, PasskeyRefused(refusal), session.account, Ceremony.AUTOMATIC)
        return False
    made = passkeys.register(work, session.account, flow, text, "", Ceremony.AUTOMATIC)
    return isinstance(made, Authenticator)


def _refusal(work: UnitOfWork, session: BrowserSession) -> PasskeyRefusal | None:
    if not session.account.creates_passkeys:
        return PasskeyRefusal.NOT_AGREED
    proved_at = session.factor_at
    if (
        "pwd" not in session.amr
        or proved_at is None
        or work.now - proved_at >= authenticators.PROOF
    ):
        return PasskeyRefusal.NOT_JUST_SIGNED_IN
    added = (row.confirmed_at for row in passkeys.list_passkeys(work, session.account))
    if any(at is not None and at >= proved_at for at in added):
        return PasskeyRefusal.ONE_ADDED_ALREADY
    if authenticators.is_full(work, session.account):
        return PasskeyRefusal.TOO_MANY_FACTORS
    return None
