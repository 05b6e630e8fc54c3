"""Enrolment: the steps before an account can be used (AC-04). Each page asks again which step comes
next, so a person who leaves and comes back continues at the same step."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from idp import current
from idp.credentials import one_time_codes
from idp.credentials.one_time_codes import CodePurpose
from idp.errors import CodeNotSent
from idp.factors import (
    authenticators,
    enrolment,
    factor_codes,
    recovery_codes,
    recovery_phone,
    security_question,
)
from idp.mfa.assurance import FactorKind
from idp.models import Account, Authenticator, Interaction
from idp.policy.enrolment_steps import Step
from idp.policy.phone_number import Fault, for_sms, in_country, masked
from idp.policy.signin_state import EnrolmentRequired
from idp.signin import assurance_levels, state_loader, transitions
from idp.web import factor_words, i18n, questions
from idp.web.login import factor_setup_pages
from idp.web.login.factor_setup_pages import Place
from idp.web.login.signin_page import MAX_PASSWORD, flow_of, go_on

#: The steps that the progress indicator shows.
SHOWN = (Step.PHONE, Step.FACTOR, Step.QUESTION, Step.CODES, Step.FINISH)


def register(pages: Blueprint) -> None:
    both = ["GET", "POST"]
    pages.add_url_rule("/enrol", "enrol", enrol, methods=both)
    pages.add_url_rule("/enrol/<kind>", "enrol_factor", enrol_factor, methods=both)


def enrol() -> BaseResponse:
    """Show the page of the next step, or process its form."""
    found, account = _who()
    if found is None or account is None:
        return _resume()
    step = _step(account, found)
    if request.method != "POST" or request.form.get("step") != step:
        return _page(account, found, step)
    return _TAKE[step](account, found) or redirect(_home(found), code=303)


def enrol_factor(kind: str) -> BaseResponse:
    """Set up one factor within the step of factors."""
    found, account = _who()
    if found is None or account is None:
        return _resume()
    if kind not in authenticators.available_kinds(current.work()):
        abort(404)
    if _step(account, found) is not Step.FACTOR:
        return redirect(_home(found), code=303)
    place = Place(
        account=account,
        flow=flow_of(found),
        here=url_for("login.enrol_factor", kind=kind, flow=found.handle),
        back=_home(found),
        hidden={"flow": found.handle},
    )
    outcome = factor_setup_pages.serve(place, FactorKind(kind))
    if not isinstance(outcome, Authenticator):
        return outcome
    transitions.accept_factor(found, assurance_levels.methods_of(outcome))
    return redirect(_home(found), code=303)


def _who() -> tuple[Interaction | None, Account | None]:
    """The interaction and the account that enrols in it, if it does."""
    work, found = current.work(), current.interaction()
    progress = state_loader.progress_of(work, found)
    if not isinstance(progress, EnrolmentRequired):
        return found, None
    return found, state_loader.account_of(work, progress)


def _resume() -> BaseResponse:
    return redirect(url_for("oidc.resume", flow=request.values.get("flow", "")), code=303)


def _home(found: Interaction) -> str:
    return url_for("login.enrol", flow=found.handle)


def _step(account: Account, found: Interaction) -> Step:
    return enrolment.current_step(current.work(), account, is_proved=_is_proved(found))


def _is_proved(found: Interaction) -> bool:
    """Whether more than a password was proved in this sign-in."""
    progress = state_loader.progress_of(current.work(), found)
    return isinstance(progress, EnrolmentRequired) and progress.evidence.is_more_than_password


def _page(account: Account, found: Interaction, step: Step, *, error: str = "") -> Response:
    work = current.work()
    body = render_template(
        "enrol.html",
        flow=found.handle,
        step=str(step),
        position=SHOWN.index(step) + 1 if step in SHOWN else 0,
        count=len(SHOWN),
        error=error,
        username=account.username,
        **_VALUES[step](account, found) if step in _VALUES else {},
        is_sent=step in _PURPOSE and _is_sent(account, found, _PURPOSE[step]),
        hours=work.settings.session_absolute // 3600,
    )
    return Response(body, status=400 if error else 200)


#: Steps in which a code is sent, and what it is good for.
_PURPOSE = {Step.PROOF: CodePurpose.ENROL, Step.PHONE: CodePurpose.PHONE}


def _is_sent(account: Account, found: Interaction, purpose: CodePurpose) -> bool:
    """Whether a code was sent in this sign-in and is still valid."""
    work = current.work()
    last = one_time_codes.latest(
        work, purpose, one_time_codes.flow_digest(work, purpose, flow_of(found))
    )
    good = last is not None and not last.used_at and not last.superseded_at
    return bool(good and last and last.expires_at > work.now and last.account_id == account.id)


def _values_of_proof(account: Account, _found: Interaction) -> dict[str, object]:
    return {"where": account.person.email}


def _values_of_phone(account: Account, _found: Interaction) -> dict[str, object]:
    return {
        "countries": i18n.countries(current.runtime().settings.sms_countries),
        "country": request.form.get("country", ""),
        "number": request.form.get("number", ""),
        "present": masked(account.recovery_phone or ""),
    }


def _values_of_factor(account: Account, found: Interaction) -> dict[str, object]:
    work = current.work()
    rows = authenticators.list_usable(work, account)
    return {
        "rows": [factor_words.title(row, account) for row in rows],
        "is_enough": authenticators.policy(work).is_enough(
            frozenset(FactorKind(row.kind) for row in rows)
        ),
        "kinds": [
            (
                factor_words.kind(kind),
                factor_words.help_of(kind),
                url_for("login.enrol_factor", kind=kind, flow=found.handle),
            )
            for kind in authenticators.available_kinds(work)
            if kind in (FactorKind.PASSKEY, FactorKind.TOTP)
            or all(row.kind != kind for row in rows)
        ],
    }


def _values_of_question(account: Account, _found: Interaction) -> dict[str, object]:
    names = security_question.short_list(current.work(), account)
    return {
        "questions": [(name, questions.words(name)) for name in names],
        "chosen": request.form.get("question", ""),
    }


_VALUES: dict[Step, Callable[[Account, Interaction], dict[str, object]]] = {
    Step.PROOF: _values_of_proof,
    Step.PHONE: _values_of_phone,
    Step.FACTOR: _values_of_factor,
    Step.QUESTION: _values_of_question,
}


def _take_proof(account: Account, found: Interaction) -> BaseResponse | None:
    work = current.work()
    if request.form.get("do") == "send":
        try:
            factor_codes.send_enrolment_code(work, account, flow_of(found))
        except CodeNotSent as refusal:
            return _page(account, found, Step.PROOF, error=factor_words.not_sent(refusal.limit))
        return None
    typed = request.form.get("code", "")
    if not factor_codes.check_enrolment_code(work, account, typed, flow_of(found)):
        return _page(account, found, Step.PROOF, error=factor_words.wrong_code())
    transitions.accept_secret(found)
    return None


def _take_phone(account: Account, found: Interaction) -> BaseResponse | None:
    work, do = current.work(), request.form.get("do")
    if do == "send":
        typed, country = request.form.get("number", ""), request.form.get("country", "")
        number = for_sms(in_country(typed, country), work.settings.sms_countries)
        if isinstance(number, Fault):
            fault = factor_words.number_fault(number)
            return _page(account, found, Step.PHONE, error=fault)
        try:
            recovery_phone.send_code(work, account, flow_of(found), number)
        except CodeNotSent as refusal:
            return _page(account, found, Step.PHONE, error=factor_words.not_sent(refusal.limit))
        return None
    if do == "confirm":
        typed = request.form.get("code", "")
        if not recovery_phone.confirm(work, account, flow_of(found), typed):
            return _page(account, found, Step.PHONE, error=factor_words.wrong_code())
    enrolment.mark_done(account, Step.PHONE)
    return None


def _take_factor(account: Account, _found: Interaction) -> BaseResponse | None:
    enrolment.mark_done(account, Step.FACTOR)
    return None


def _take_question(account: Account, found: Interaction) -> BaseResponse | None:
    name = request.form.get("question", "")
    fault = security_question.set_answer(
        current.work(),
        current.hasher(),
        account,
        name,
        request.form.get("answer", "")[:MAX_PASSWORD],
        words=questions.words_or_nothing(name),
    )
    if fault is not None:
        return _page(account, found, Step.QUESTION, error=questions.fault(fault))
    return None


def _take_codes(account: Account, found: Interaction) -> BaseResponse | None:
    if request.form.get("do") != "show":
        # Continue only after the codes were shown.
        if recovery_codes.count_unused(current.work(), account):
            enrolment.mark_done(account, Step.CODES)
        return None
    made = recovery_codes.generate(current.work(), account)
    body = render_template("recovery_codes.html", codes=made, flow=found.handle)
    return Response(body)


def _take_finish(account: Account, found: Interaction) -> BaseResponse | None:
    done = enrolment.complete(current.work(), account, is_proved=_is_proved(found))
    return go_on(found) if done else None


_TAKE: dict[Step, Callable[[Account, Interaction], BaseResponse | None]] = {
    Step.PROOF: _take_proof,
    Step.PHONE: _take_phone,
    Step.FACTOR: _take_factor,
    Step.QUESTION: _take_question,
    Step.CODES: _take_codes,
    Step.FINISH: _take_finish,
}
