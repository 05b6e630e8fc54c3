"""Verification of a caller: facts that matched, and the code read back (CR-01, CR-02)."""

from __future__ import annotations

from flask import Blueprint, flash, request
from flask_babel import gettext
from werkzeug.wrappers import Response

from idp import current
from idp.directory import held_role_groups, separation_of_duties
from idp.errors import CodeNotSent, NoRecoveryPhone
from idp.helpdesk import caller_verification
from idp.helpdesk.helpdesk_refusals import ForbiddenBecause
from idp.models import Account, MessageChannel
from idp.policy import console as rules
from idp.policy.names import printable
from idp.web.console import gate
from idp.web.console.account_page import back, one, only_code, page


def register(pages: Blueprint) -> None:
    for path, name, view in (
        ("caller", "verify_caller", verify_caller),
        ("caller/deny", "deny_caller", deny_caller),
        ("code", "send_code", send_code),
        ("code/check", "check_code", check_code),
    ):
        pages.add_url_rule(f"/accounts/<subject>/{path}", name, view, methods=["POST"])


def _found(subject: str) -> Account | Response:
    """The account, unless this operator may not act on it at all (N74)."""
    found, operator = one(subject), gate.operator()
    target = held_role_groups.console_roles(current.work(), found)
    is_self = separation_of_duties.is_same_person(found, operator.account)
    if not rules.may_act(operator.roles, target, is_self=is_self):
        return gate.forbid(ForbiddenBecause.TARGET, found)
    return found


def verify_caller(subject: str) -> Response:
    """Record the facts that the caller knew."""
    found = _found(subject)
    if not isinstance(found, Account):
        return found
    facts = request.form.getlist("fact")
    if not (ticket := _ticket()):
        return _without_ticket(found)
    work = current.work()
    until = caller_verification.denied_until(work, found)
    if caller_verification.record(work, gate.operator().account, found, facts, ticket=ticket):
        flash(gettext("The caller is verified for 30 minutes."))
        return back(found)
    if until is not None:
        return page(found, error=only_code(until))
    error = gettext(
        "Verification is not complete. The caller must give the user name or e-mail address "
        "and two more correct answers, or read back a code."
    )
    return page(found, error=error)


def deny_caller(subject: str) -> Response:
    """Record that the caller is not the holder."""
    found = _found(subject)
    if not isinstance(found, Account):
        return found
    if not (ticket := _ticket()):
        return _without_ticket(found)
    caller_verification.deny(current.work(), gate.operator().account, found, ticket=ticket)
    flash(gettext("The failed verification was recorded."))
    return back(found)


def send_code(subject: str) -> Response:
    """Send a code that the caller reads back."""
    found = _found(subject)
    if not isinstance(found, Account):
        return found
    if not (ticket := _ticket()):
        return _without_ticket(found)
    by_text = request.form.get("channel") == MessageChannel.SMS
    channel = MessageChannel.SMS if by_text else MessageChannel.MAIL
    if by_text and current.runtime().ports.sms is None:
        return page(found, error=gettext("We cannot send text messages. Send a code by e-mail."))
    try:
        caller_verification.send_code(
            current.work(), gate.operator().account, found, channel, ticket=ticket
        )
    except CodeNotSent:
        return page(found, error=gettext("Too many codes were sent. Wait an hour."))
    except NoRecoveryPhone:
        return page(found, error=gettext("The account has no recovery phone number."))
    flash(gettext("We sent a code that includes your name. Ask the caller to read it aloud."))
    return back(found)


def check_code(subject: str) -> Response:
    """Check the code that the caller read back."""
    found = _found(subject)
    if not isinstance(found, Account):
        return found
    typed = request.form.get("code", "")
    if not caller_verification.check_code(current.work(), gate.operator().account, found, typed):
        return page(found, error=gettext("That code is incorrect or has expired."))
    flash(gettext("The caller is verified for 30 minutes."))
    return back(found)


def _ticket() -> str:
    """The reference of the call; empty if it is missing or has more than one line."""
    typed = request.form.get("ticket", "").strip()
    return typed if len(typed) <= rules.MAX_TICKET and printable(typed) else ""


def _without_ticket(found: Account) -> Response:
    return page(found, error=gettext("Enter a ticket reference on one line."))
