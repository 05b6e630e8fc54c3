"""Administration of machine accounts: finding one, its custodian, its former password (MA-10)."""

from __future__ import annotations

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.credentials import links
from idp.credentials.links import Purpose
from idp.directory import account_search, activation, lifecycle, separation_of_duties
from idp.directory.lifecycle import HELD
from idp.directory.state_reasons import StateReason
from idp.factors import authenticators
from idp.machines import machine_keys, machine_logins
from idp.machines.machine_refusals import CustodianOfDeactivated, CustodianOfPerson
from idp.messages import queue
from idp.messages.message_kinds import MailKind
from idp.models import Account, AccountKind, AccountState, Person
from idp.policy.names import name_key
from idp.policy.userid import MACHINE_PREFIX
from idp.transaction import UnitOfWork

_MACHINE_KEY = name_key(MACHINE_PREFIX)


def has_machine_form(name: str) -> bool:
    """Whether a name has the form of a machine account's UserID. No account needs to exist."""
    return name_key(name).startswith(_MACHINE_KEY)


def exists(work: UnitOfWork, login: str) -> bool:
    """Whether a login names a machine account, with a UserID of the present form or an older
    one."""
    return machine_logins.find(work, login).account is not None


def end_former_password(work: UnitOfWork, account: Account) -> None:
    """End the overlap of two passwords: only the new one is accepted from now on."""
    if account.former_password_hash is not None:
        account.former_password_hash = account.former_password_until = None
        account.updated_at = work.now
        events.record(work, AuditAction.PASSWORD_OVERLAP_ENDED, account=account)


def change_custodian(work: UnitOfWork, account: Account, person: Person) -> None:
    """Make another person the custodian (MA-10).

    Password, keys and factors of the old custodian end. The new one gets a mail with a link to set
    a password or, before activation, a new activation link. Programs cannot authenticate until they
    have the new password. Raises Invalid or Refused."""
    if account.kind != AccountKind.MACHINE:
        raise CustodianOfPerson()
    separation_of_duties.check(work, account)
    separation_of_duties.check_person(work, person)
    if account.state == AccountState.DEACTIVATED:
        raise CustodianOfDeactivated()
    if account.person.id == person.id:
        return
    _set_custodian(work, account, person)
    _end_credentials(work, account)
    _invite_custodian(work, account)


def _set_custodian(work: UnitOfWork, account: Account, person: Person) -> None:
    old = account.person
    queue.enqueue(work, MailKind.CUSTODIAN_LEFT, account, to=old)
    account.person, account.recovery_phone = person, None
    account.updated_at = work.now
    account_search.index_account(work, account)
    events.record(
        work,
        AuditAction.CUSTODIAN_CHANGED,
        account=account,
        before=old.person_id,
        after=person.person_id,
    )


def _end_credentials(work: UnitOfWork, account: Account) -> None:
    authenticators.reset(work, account)
    machine_keys.revoke_all(work, account)
    account.former_password_hash = account.former_password_until = None


def _invite_custodian(work: UnitOfWork, account: Account) -> None:
    """The first step of the new custodian, which depends on the state of the account."""
    if account.state == AccountState.PENDING:
        activation.invite(work, account)
        return
    if account.state in HELD:
        # It stays locked or suspended. Afterwards it needs a new password too.
        account.resumes_as = str(AccountState.RESET_REQUIRED)
        links.invalidate_all(work, account)
        return
    lifecycle.require_reset(work, account, reason=StateReason.CUSTODIAN_CHANGED)
    expires = work.after(days=work.settings.agent_reset_days)
    token = links.issue(work, account, Purpose.RESET, expires)
    path = f"/recover/open?token={token}"
    queue.enqueue(work, MailKind.CUSTODIAN_CHANGED, account, path=path, expires_at=expires)
