"""The page of one account, and the actions of operators on it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response as BaseResponse

from hosted_pages.languages import eastern
from idp import current
from idp.audit import trail
from idp.directory import accounts, held_role_groups, separation_of_duties
from idp.errors import ActionNotPossible, CallerNotVerified, ReasonMissing
from idp.factors import authenticators, enrolment, recovery_codes, security_question
from idp.helpdesk import account_actions, account_status, caller_verification
from idp.machines import machine_keys, registered_networks
from idp.messages import outbox_reader
from idp.models import Account, AccountKind, Assignment
from idp.policy import console as rules
from idp.policy.console import ConsoleAction
from idp.policy.phone_number import masked
from idp.policy.temporary_password import spelled
from idp.policy.user_agents import describe_user_agent
from idp.session import browsers, sessions
from idp.transaction import UnitOfWork
from idp.web import factor_words, i18n
from idp.web.console import confirmation, gate, labels, person_choice

SHOWN_EVENTS = 25
SHOWN_SIGN_INS = 5
#: Of an account's page, by the end of its address; the last one is of machine accounts only.
OVERVIEW, ACCESS_TAB, MACHINE_TAB = "overview", "access", "programs"
TABS: Mapping[str, Any] = {
    OVERVIEW: _("Overview"),
    ACCESS_TAB: _("Role groups"),
    "factors": _("Extra verification"),
    "sessions": _("Sessions"),
    "sign-ins": _("Sign-ins"),
    "history": _("History"),
    MACHINE_TAB: _("Programs"),
}


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/accounts/<subject>", "account", account)
    tabs = ",".join(f"'{name}'" for name in TABS if name != OVERVIEW)
    pages.add_url_rule(f"/accounts/<subject>/<any({tabs}):tab>", "account_tab", account_tab)
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


def account_tab(subject: str, tab: str) -> BaseResponse:
    """Another tab: details and history of the account."""
    found = one(subject)
    if tab == MACHINE_TAB and found.kind != AccountKind.MACHINE:
        abort(404)
    return page(found, tab=tab)


def page(
    found: Account, *, error: str | None = None, temporary: str | None = None, tab: str = OVERVIEW
) -> Response:
    """One tab of the page. A temporary password is shown only in this response."""
    work = current.work()
    body = render_template(
        "console/account.html",
        query=request.args.get("q", ""),
        account=found,
        tab=tab,
        tabs=_tabs(found, tab),
        error=error,
        temporary=temporary,
        spelled=spelled(temporary) if temporary else [],
        choice=person_choice.of_persons("person_id") if tab == MACHINE_TAB else None,
        hours=work.settings.temporary_password_seconds // 3600,
        **_identity(work, found),
        **_verification_methods(work, found),
        **_access(work, found),
        **_activity(work, found, tab),
        **_operator_options(work, found),
    )
    return Response(body, status=400 if error else 200)


def _tabs(found: Account, tab: str) -> list[tuple[str, str, bool]]:
    return [
        (str(text), address(found, name), name == tab)
        for name, text in TABS.items()
        if name != MACHINE_TAB or found.kind == AccountKind.MACHINE
    ]


def address(found: Account, tab: str = OVERVIEW) -> str:
    """The address of a tab."""
    if tab == OVERVIEW:
        return url_for("console.account", subject=found.subject)
    return url_for("console.account_tab", subject=found.subject, tab=tab)


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


def _activity(work: UnitOfWork, found: Account, tab: str) -> dict[str, Any]:
    shown = SHOWN_EVENTS if tab == "sign-ins" else SHOWN_SIGN_INS
    is_machine = found.kind == AccountKind.MACHINE
    return {
        "sessions": [
            (row, describe_user_agent(row.user_agent)) for row in sessions.active(work, found)
        ],
        "browsers": [
            (row, describe_user_agent(row.user_agent)) for row in browsers.remembered(work, found)
        ],
        "sign_ins": [
            (event, describe_user_agent(event.user_agent))
            for event in trail.recent_sign_ins(work, found, shown)
        ],
        "risks": [
            (event, labels.assessment(event))
            for event in trail.recent_risk_assessments(work, found)
        ],
        "events": trail.account_events(work, found, SHOWN_EVENTS),
        "messages": outbox_reader.account_messages(work, found.id),
        "keys": machine_keys.of(work, found) if is_machine else [],
        "networks": registered_networks.of(work, found) if is_machine else [],
        "recovery_codes": recovery_codes.count_unused(work, found),
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
        "corrects": operator.may_open("console.correct_person") and not is_own,
        "ends_sessions": ConsoleAction.END_SESSIONS in names,
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
        "A recent caller was not the account holder. Until %(until)s, only a code that is sent "
        "to the account holder verifies a caller.",
        until=eastern(until),
    )
    return str(text)


def act(subject: str, action: str) -> BaseResponse:
    """Execute an action, or show why it was refused."""
    found, operator, entered = one(subject), gate.operator(), confirmation.entered()
    order = account_actions.ActionRequest(
        operator.account, operator.roles, action, entered.reason, entered.ticket, entered.details
    )
    try:
        password = account_actions.execute(current.work(), current.hasher(), order, found)
    except (ActionNotPossible, CallerNotVerified, ReasonMissing) as refusal:
        return page(found, error=labels.refusal(refusal))
    if password is not None:
        return page(found, temporary=password)
    flash(labels.done(action))
    return back(found)


def back(found: Account, tab: str = OVERVIEW) -> BaseResponse:
    """A redirect to a tab of the account's page."""
    return redirect(address(found, tab), code=303)
