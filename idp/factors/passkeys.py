"""Passkeys of accounts: challenges, registration and sign-in (N67)."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import select, update

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.credentials import notices, signed_challenges
from idp.factors import authenticators
from idp.messages.message_kinds import MailKind
from idp.mfa import passkey_ceremony, passkey_providers
from idp.mfa.assurance import FactorKind, passkey_methods
from idp.mfa.passkey_ceremony import Passkey, PasskeyRefusal, PasskeyRefused, Site
from idp.mfa.prompt_reasons import AccountChange
from idp.models import Account, Authenticator
from idp.transaction import UnitOfWork

CHALLENGE_SECONDS = 300


class Ceremony(StrEnum):
    """The purpose of a challenge."""

    REGISTER = "register"
    #: As a second factor, or before a change.
    FACTOR = "factor"
    #: Creation without a prompt (``automatic_passkeys``).
    AUTOMATIC = "automatic"
    #: Sign-in with the passkey alone.
    ALONE = "alone"


class Fault(StrEnum):
    """The reason for a refusal as shown to the holder; the audit trail has the exact reason."""

    WRONG = "wrong"
    #: The challenge has expired or was used. Reloading the page helps.
    LATE = "late"
    #: The response is of another kind than the stored passkey.
    CHANGED = "changed"


_TOLD = {
    PasskeyRefusal.CHALLENGE_EXPIRED: Fault.LATE,
    PasskeyRefusal.CHALLENGE_USED: Fault.LATE,
    PasskeyRefusal.BACKUP_ELIGIBILITY_CHANGED: Fault.CHANGED,
}


def site(work: UnitOfWork) -> Site:
    """The gateway as a WebAuthn relying party."""
    name = work.settings.brand_name
    if work.settings.environment == "sandbox":
        name += " Sandbox"
    return passkey_ceremony.site_of(work.settings.issuer, name)


def challenge(work: UnitOfWork, ceremony: Ceremony, flow: str) -> bytes:
    """A new challenge for this purpose and session or browser (``flow``)."""
    return signed_challenges.make(work, ceremony, flow).encode()


def _spend(work: UnitOfWork, ceremony: Ceremony, flow: str, given: bytes) -> None:
    """Raises Refused if the challenge belongs to another session or purpose, has expired or was
    used."""
    text = given.decode("ascii", "replace")
    fault = signed_challenges.spend(work, ceremony, flow, text, seconds=CHALLENGE_SECONDS)
    if fault is not None:
        raise PasskeyRefused(PasskeyRefusal(fault))


def list_passkeys(work: UnitOfWork, account: Account) -> list[Authenticator]:
    """The account's passkeys."""
    return [
        row for row in authenticators.list_usable(work, account) if row.kind == FactorKind.PASSKEY
    ]


def creation_options(
    work: UnitOfWork, account: Account, flow: str, ceremony: Ceremony = Ceremony.REGISTER
) -> str:
    """The JSON with which a browser creates a passkey."""
    if account.user_handle is None:
        account.user_handle = work.token(64)
    return passkey_ceremony.creation_options(
        site(work),
        challenge=challenge(work, ceremony, flow),
        user_handle=account.user_handle,
        username=account.username,
        display_name=account.person.full_name or account.username,
        present=[_key(row) for row in list_passkeys(work, account)],
        is_automatic=ceremony is Ceremony.AUTOMATIC,
    )


def request_options(
    work: UnitOfWork, ceremony: Ceremony, flow: str, account: Account | None
) -> str:
    """The JSON with which a browser signs in with a passkey, of the account or any."""
    allowed = [_key(row) for row in list_passkeys(work, account)] if account is not None else []
    return passkey_ceremony.request_options(
        site(work), challenge=challenge(work, ceremony, flow), allowed=allowed
    )


def accepted(work: UnitOfWork, account: Account) -> dict[str, object] | None:
    """What a browser is told of the account's passkeys: all that exist, and the present name
    (WebAuthn level 3, ``signalAllAcceptedCredentials`` and ``signalCurrentUserDetails``). None for
    an account that never had one."""
    if account.user_handle is None:
        return None
    return {
        "rpId": site(work).rp_id,
        "userId": account.user_handle,
        "name": account.username,
        "displayName": account.person.full_name or account.username,
        "allAcceptedCredentialIds": [row.credential_id for row in list_passkeys(work, account)],
    }


def unknown(work: UnitOfWork, text: str) -> dict[str, str] | None:
    """The passkey of a refused response, if it does not exist, for ``signalUnknownCredential``."""
    try:
        credential_id = passkey_ceremony.read(text).credential_id
    except PasskeyRefused:
        return None
    row = _row_of(work, credential_id)
    if row is not None and row.removed_at is None:
        return None
    return {"rpId": site(work).rp_id, "credentialId": credential_id}


