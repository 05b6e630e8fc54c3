"""Changes of account state and their effects, in one place (N58)."""

from __future__ import annotations

from sqlalchemy import select, update

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.credentials import links, one_time_codes, temporary_passwords
from idp.directory import contacts, role_group_assignments, separation_of_duties
from idp.directory.directory_refusals import CannotReactivate, NotHeld, StateChanged
from idp.directory.state_reasons import StateReason
from idp.messages import queue
from idp.messages.message_kinds import MailKind
from idp.models import Account, AccountState
from idp.session import browsers, end_reasons, failed_attempts, sessions
from idp.transaction import UnitOfWork

#: The notice to the holder, by new state.
NOTICES = {
    AccountState.LOCKED: MailKind.ACCOUNT_LOCKED,
    AccountState.SUSPENDED: MailKind.ACCOUNT_SUSPENDED,
    AccountState.DEACTIVATED: MailKind.ACCOUNT_DEACTIVATED,
}
#: States that store the previous state and restore it afterwards.
HELD = (AccountState.LOCKED, AccountState.SUSPENDED)


def change_state(
    work: UnitOfWork, account: Account, state: AccountState, *, reason: StateReason
) -> None:
    """Move the account to ``state``. Every state except active and pending ends sessions, grants,
    remembered browsers and pending secrets at once. Deactivation is final and revokes the role
    groups too (PR-04). Raises Refused, or Conflict if a concurrent change came first, so that no
    restriction is overwritten unseen."""
    separation_of_duties.check(work, account)
    before = account.state
    if before == AccountState.DEACTIVATED:
        raise CannotReactivate()
    if state == before:
        return
    _claim(work, account, before, state)
    account.resumes_as = _previous_states(before, account.resumes_as, state)
    account.state = state
    account.state_changed_at = work.now
    account.state_reason = reason
    account.updated_at = work.now
    if state == AccountState.ACTIVE and account.activated_at is None:
        account.activated_at = work.now
    if state not in (AccountState.ACTIVE, AccountState.PENDING):
        sessions.end_all(work, account, end_reasons.OF_STATE[state])
        browsers.forget_all(work, account)
        links.invalidate_all(work, account)
        one_time_codes.invalidate_all(work, account)
        temporary_passwords.invalidate_all(work, account)
    events.record(
        work, AuditAction.ACCOUNT_STATE, account=account, before=before, after=state, why=reason
    )
    if state in (AccountState.SUSPENDED, AccountState.DEACTIVATED):
        contacts.notify_state_change(work, account)
    if state == AccountState.DEACTIVATED:
        role_group_assignments.revoke_all(work, account)
        contacts.end_for_closed_account(work, account)
    if notice := NOTICES.get(state):
        queue.enqueue(work, notice, account)


def _claim(work: UnitOfWork, account: Account, before: AccountState, state: AccountState) -> None:
    """Update the row only if it still has the state that was read; concurrent changes wait or
    conflict."""
    work.db.flush()
    moved = work.db.execute(
        update(Account)
        .where(Account.id == account.id, Account.state == before)
        .values(state=state)
        .execution_options(synchronize_session=False)
    )
    if moved.rowcount != 1:  # type: ignore[attr-defined]
        raise StateChanged(account.username)


def resume(work: UnitOfWork, account: Account, *, reason: StateReason) -> None:
    """Lift a lock or a suspension: restore the previous state and reset counted failures. A lock
    below a suspension takes effect again. Raises Refused if there is neither."""
    if account.state not in HELD:
        raise NotHeld(account.username, account.state)
    failed_attempts.clear(work, account)
    back, _, rest = (account.resumes_as or AccountState.ACTIVE).partition(",")
    change_state(work, account, AccountState(back), reason=reason)
    account.resumes_as = rest or None


def _previous_states(before: AccountState, known: str | None, state: AccountState) -> str | None:
    """The states restored one after the other from ``state``."""
    if state not in HELD:
        return None
    beneath = [before, *(known.split(",") if known else [])]
    return ",".join(entry for entry in beneath if entry != state)


def deactivate_next_expired(work: UnitOfWork) -> bool:
    """Deactivate one account whose end date has passed; False if there is none."""
    account = work.db.scalar(
        select(Account)
        .where(Account.ends_at <= work.now, Account.state != AccountState.DEACTIVATED)
        .order_by(Account.ends_at)
        .limit(1)
    )
    if account is None:
        return False
    change_state(work, account, AccountState.DEACTIVATED, reason=StateReason.END_DATE)
    return True


def require_reset(work: UnitOfWork, account: Account, *, reason: StateReason) -> None:
    """Invalidate the password: the holder must choose a new one with a link or a temporary
    password. Ends everything that ``change_state`` ends, also if a reset is already required."""
    if account.state == AccountState.RESET_REQUIRED:
        links.invalidate_all(work, account)
        one_time_codes.invalidate_all(work, account)
        temporary_passwords.invalidate_all(work, account)
        account.state_changed_at, account.state_reason = work.now, reason
    else:
        change_state(work, account, AccountState.RESET_REQUIRED, reason=reason)
