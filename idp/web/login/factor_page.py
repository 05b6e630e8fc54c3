"""The second factor at a sign-in, or when an application requires a higher level than the session
has."""

from __future__ import annotations

from functools import partial

from flask import Blueprint, flash, redirect, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as BaseResponse

from idp import current
from idp.factors import authenticators
from idp.mfa.assurance import is_strong
from idp.mfa.prompt_reasons import PromptReason
from idp.models import Account, BrowserSession, Interaction
from idp.oidc.interaction import AuthorizationRequest, needs_passkey
from idp.policy.scopes import ACR_PHR
from idp.policy.signin_state import ClientView, SecondFactorRequired
from idp.session import sessions
from idp.signin import assurance_levels, second_factor, state_loader, transitions
from idp.web.login import proof_page
from idp.web.login.proof_page import Demand
from idp.web.login.signin_page import flow_of, go_on


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/signin/factor", "factor", factor, methods=["GET", "POST"])


def factor() -> BaseResponse:
    """The page, if the sign-in requires a factor or the session can step up."""
    work, session = current.work(), current.browser_session()
    found = current.interaction()
    progress = state_loader.progress_of(work, found)
    if found is not None and isinstance(progress, SecondFactorRequired):
        return _second_factor(found, progress)
    if found is not None and session is not None and _may_step_up(found, session):
        return _step_up(found, session)
    return redirect(url_for("oidc.resume", flow=request.values.get("flow", "")), code=303)


def _second_factor(found: Interaction, required: SecondFactorRequired) -> BaseResponse:
    """The second factor of a sign-in."""
    work = current.work()
    account = state_loader.account_of(work, required)
    demand = Demand(
        account=account,
        flow=flow_of(found),
        action=url_for("login.factor"),
        hidden={"flow": found.handle},
        reasons=required.decision.reasons,
        needs_strong=required.decision.needs_strong,
        offers_remember=not found.remember,
        failed=partial(second_factor.notify_of_failure, work, account),
    )
    outcome = proof_page.serve(demand)
    if not isinstance(outcome, tuple):
        return outcome
    transitions.accept_factor(found, outcome, remember=bool(request.form.get("remember")))
    if required.decision.needs_strong:
        _advise(account)
    return go_on(found)


def _step_up(found: Interaction, session: BrowserSession) -> BaseResponse:
    """A factor for an application that requires a higher level than the session has."""
    demand = Demand(
        account=session.account,
        flow=flow_of(found),
        action=url_for("login.factor"),
        hidden={"flow": found.handle},
        reasons=(PromptReason.STEP_UP,),
        needs_passkey=_needs_passkey(found, session),
    )
    outcome = proof_page.serve(demand)
    if not isinstance(outcome, tuple):
        return outcome
    current.set_session(session, sessions.step_up(current.work(), session, outcome))
    return redirect(url_for("oidc.resume", flow=found.handle), code=303)


def _may_step_up(found: Interaction, session: BrowserSession) -> bool:
    """Whether the application of this sign-in may require a higher level of the session's
    person."""
    if found.client is None or session.acr == ACR_PHR:
        return False
    return bool(authenticators.list_usable(current.work(), session.account))


def _needs_passkey(found: Interaction, session: BrowserSession) -> bool:
    if found.client is None:
        return False
    view = ClientView(found.client.trusted, found.client.minimum_acr)
    best = assurance_levels.reachable(current.work(), session)
    return needs_passkey(AuthorizationRequest.from_json(found.request), view, best)


def _advise(account: Account) -> None:
    """A person who had only a weak factor for an unusual sign-in should add a strong one."""
    rows = authenticators.list_usable(current.work(), account)
    if not any(is_strong(row.kind) for row in rows):
        flash(
            gettext(
                "Add an authenticator app or a passkey in Settings. They are more secure than "
                "codes by e-mail."
            ),
            "warning",
        )
