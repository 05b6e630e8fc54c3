"""The page of one account, and what operators do to it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from idp import browser
from idp.accounts import (
    acting,
    caller,
    directory,
    enrolment,
    factors,
    operators,
    question,
    roles,
    sessions,
    standing,
    trail,
)
from idp.errors import Refused
from idp.messages import read
from idp.models import Account, AccountKind, Assignment
from idp.policy import console as rules
from idp.policy.agents import describe_agent
from idp.policy.phone import masked, shown
from idp.policy.temporary import spelled
from idp.web import factor_words
from idp.web.console import gate, words

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
    found = directory.by_subject(browser.work(), subject)
    if found is None:
        abort(404)
    return found


def account(subject: str) -> BaseResponse:
    """State, reasons in plain words, and everything an agent needs at a glance."""
    return page(one(subject))


def page(found: Account, *, error: str | None = None, temporary: str | None = None) -> Response:
    """The page; with a temporary password it shows it, this once."""
    work, operator = browser.work(), gate.operator()
    person = found.person
    helps = operator.may_open("console.act")
    verification = caller.living(work, operator.account, found) if helps else None
    by_participant: dict[str, list[Assignment]] = {}
    for row in roles.held(work, found):
        title = f"{row.participant.name} ({row.participant.number})"
        by_participant.setdefault(title, []).append(row)
    body = render_template(
        "console/account.html",
        query=request.args.get("q", ""),
        account=found,
        person=person,
        is_machine=found.kind == AccountKind.MACHINE,
        state=words.state(found.state),
        kind=words.kind(found.kind),
        second=words.second(found),
        phone=shown(person.phone, person.phone_extension) if person.phone else "",
        shared_by=directory.persons_with_phone(work, person.phone),
        recovery_phone=masked(found.recovery_phone or ""),
        factors=[(factor_words.title(row, found), row) for row in factors.of(work, found)],
        enrolled=not enrolment.is_owed(work, found),
        question=question.of(work, found),
        risks=[(event, words.assessment(event)) for event in trail.assessments(work, found)],
        can_text=bool(found.recovery_phone) and browser.means().ports.sms is not None,
        obstacles=[words.obstacle(entry) for entry in standing.obstacles(work, found)],
        unreachable=[client.name for client in standing.unreachable(work, found)],
        access=by_participant,
        others=directory.accounts_of(work, person, but=found),
        sessions=[(row, describe_agent(row.user_agent)) for row in sessions.living(work, found)],
        sign_ins=[
            (event, describe_agent(event.user_agent))
            for event in trail.sign_ins(work, found, SHOWN_SIGN_INS)
        ],
        events=trail.of_account(work, found, SHOWN_EVENTS),
        messages=read.of_account(work, found.id),
        helps=helps,
        manages=operator.may_open("console.grant")
        and not acting.is_same_person(found, operator.account),
        needs_caller=helps and rules.needs_caller(operator.roles),
        facts=[(fact, words.fact(fact)) for fact in rules.Fact],
        verification=verification,
        actions=[
            (name, words.action(name))
            for name in operators.offered(work, operator.account, operator.roles, found)
        ],
        error=error,
        temporary=temporary,
        spelled=spelled(temporary) if temporary else [],
        hours=work.settings.temporary_password_seconds // 3600,
    )
    return Response(body, status=400 if error else 200)


def act(subject: str, action: str) -> BaseResponse:
    """Carry out an action, or say why not."""
    found, operator = one(subject), gate.operator()
    order = operators.Order(
        operator.account,
        operator.roles,
        action,
        request.form.get("reason", ""),
        request.form.get("ticket", ""),
    )
    try:
        password = operators.carry_out(browser.work(), browser.hasher(), order, found)
    except Refused as refusal:
        return page(found, error=words.refusal(refusal))
    if password is not None:
        return page(found, temporary=password)
    flash(words.done(action))
    return back(found)


def back(found: Account) -> BaseResponse:
    """To the account's page."""
    values: dict[str, Any] = {"subject": found.subject}
    return redirect(url_for("console.account", **values), code=303)
