"""Changes of applications that need a second operator: list, confirm, withdraw."""

from __future__ import annotations

from flask import Blueprint, Response, flash, redirect, render_template, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as BaseResponse

from idp import current
from idp.clients import client_proposals as service
from idp.clients import proposal_contents
from idp.clients.client_proposals import Outcome
from idp.errors import Conflict, Invalid, NotFound, Refused
from idp.web import refusal_texts
from idp.web.console import gate


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/proposals", "proposals", proposals)
    for name, view in (("confirm", confirm_proposal), ("withdraw", withdraw_proposal)):
        path = f"/proposals/<public_id>/{name}"
        pages.add_url_rule(path, view.__name__, view, methods=["POST"])


def proposals() -> BaseResponse:
    """All open proposals."""
    return _list()


def _list(error: str | None = None) -> BaseResponse:
    work, operator = current.work(), gate.operator().account
    rows = [
        (row, proposal_contents.changes(work, row), service.may_confirm(row, operator))
        for row in service.list_pending(work)
    ]
    body = render_template("console/proposals.html", proposals=rows, error=error)
    return Response(body, status=400 if error else 200)


def confirm_proposal(public_id: str) -> BaseResponse:
    """Confirm one. A new secret is shown only once, to the operator who confirms."""
    try:
        outcome = service.confirm(current.work(), public_id)
    except (Refused, Invalid, NotFound, Conflict) as error:
        current.work().rollback()
        return _list(refusal_texts.of(error))
    flash(gettext("The proposal was confirmed and the change was made."))
    return shown(outcome)


def withdraw_proposal(public_id: str) -> BaseResponse:
    """Withdraw one."""
    try:
        service.withdraw(current.work(), public_id)
    except (Refused, NotFound, Conflict) as error:
        current.work().rollback()
        return _list(refusal_texts.of(error))
    flash(gettext("The proposal was withdrawn. Nothing was changed."))
    return redirect(url_for("console.proposals"), code=303)


def shown(outcome: Outcome) -> BaseResponse:
    """The page after an order: the proposals, a new secret, or the application."""
    if outcome.client is None:
        flash(
            gettext(
                "This change requires approval. Another operator must confirm it on this page."
            ),
            "warning",
        )
        return redirect(url_for("console.proposals"), code=303)
    if outcome.secret:
        body = render_template(
            "console/secret.html",
            client=outcome.client,
            secret=outcome.secret,
            old_secret_until=outcome.client.former_secret_until,
        )
        return Response(body)
    return redirect(url_for("console.client", client_id=outcome.client.client_id), code=303)
