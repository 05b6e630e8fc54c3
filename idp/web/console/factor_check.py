"""Requires a fresh second factor for sensitive changes in the console (N66).

The page that asks for the factor keeps the posted form. After the factor is verified, the form is
processed as it was sent.
"""

from __future__ import annotations

from flask import request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from idp import current
from idp.factors import authenticators
from idp.mfa.prompt_reasons import PromptReason
from idp.models import BrowserSession
from idp.session import sessions
from idp.web import error_responses
from idp.web.login import proof_page
from idp.web.login.proof_page import Demand
from idp.web.profile.recovery_phone_page import flow_of

#: The endpoints that change keys, secrets, accounts, role groups or provisioning clients.
ENDPOINTS = frozenset(
    f"console.{name}"
    for name in (
        "new_client", "update_client", "set_logo", "rotate_secret", "enable_client",
        "issue_initial_token",
        "confirm_proposal", "new_group", "set_rule", "describe_group", "add_member", "grant",
        "revoke", "set_contact", "rotate_key", "revoke_key", "confirm_mass_change",
        "new_account", "correct_person", "change_custodian", "remove_machine_key",
    )
)  # fmt: skip


def ask(session: BrowserSession) -> Response | None:
    """The page that asks for a factor, or the response to the entered code; 403 if the operator has
    no factor. None if the form needs no factor or has a fresh one."""
    work = current.work()
    needed = request.method == "POST" and request.endpoint in ENDPOINTS
    if not needed or authenticators.is_fresh(work, session):
        return None
    if not authenticators.list_usable(work, session.account):
        return error_responses.page(
            403,
            title=gettext("Set up extra verification first"),
            message=gettext(
                "This change requires extra verification, and your account has no verification "
                "method."
            ),
            advice=gettext("Set up a method in Settings, then submit the form again."),
        )
    demand = Demand(
        account=session.account,
        flow=flow_of(session),
        action=request.path,
        hidden={},
        reasons=(PromptReason.OPERATOR_CHANGE,),
        needs_strong=not work.settings.weak_factors_satisfy_mfa,
        waiting=True,
        back=url_for("console.home"),
    )
    outcome = proof_page.serve(demand)
    if not isinstance(outcome, tuple):
        return outcome
    current.set_session(session, sessions.step_up(work, session, outcome))
    # The proof counts whether or not the form is accepted.
    work.commit()
    return None
