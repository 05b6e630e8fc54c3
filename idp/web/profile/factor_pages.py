"""Extra verification in settings: factors, security question, recovery codes (SP-04, MF-07, MF-08).
A change requires a factor that was verified in this session within the last minutes (N66)."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as BaseResponse

from idp import current
from idp.errors import Refused
from idp.factors import authenticators as service
from idp.factors import automatic_passkeys, passkeys
from idp.factors import recovery_codes as paper
from idp.factors import security_question as question
from idp.mfa.assurance import PASSWORD, FactorKind
from idp.models import Account, Authenticator, BrowserSession
from idp.policy.local_path import safe_path
from idp.recovery import password_replacement
from idp.session import sessions
from idp.signin import assurance_levels
from idp.web import factor_words, questions
from idp.web.guard import needs_session
from idp.web.login import factor_setup_pages, proof_page
from idp.web.login.factor_setup_pages import Place
from idp.web.login.proof_page import Demand
from idp.web.login.signin_page import MAX_PASSWORD
from idp.web.profile.recovery_phone_page import flow_of

P = ParamSpec("P")


def register(pages: Blueprint) -> None:
    both = ["GET", "POST"]
    for path, view, name in (
        ("/settings/verify", verify, "verify"),
        ("/settings/factors/<kind>", set_up_factor, "set_up_factor"),
        ("/settings/factors/own/<public_id>", own_factor, "own_factor"),
        ("/settings/recovery-codes", recovery_codes, "recovery_codes"),
        ("/settings/question", security_question, "security_question"),
        ("/settings/automatic-passkeys", agree_to_passkeys, "agree_to_passkeys"),
    ):
        pages.add_url_rule(path, name, view, methods=both)
    created = "/settings/automatic-passkeys/created"
    pages.add_url_rule(created, "automatic_passkey", automatic_passkey, methods=["POST"])


def shown(account: Account) -> dict[str, Any]:
    """A factor as the settings page shows it."""
    work = current.work()
    rows, chosen = service.list_usable(work, account), question.find(work, account)
    several = (FactorKind.PASSKEY, FactorKind.TOTP)
    return {
        "factors": [_row(row, account) for row in rows],
        "offered": [
            (kind, factor_words.kind(kind), factor_words.help_of(kind))
            for kind in service.available_kinds(work)
            if kind in several or all(row.kind != kind for row in rows)
        ],
        "question": questions.words(chosen.question) if chosen else "",
        "codes_left": paper.count_unused(work, account),
        "accepted_passkeys": passkeys.accepted(work, account),
        "creates_passkeys": account.creates_passkeys,
    }


def _row(row: Authenticator, account: Account) -> dict[str, Any]:
    is_key = row.kind == FactorKind.PASSKEY
    return {
        "public_id": row.public_id,
        "title": factor_words.title(row, account),
        "kind": factor_words.kind(row.kind),
        "is_preferred": row.is_preferred,
        "is_synced": row.is_synced if is_key else None,
        "is_backed_up": row.is_backed_up,
        "confirmed_at": row.confirmed_at,
        "last_used_at": row.last_used_at,
    }


def needs_proof(
    view: Callable[Concatenate[BrowserSession, P], BaseResponse],
) -> Callable[P, BaseResponse]:
    """Pass the session to the view if a factor was just verified in it; otherwise ask for one first
    and return."""

    def proved(session: BrowserSession, /, *args: P.args, **kwargs: P.kwargs) -> BaseResponse:
        if not service.is_recently_verified(current.work(), session):
            return redirect(url_for("profile.verify", next=request.path), code=303)
        return view(session, *args, **kwargs)

    return needs_session(wraps(view)(proved))


@needs_session
def verify(session: BrowserSession) -> BaseResponse:
    """Verify a factor, or the password if there is none, before a change (N66)."""
    work, account = current.work(), session.account
    target = safe_path(request.values.get("next"))
    if not service.list_usable(work, account):
        return _verify_by_password(session, target)
    demand = Demand(
        account=account,
        flow=flow_of(session),
        action=url_for("profile.verify"),
        hidden={"next": target},
        reasons=(),
        back=url_for("profile.factors"),
    )
    outcome = proof_page.serve(demand)
    if not isinstance(outcome, tuple):
        return outcome
    current.set_session(session, service.record_verification(work, session, outcome))
    return current.redirect_after_form(target)


def _verify_by_password(session: BrowserSession, target: str) -> BaseResponse:
    work, wrong = current.work(), False
    if request.method == "POST":
        password = request.form.get("current", "")[:MAX_PASSWORD]
        if password_replacement.verify_password(work, current.hasher(), session, password):
            current.set_session(session, service.record_verification(work, session, PASSWORD))
            return current.redirect_after_form(target)
        wrong = True
    body = render_template(
        "verify_password.html", target=target, username=session.account.username, wrong=wrong
    )
    return Response(body, status=400 if wrong else 200)


@needs_proof
def set_up_factor(session: BrowserSession, kind: str) -> BaseResponse:
    """Set up one more factor; the first one brings recovery codes."""
    work, account = current.work(), session.account
    if kind not in service.available_kinds(work):
        abort(404)
    place = Place(
        account=account,
        flow=flow_of(session),
        here=url_for("profile.set_up_factor", kind=kind),
        back=url_for("profile.factors"),
        hidden={},
    )
    outcome = factor_setup_pages.serve(place, FactorKind(kind))
    if not isinstance(outcome, Authenticator):
        return outcome
    current.set_session(
        session, sessions.step_up(work, session, assurance_levels.methods_of(outcome))
    )
    flash(gettext("Your verification method is set up."))
    if paper.count_unused(work, account):
        return _home()
    return _codes_page(paper.generate(work, account))


@needs_proof
def own_factor(session: BrowserSession, public_id: str) -> BaseResponse:
    """Rename one, offer it first, or remove it."""
    work, account = current.work(), session.account
    row = service.find(work, account, public_id)
    if row is None:
        abort(404)
    action = request.form.get("do") if request.method == "POST" else None
    if action == "rename":
        service.rename(work, account, row, request.form.get("name", ""))
        flash(gettext("The name is saved."))
        return _home()
    if action == "prefer":
        service.set_preferred(work, account, row)
        flash(gettext("This is now your preferred method."))
        return _home()
    if action == "remove":
        try:
            service.remove(work, account, row)
        except Refused:
            return _own_page(account, row, error=True)
        flash(gettext("Your verification method was removed."))
        return _home()
    return _own_page(account, row)


def _own_page(account: Account, row: Authenticator, *, error: bool = False) -> BaseResponse:
    body = render_template(
        "own_factor.html",
        row=_row(row, account),
        name=row.name,
        is_needed=service.is_required(current.work(), account, row),
        error=error,
    )
    return Response(body, status=400 if error else 200)


@needs_proof
def agree_to_passkeys(session: BrowserSession) -> BaseResponse:
    """Agree to passkeys that the browser creates without a prompt, or do not agree any more."""
    work, account = current.work(), session.account
    if not service.list_usable(work, account):
        abort(404)
    if request.method == "POST":
        agreed = request.form.get("do") == "on"
        automatic_passkeys.set_agreed(work, account, agreed=agreed)
        flash(
            gettext("Automatic passkeys are turned on.")
            if agreed
            else gettext("Automatic passkeys are turned off.")
        )
        return _home()
    return Response(render_template("automatic_passkeys.html", is_on=account.creates_passkeys))


def offer_automatic_passkey(session: BrowserSession) -> str | None:
    """What the page after a sign-in asks of the browser, without a prompt; mostly nothing."""
    return automatic_passkeys.creation_options(current.work(), session, flow_of(session))


def automatic_passkey() -> BaseResponse:
    """Store the passkey that the browser created without a prompt. If it cannot be stored, the
    person goes on as before."""
    session = current.browser_session()
    if session is None:
        return redirect(url_for("login.signin"), code=303)
    text = request.form.get("credential", "")
    if automatic_passkeys.register(current.work(), session, flow_of(session), text):
        flash(gettext("Your browser created a passkey. You can use it instead of your password."))
    return redirect(url_for("profile.dashboard"), code=303)


@needs_proof
def recovery_codes(session: BrowserSession) -> BaseResponse:
    """Create new recovery codes; earlier ones are invalidated."""
    work, account = current.work(), session.account
    if not service.list_usable(work, account):
        abort(404)
    if request.method == "POST":
        return _codes_page(paper.generate(work, account))
    body = render_template(
        "confirm.html",
        title=gettext("New recovery codes"),
        message=gettext("You will get ten new codes. Your current codes will stop working."),
        button=gettext("Get new codes"),
        action=request.path,
    )
    return Response(body)


@needs_proof
def security_question(session: BrowserSession) -> BaseResponse:
    """Choose a question and its answer."""
    work, account, error = current.work(), session.account, ""
    if request.method == "POST":
        name = request.form.get("question", "")
        fault = question.set_answer(
            work,
            current.hasher(),
            account,
            name,
            request.form.get("answer", "")[:MAX_PASSWORD],
            words=questions.words_or_nothing(name),
        )
        if fault is None:
            flash(gettext("Your security question is saved."))
            return _home()
        error = questions.fault(fault)
    body = render_template(
        "question.html",
        questions=[(name, questions.words(name)) for name in question.short_list(work, account)],
        chosen=request.form.get("question", ""),
        error=error,
    )
    return Response(body, status=400 if error else 200)


def _codes_page(codes: list[str]) -> Response:
    return Response(render_template("recovery_codes.html", codes=codes, flow=""))


def _home() -> BaseResponse:
    return redirect(url_for("profile.factors"), code=303)
