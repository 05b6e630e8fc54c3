"""The second factor at a sign-in, or when an application demands more than the session has."""

from __future__ import annotations

from functools import partial

from flask import Blueprint, flash, redirect, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as BaseResponse

from idp import current
from idp.factors import authenticators
from idp.mfa.assurance import is_strong
from idp.models import BrowserSession, Interaction
from idp.oidc.interaction import AuthorizationRequest, ClientView, needs_passkey
from idp.policy.scopes import ACR_PHR
from idp.session import sessions
from idp.signin import attempt
from idp.web.login import proof_page
from idp.web.login.proof_page import Demand
from idp.web.login.signin_page import flow_of, go_on, needs_strong


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/signin/factor", "factor", factor, methods=["GET", "POST"])


def factor() -> BaseResponse:
    """The page, for whoever owes a factor or can step up; everybody else goes on."""
    work = current.work()
    handle = request.values.get("flow", "")
    found = current.interaction()
    owing, session = attempt.owing(work, found), current.browser_session()
    if found is None or (owing is None and not _may_step_up(found, session)):
        return redirect(url_for("oidc.resume", flow=handle), code=303)
    account = owing or (session.account if session else None)
    if account is None:
        return redirect(url_for("oidc.resume", flow=handle), code=303)
    demand = Demand(
        account=account,
        flow=flow_of(found),
        action=url_for("login.factor"),
        hidden={"flow": handle},
        reasons=tuple((found.prompt or {}).get("reasons", ())) if owing else ("step_up",),
        needs_strong=owing is not None and needs_strong(found),
        needs_passkey=owing is None and _needs_passkey(found),
        failed=partial(attempt.tell_of_failure, work, owing) if owing else lambda: None,
    )
    outcome = proof_page.serve(demand)
    if not isinstance(outcome, tuple):
        return outcome
    if owing is not None or session is None:
        attempt.note_proof(found, outcome)
        _advise(found, demand)
        return go_on(account, found)
    current.set_session(session, sessions.step_up(work, session, outcome))
    return redirect(url_for("oidc.resume", flow=found.handle), code=303)


def _may_step_up(found: Interaction, session: BrowserSession | None) -> bool:
    """Whether somebody is signed in whom the application of this sign-in may ask for more."""
    if found.client is None or session is None or session.acr == ACR_PHR:
        return False
    return bool(authenticators.of(current.work(), session.account))


def _needs_passkey(found: Interaction) -> bool:
    if found.client is None:
        return False
    view = ClientView(found.client.trusted, found.client.minimum_acr)
    return needs_passkey(AuthorizationRequest.from_json(found.request), view)


def _advise(found: Interaction, demand: Demand) -> None:
    """Whoever had only a weak factor for a sign-in far from usual should add a strong one."""
    rows = authenticators.of(current.work(), demand.account)
    if needs_strong(found) and not any(is_strong(row.kind) for row in rows):
        flash(
            gettext(
                "Add an authenticator app or a passkey in Settings: a code by e-mail alone "
                "protects less."
            )
        )
