"""Actions of operators on accounts. Every action passes the same checks, in this order: role,
target, state, caller, reason.

Every action is audited, and the holder gets a notice. Operators never choose or see a permanent
password. They cannot act on operators of the same kind, on Access Management, or on an account of
their own (N74).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.credentials import links, temporary_passwords
from idp.credentials.hashing import PasswordHasher
from idp.credentials.links import Purpose
from idp.directory import (
    activation,
    held_role_groups,
    lifecycle,
    separation_of_duties,
    suspension,
)
from idp.directory.state_reasons import StateReason
from idp.errors import ActionNotPossible, CallerNotVerified, ReasonMissing
from idp.factors import authenticators
from idp.helpdesk import caller_verification
from idp.helpdesk.helpdesk_refusals import ActionForbidden
from idp.messages import queue
from idp.messages.message_kinds import MailKind
from idp.models import Account, AccountState, BrowserSession
from idp.policy import console
from idp.policy.console import ACTIONS, MAX_TICKET, ConsoleAction, ConsoleRole
from idp.policy.names import printable
from idp.policy.user_agents import describe_user_agent
from idp.session import browsers, failed_attempts, sessions
from idp.session.end_reasons import EndReason
from idp.transaction import UnitOfWork

MAX_REASON = 500


@dataclass(frozen=True)
class ActionRequest:
    """The operator, the action, the reason and the ticket. ``details`` says more than a reason of
    the list."""

    agent: Account
    roles: frozenset[ConsoleRole]
    action: str
    reason: str
    ticket: str
    details: str = ""


def available_actions(
    work: UnitOfWork, agent: Account, agent_roles: frozenset[ConsoleRole], account: Account
) -> list[str]:
    """The actions that this operator can take now, apart from the verification of the caller."""
    target = held_role_groups.console_roles(work, account)
    if not console.may_act(
        agent_roles, target, is_self=separation_of_duties.is_same_person(agent, account)
    ):
        return []
    return [
        name
        for name, action in ACTIONS.items()
        if action.roles & agent_roles and _is_applicable(work, name, account)
    ]


def _is_applicable(work: UnitOfWork, name: str, account: Account) -> bool:
    if account.state not in ACTIONS[name].states:
        return False
    if name == ConsoleAction.UNLOCK and account.state != AccountState.LOCKED:
        return bool(failed_attempts.locks(work, account))
    if name == ConsoleAction.RESEND_ACTIVATION:
        link = activation.pending_link(work, account)
        return link is not None and link.expires_at > work.now
    if name == ConsoleAction.RESET_FACTORS and not authenticators.list_usable(work, account):
        return False
    return (
        name not in (ConsoleAction.RESET_MAIL, ConsoleAction.RESET_FACTORS)
        or account.activated_at is not None
    )


def check(work: UnitOfWork, order: ActionRequest, account: Account) -> None:
    """Raises Forbidden if the operator may never do this to the account, CallerNotVerified if the
    caller is not verified, and ActionNotPossible if the state does not allow it."""
    action = ACTIONS[order.action]
    target = held_role_groups.console_roles(work, account)
    allowed = action.roles & order.roles and console.may_act(
        order.roles, target, is_self=separation_of_duties.is_same_person(order.agent, account)
    )
    if not allowed:
        raise ActionForbidden(order.action, account.username, account=account)
    if (
        console.needs_caller_verification(order.roles)
        and caller_verification.find_active(work, order.agent, account) is None
    ):
        raise CallerNotVerified()
    if not _is_applicable(work, order.action, account):
        raise ActionNotPossible(order.action, account.username, account.state)


def execute(
    work: UnitOfWork, hasher: PasswordHasher, order: ActionRequest, account: Account
) -> str | None:
    """Check and execute the action. Raises the errors of ``check`` and ``apply``. Returns a
    temporary password to read aloud, else None."""
    check(work, order, account)
    return apply(
        work,
        hasher,
        order.action,
        account,
        reason=order.reason,
        ticket=order.ticket,
        details=order.details,
    )


def apply(
    work: UnitOfWork,
    hasher: PasswordHasher,
    action: str,
    account: Account,
    *,
    reason: str,
    ticket: str,
    details: str = "",
) -> str | None:
    """Execute the action without the checks: for ``execute``, and for an administrator with shell
    access. Raises ActionNotPossible or ReasonMissing, and returns as ``execute`` does."""
    separation_of_duties.check(work, account)
    if not _is_applicable(work, action, account):
        raise ActionNotPossible(action, account.username, account.state)
    if not _is_line(reason, MAX_REASON) or not _is_line(ticket, MAX_TICKET):
        raise ReasonMissing()
    extra: dict[str, Any] = {"details": details} if details else {}
    events.record(
        work,
        AuditAction(f"console.{action}"),
        account=account,
        why=reason.strip(),
        ticket=ticket.strip(),
        **extra,
    )
    return _HANDLERS[action](work, hasher, account)


def _is_line(text: str, longest: int) -> bool:
    return bool(text.strip()) and len(text) <= longest and printable(text)


def _reset_mail(work: UnitOfWork, _hasher: PasswordHasher, account: Account) -> None:
    lifecycle.require_reset(work, account, reason=StateReason.RESET_MAIL)
    _mail_link(work, account, MailKind.PASSWORD_RESET_BY_AGENT)


def _reset_factors(work: UnitOfWork, _hasher: PasswordHasher, account: Account) -> None:
    """Without a second factor, the password alone must not open the account: the next sign-in needs
    a one-time secret (N66)."""
    # The state first (``idp.session.concurrent_ends``).
    lifecycle.require_reset(work, account, reason=StateReason.FACTORS_RESET)
    authenticators.reset(work, account)
    _mail_link(work, account, MailKind.FACTORS_RESET)


def _mail_link(work: UnitOfWork, account: Account, kind: MailKind) -> None:
    expires = work.after(days=work.settings.agent_reset_days)
    token = links.issue(work, account, Purpose.RESET, expires)
    queue.enqueue(
        work,
        kind,
        account,
        path=f"/recover/open?token={token}",
        expires_at=expires,
    )
    events.record(work, AuditAction.LINK_SENT, account=account, purpose=str(Purpose.RESET))


def _temporary_password(work: UnitOfWork, hasher: PasswordHasher, account: Account) -> str:
    password = temporary_passwords.new_password(work, account)
    hashed = hasher.hash(password)
    lifecycle.require_reset(work, account, reason=StateReason.TEMPORARY_PASSWORD)
    failed_attempts.clear(work, account)
    expires = temporary_passwords.issue(work, account, hashed)
    queue.enqueue(work, MailKind.TEMPORARY_PASSWORD_ISSUED, account, expires_at=expires)
    return password


def _unlock(work: UnitOfWork, _hasher: PasswordHasher, account: Account) -> None:
    if account.state == AccountState.LOCKED:
        lifecycle.resume(work, account, reason=StateReason.UNLOCKED)
    else:
        failed_attempts.clear(work, account)
    events.record(work, AuditAction.ACCOUNT_UNLOCKED, account=account)
    queue.enqueue(work, MailKind.ACCOUNT_UNLOCKED, account)


def _resend_activation(work: UnitOfWork, _hasher: PasswordHasher, account: Account) -> None:
    activation.resend(work, account)


def _end_sessions(work: UnitOfWork, _hasher: PasswordHasher, account: Account) -> None:
    sessions.end_all(work, account, EndReason.ENDED_BY_OPERATOR)
    browsers.forget_all(work, account)
    queue.enqueue(work, MailKind.SESSIONS_ENDED, account)


def end_session(work: UnitOfWork, row: BrowserSession) -> None:
    """End one session and what was granted in it. The rules are those for ending all."""
    sessions.end(work, row, EndReason.ENDED_BY_OPERATOR)
    queue.enqueue(
        work,
        MailKind.SESSION_ENDED,
        row.account,
        agent=describe_user_agent(row.user_agent),
        ip=row.ip,
    )


def _lock(work: UnitOfWork, _hasher: PasswordHasher, account: Account) -> None:
    lifecycle.change_state(work, account, AccountState.LOCKED, reason=StateReason.OPERATOR)


def _suspend(work: UnitOfWork, _hasher: PasswordHasher, account: Account) -> None:
    lifecycle.change_state(work, account, AccountState.SUSPENDED, reason=StateReason.OPERATOR)


def _restore(work: UnitOfWork, _hasher: PasswordHasher, account: Account) -> None:
    suspension.lift(work, account, reason=StateReason.RESTORED)


def _deactivate(work: UnitOfWork, _hasher: PasswordHasher, account: Account) -> None:
    lifecycle.change_state(work, account, AccountState.DEACTIVATED, reason=StateReason.OPERATOR)


_HANDLERS: dict[str, Callable[[UnitOfWork, PasswordHasher, Account], str | None]] = {
    ConsoleAction.RESET_MAIL: _reset_mail,
    ConsoleAction.TEMPORARY_PASSWORD: _temporary_password,
    ConsoleAction.UNLOCK: _unlock,
    ConsoleAction.RESEND_ACTIVATION: _resend_activation,
    ConsoleAction.RESET_FACTORS: _reset_factors,
    ConsoleAction.END_SESSIONS: _end_sessions,
    ConsoleAction.LOCK: _lock,
    ConsoleAction.SUSPEND: _suspend,
    ConsoleAction.RESTORE: _restore,
    ConsoleAction.DEACTIVATE: _deactivate,
}
if missing := [*set(ConsoleAction).difference(_HANDLERS), *set(ConsoleAction).difference(ACTIONS)]:
    raise RuntimeError(f"no function or no rule for {', '.join(missing)}")
