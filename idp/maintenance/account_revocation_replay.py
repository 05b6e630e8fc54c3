"""Replay of revocations that concern accounts (see ``revocation_replay``).

Each handler returns whether it changed anything. A handler raises AccountNotHere, NotFound or
another refusal if its event cannot be replayed.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import delete, update

from idp.clients import registry
from idp.directory import (
    held_role_groups,
    lifecycle,
    participants,
    persons,
    role_group_assignments,
    role_groups,
)
from idp.directory.state_reasons import StateReason
from idp.errors import NotFound
from idp.factors import authenticators, recovery_codes
from idp.machines import machine_accounts, machine_keys
from idp.mfa.prompt_reasons import AccountChange
from idp.models import (
    Account,
    AccountState,
    Authenticator,
    Consent,
    Event,
    Grant,
    RegisteredNetwork,
)
from idp.session import sessions
from idp.session.end_reasons import EndReason
from idp.transaction import UnitOfWork

DENYING = (
    AccountState.LOCKED,
    AccountState.SUSPENDED,
    AccountState.RESET_REQUIRED,
    AccountState.DEACTIVATED,
)


class AccountNotHere(NotFound):
    """The account was created since the backup."""

    template = "the account does not exist here"


def _account(work: UnitOfWork, event: Event) -> Account:
    """The account of the event. Raises AccountNotHere also if the id belongs to a newer account:
    accounts created after the backup are lost, and their ids are used again."""
    row = work.db.get(Account, event.account_id) if event.account_id is not None else None
    if row is None or row.created_at > event.at:
        raise AccountNotHere()
    return row


def _why(event: Event) -> StateReason:
    """The reason in the event. The unknown reason of an earlier release becomes RESTORED."""
    why = event.data.get("why")
    return StateReason(why) if why in list(StateReason) else StateReason.RESTORED


def state_changed(work: UnitOfWork, event: Event) -> bool:
    """Deny access again: lock, suspend, deactivate, or require a new password."""
    state, row = AccountState(event.data["after"]), _account(work, event)
    if state not in DENYING or state == row.state or row.state == AccountState.DEACTIVATED:
        return False
    if state == AccountState.RESET_REQUIRED and row.state in lifecycle.HELD:
        # It stays locked or suspended; the state restored later requires a new password.
        row.resumes_as = str(state)
    elif state == AccountState.RESET_REQUIRED:
        lifecycle.require_reset(work, row, reason=StateReason.RESTORED)
    else:
        lifecycle.change_state(work, row, state, reason=_why(event))
    return True


def password_set(work: UnitOfWork, event: Event) -> bool:
    """Require a new password, because the one in the backup is outdated. Pending accounts have no
    password."""
    row = _account(work, event)
    if row.state != AccountState.ACTIVE:
        return False
    lifecycle.require_reset(work, row, reason=StateReason.RESTORED)
    return True


def role_group_revoked(work: UnitOfWork, event: Event) -> bool:
    """Revoke the role group."""
    group = role_groups.by_name(work, event.data["group"])
    participant = participants.by_number(work, event.data["participant"])
    return role_group_assignments.revoke(work, _account(work, event), group, participant)


def terms_changed(work: UnitOfWork, event: Event) -> bool:
    """Shorten the assignment if it now starts later or ends sooner than in the backup."""
    account, after = _account(work, event), event.data["after"]
    pair = (event.data["group"], event.data["participant"])
    held = {
        (row.role_group.name, row.participant.number): row
        for row in held_role_groups.list_held(work, account)
    }
    row = held.get(pair)
    if row is None:
        return False
    begins, ends = (_moment(after, name) for name in ("valid_from", "valid_until"))
    if ends is not None and ends <= work.now:
        return role_group_assignments.revoke(work, account, row.role_group, row.participant)
    ends = min((end for end in (ends, row.valid_until) if end is not None), default=None)
    begins = max((start for start in (begins, row.valid_from) if start is not None), default=None)
    terms = replace(role_group_assignments.terms_of(row), valid_from=begins, valid_until=ends)
    return role_group_assignments.assign(work, account, row.role_group, row.participant, terms)


def _moment(values: dict[str, str], name: str) -> datetime | None:
    return datetime.fromisoformat(values[name]) if name in values else None


def consent_revoked(work: UnitOfWork, event: Event) -> bool:
    """Revoke the consent and the grants that depend on it."""
    row, client = _account(work, event), registry.get(work, event.client_id or "")
    gone = work.db.execute(
        delete(Consent)
        .where(Consent.account_id == row.id, Consent.client_id == client.id)
        .returning(Consent.id)
    ).all()
    sessions.revoke_grants(
        work, (Grant.account_id == row.id) & (Grant.client_id == client.id), EndReason.RESTORED
    )
    return bool(gone)


def factor_removed(work: UnitOfWork, event: Event) -> bool:
    """Remove the factor; the next sign-in requires a second factor."""
    row = _account(work, event)
    gone = work.db.execute(
        update(Authenticator)
        .where(
            Authenticator.account_id == row.id,
            Authenticator.public_id == event.data["id"],
            Authenticator.removed_at.is_(None),
        )
        .values(removed_at=work.now)
        .returning(Authenticator.id)
        .execution_options(synchronize_session=False)
    ).all()
    authenticators.require_at_next_sign_in(work, row, AccountChange.FACTOR_CHANGE)
    return bool(gone)


def factors_reset(work: UnitOfWork, event: Event) -> bool:
    """Reset all factors."""
    authenticators.reset(work, _account(work, event))
    return True


def recovery_codes_replaced(work: UnitOfWork, event: Event) -> bool:
    """Invalidate the recovery codes of the backup."""
    recovery_codes.invalidate_all(work, _account(work, event))
    return True


def recovery_code_used(work: UnitOfWork, event: Event) -> bool:
    """A code was used. Nobody knows which one, so all are invalidated."""
    return event.data.get("factor") == "recovery" and recovery_codes_replaced(work, event)


def machine_key_removed(work: UnitOfWork, event: Event) -> bool:
    """Revoke the key."""
    machine_keys.revoke(work, _account(work, event), event.data["kid"])
    return True


def networks_set(work: UnitOfWork, event: Event) -> bool:
    """Remove networks; new ones come with the next push."""
    row = _account(work, event)
    kept = list(event.data["after"])
    gone = work.db.execute(
        delete(RegisteredNetwork)
        .where(RegisteredNetwork.account_id == row.id, RegisteredNetwork.network.not_in(kept))
        .returning(RegisteredNetwork.id)
    ).all()
    return bool(gone)


def custodian_changed(work: UnitOfWork, event: Event) -> bool:
    """Remove the access of the old custodian. If the new one is missing here, nobody has access."""
    row = _account(work, event)
    if row.state == AccountState.DEACTIVATED or row.person.person_id != event.data["before"]:
        return False
    person = persons.by_person_id(work, event.data["after"])
    if person is not None:
        machine_accounts.change_custodian(work, row, person)
    else:
        lifecycle.change_state(
            work, row, AccountState.SUSPENDED, reason=StateReason.CUSTODIAN_CHANGED
        )
    return True


def address_changed(work: UnitOfWork, event: Event) -> bool:
    """Restore the current e-mail address, so that links and codes do not go to the former one."""
    row = _account(work, event)
    before, after = event.data["before"].get("email"), event.data["after"].get("email")
    if not after or row.person.email != before:
        return False
    return bool(persons.update(work, row.person, persons.PersonChanges(email=after)))


def phone_changed(work: UnitOfWork, event: Event) -> bool:
    """Remove the number of the backup. The trail does not contain the new one."""
    row = _account(work, event)
    had, row.recovery_phone = row.recovery_phone, None
    return had is not None


def end_date_set(work: UnitOfWork, event: Event) -> bool:
    """Set the end date if the backup has none or a later one."""
    row, end = _account(work, event), datetime.fromisoformat(event.data["at"])
    if row.ends_at is not None and row.ends_at <= end:
        return False
    row.ends_at = end
    return True