def register(
    work: UnitOfWork,
    account: Account,
    flow: str,
    text: str,
    name: str,
    ceremony: Ceremony = Ceremony.REGISTER,
) -> Authenticator | Fault:
    """Store the passkey that the browser created as a factor; returns a fault if its response is
    not valid. Raises TooManyFactors."""
    is_automatic = ceremony is Ceremony.AUTOMATIC
    try:
        answer = passkey_ceremony.read(text)
        _spend(work, ceremony, flow, answer.challenge)
        created = passkey_ceremony.register(site(work), answer, is_automatic=is_automatic)
        made = created.key
        if _row_of(work, made.credential_id) is not None:
            raise PasskeyRefused(PasskeyRefusal.KNOWN_ALREADY)
    except PasskeyRefused as refusal:
        return refused(work, refusal, account, ceremony)
    row = authenticators.start_enrolment(
        work,
        account,
        FactorKind.PASSKEY,
        name=name or passkey_providers.name_of(created.aaguid),
    )
    row.credential_id, row.public_key = made.credential_id, made.public_key
    row.sign_count, row.transports = made.sign_count, made.transports
    row.is_synced, row.is_backed_up = made.is_synced, made.is_backed_up
    how = str(ceremony) if is_automatic else ""
    done = authenticators.confirm(work, account, row, ceremony=how)
    return row if done else Fault.WRONG


def verify(
    work: UnitOfWork, ceremony: Ceremony, flow: str, text: str, account: Account | None
) -> tuple[Account, tuple[str, ...]] | Fault:
    """The account that owns the passkey, and what the response proves, as ``amr`` values; or a
    fault. With ``account``, the passkey must be one of that account's."""
    row = None
    try:
        answer = passkey_ceremony.read(text)
        _spend(work, ceremony, flow, answer.challenge)
        row = _row_of(work, answer.credential_id)
        owner = work.db.get(Account, row.account_id) if row is not None else None
        if row is None or owner is None or row.confirmed_at is None or row.removed_at is not None:
            raise PasskeyRefused(PasskeyRefusal.UNKNOWN_PASSKEY)
        if account is not None and owner.id != account.id:
            raise PasskeyRefused(PasskeyRefusal.PASSKEY_OF_ANOTHER)
        # Without a list of keys, the response must name the account, and it must be this one.
        if answer.user_handle != owner.user_handle and (answer.user_handle or account is None):
            raise PasskeyRefused(PasskeyRefusal.WRONG_USER_HANDLE)
        used = passkey_ceremony.verify(site(work), answer, _key(row))
        if not _record_use(work, row, used):
            raise PasskeyRefused(PasskeyRefusal.COUNTER_FELL)
    except PasskeyRefused as refusal:
        holder = work.db.get(Account, row.account_id) if row is not None else account
        fault = refused(work, refusal, holder, ceremony)
        if refusal.reason is PasskeyRefusal.COUNTER_FELL and holder is not None:
            # The passkey may be cloned: require another factor at the next sign-in and notify the
            # holder.
            authenticators.require_at_next_sign_in(work, holder, AccountChange.COPIED_PASSKEY)
            notices.send(
                work, MailKind.PASSKEY_COPIED, holder, at=work.now, ip=work.origin.ip or ""
            )
        return fault
    events.record(
        work, AuditAction.FACTOR_CHECKED, account=owner, factor="passkey", ceremony=str(ceremony)
    )
    return owner, passkey_methods(is_synced=row.is_synced)


def _record_use(work: UnitOfWork, row: Authenticator, used: passkey_ceremony.Used) -> bool:
    """Store the signature counter. Of two responses with the same counter, only the first is
    accepted."""
    moved = work.db.execute(
        update(Authenticator)
        .where(
            Authenticator.id == row.id,
            Authenticator.removed_at.is_(None),
            Authenticator.sign_count == row.sign_count,
        )
        .values(sign_count=used.sign_count, is_backed_up=used.is_backed_up, last_used_at=work.now)
        .execution_options(synchronize_session=False)
    )
    return bool(moved.rowcount == 1)  # type: ignore[attr-defined]


def refused(
    work: UnitOfWork, refusal: PasskeyRefused, account: Account | None, ceremony: Ceremony
) -> Fault:
    """Record a refusal, and return what the holder is told."""
    events.record(
        work,
        AuditAction.FACTOR_CHECKED,
        reason=refusal.reason,
        account=account,
        factor="passkey",
        ceremony=str(ceremony),
        detail=refusal.detail,
    )
    return _TOLD.get(refusal.reason, Fault.WRONG)


def _row_of(work: UnitOfWork, credential_id: str) -> Authenticator | None:
    return work.db.scalar(select(Authenticator).where(Authenticator.credential_id == credential_id))


def _key(row: Authenticator) -> Passkey:
    return Passkey(
        row.credential_id or "",
        row.public_key or "",
        row.sign_count,
        row.is_synced,
        row.is_backed_up,
        row.transports,
    )
