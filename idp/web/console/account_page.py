"""The page of one account, and what operators do to it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as BaseResponse

from idp import current
from idp.audit import trail
from idp.directory import accounts, held_role_groups, separation_of_duties
from idp.errors import ActionNotPossible, CallerNotVerified, ReasonMissing
from idp.factors import authenticators, enrolment, security_question
from idp.helpdesk import account_actions, account_status, caller_verification
from idp.messages import outbox_reader
from idp.models import Account, AccountKind, Assignment
from idp.policy import console as rules
from idp.policy.phone_number import masked
from idp.policy.temporary_password import spelled
from idp.policy.user_agents import describe_user_agent
from idp.session import sessions
from idp.transaction import UnitOfWork
from idp.web import factor_words, i18n
from idp.web.console import confirmation, gate, labels

SHOWN_EVENTS = 25
SHOWN_SIGN_INS = 5


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/accounts/<subject>", "account", account)
    names = ",".join(f"'{name}'" for name in rules.ACTIONS)
    pages.add_url_rule(
        f"/accounts/<subject>/actions/<any({names}):action>", "act", act, methods=["POST"]
    )


def one(subject: str) -> Account:
    """The account of this address, or 404."""
    found = accounts.by_subject(current.work(), subject)
    if found is None:
        abort(404)
    return found


def account(subject: str) -> BaseResponse:
    """The account: its state, what blocks a sign-in, and the available actions."""
    return page(one(subject))


def page(found: Account, *, error: str | None = None, temporary: str | None = None) -> Response:
    """The page; with a temporary password it shows it, this once."""
    work = current.work()
    body = render_template(
        "console/account.html",
        query=request.args.get("q", ""),
        account=found,
        error=error,
        temporary=temporary,
        spelled=spelled(temporary) if temporary else [],
        hours=work.settings.temporary_password_seconds // 3600,
        **_identity(work, found),
        **_verification_methods(work, found),
        **_access(work, found),
        **_activity(work, found),
        **_operator_options(work, found),
    )
    return Response(body, status=400 if error else 200)


def _identity(work: UnitOfWork, found: Account) -> dict[str, Any]:
    person = found.person
    return {
        "person": person,
        "is_machine": found.kind == AccountKind.MACHINE,
        "state": labels.standing(found, is_ready=not enrolment.is_incomplete(work, found)),
        "kind": labels.kind(found.kind),
        "second": labels.second(found),
        "phone": i18n.phone(person.phone, person.phone_extension) if person.phone else "",
        "shared_by": accounts.count_persons_with_phone(work, person.phone),
        "others": accounts.list_accounts(work, person, exclude=found),
    }


def _verification_methods(work: UnitOfWork, found: Account) -> dict[str, Any]:
    usable = authenticators.list_usable(work, found)
    return {
        "recovery_phone": masked(found.recovery_phone or ""),
        "can_text": bool(found.recovery_phone) and current.runtime().ports.sms is not None,
        "factors": [(factor_words.title(row, found), row) for row in usable],
        "enrolled": not enrolment.is_incomplete(work, found),
        "question": security_question.find(work, found),
    }


def _access(work: UnitOfWork, found: Account) -> dict[str, Any]:
    """What blocks a sign-in, and the role groups by participant."""
    by_participant: dict[str, list[Assignment]] = {}
    for row in held_role_groups.list_held(work, found):
        title = f"{row.participant.name} ({row.participant.number})"
        by_participant.setdefault(title, []).append(row)
    return {
        "obstacles": [
            labels.obstacle(entry) for entry in account_status.sign_in_blocks(work, found)
        ],
        "unreachable": [client.name for client in account_status.inaccessible_clients(work, found)],
        "access": by_participant,
    }


def _activity(work: UnitOfWork, found: Account) -> dict[str, Any]:
    return {
        "sessions": [
            (row, describe_user_agent(row.user_agent)) for row in sessions.active(work, found)
        ],
        "sign_ins": [
            (event, describe_user_agent(event.user_agent))
            for event in trail.recent_sign_ins(work, found, SHOWN_SIGN_INS)
        ],
        "risks": [
            (event, labels.assessment(event))
            for event in trail.recent_risk_assessments(work, found)
        ],
        "events": trail.account_events(work, found, SHOWN_EVENTS),
        "messages": outbox_reader.account_messages(work, found.id),
    }


def _operator_options(work: UnitOfWork, found: Account) -> dict[str, Any]:
    """What this operator may do here."""
    operator = gate.operator()
    helps = operator.may_open("console.act")
    is_own = separation_of_duties.is_same_person(found, operator.account)
    until = caller_verification.denied_until(work, found)
    names = account_actions.available_actions(work, operator.account, operator.roles, found)
    return {
        "helps": helps,
        "manages": operator.may_open("console.grant") and not is_own,
        "needs_caller": helps and rules.needs_caller_verification(operator.roles),
        "facts": [
            (fact, labels.fact(fact), fact in caller_verification.possible_facts(found))
            for fact in rules.Fact
        ],
        "only_code": only_code(until) if helps and until else "",
        "verification": caller_verification.find_active(work, operator.account, found)
        if helps
        else None,
        "actions": [(name, labels.action(name)) for name in names if name in rules.HARMLESS],
        "dangers": [(name, labels.action(name)) for name in names if name not in rules.HARMLESS],
    }


def only_code(until: datetime) -> str:
    """Why facts do not verify a caller now."""
    text = gettext(
        "A caller was recently not the account holder. Until %(until)s, only a code that is sent "
        "to the account holder verifies a caller.",
        until=i18n.eastern(until),
    )
    return str(text)


def act(subject: str, action: str) -> BaseResponse:
    """Execute an action, or show why it was refused."""
    found, operator, said = one(subject), gate.operator(), confirmation.given()
    order = account_actions.ActionRequest(
        operator.account, operator.roles, action, said.reason, said.ticket, said.details
    )
    try:
        password = account_actions.execute(current.work(), current.hasher(), order, found)
    except (ActionNotPossible, CallerNotVerified, ReasonMissing) as refusal:
        return page(found, error=labels.refusal(refusal))
    if password is not None:
        return page(found, temporary=password)
    flash(labels.done(action))
    return back(found)


def back(found: Account) -> BaseResponse:
    """To the account's page."""
    values: dict[str, Any] = {"subject": found.subject}
    return redirect(url_for("console.account", **values), code=303)
