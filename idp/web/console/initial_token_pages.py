"""Initial access tokens, with which applications register themselves: list, issue, revoke."""

from __future__ import annotations

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as BaseResponse

from idp import current
from idp.clients import initial_tokens as service
from idp.errors import Invalid, NotFound
from idp.policy.registered_values import MAX_INITIAL_TOKEN_DAYS, MAX_INITIAL_TOKEN_USES
from idp.web import refusal_texts

#: What the form shows at first.
NEW = {"name": "", "uses": "1", "days": "7", "require_pkce": "1", "token_endpoint_audience": ""}


def register(pages: Blueprint) -> None:
    path, post = "/initial-tokens", ["POST"]
    pages.add_url_rule(path, "initial_tokens", initial_tokens)
    pages.add_url_rule(path, "issue_initial_token", issue_initial_token, methods=post)
    pages.add_url_rule(
        f"{path}/<public_id>/revoke", "revoke_initial_token", revoke_initial_token, methods=post
    )


def initial_tokens() -> BaseResponse:
    """The tokens that can be used, and the form for another."""
    return _list(NEW)


def issue_initial_token() -> BaseResponse:
    """Issue one; it is shown only once."""
    typed = {name: request.form.get(name, "").strip() for name in NEW}
    try:
        row, token = service.issue(
            current.work(),
            name=typed["name"],
            uses=_number(typed["uses"]),
            days=_number(typed["days"]),
            require_pkce=typed["require_pkce"] == "1",
            token_endpoint_audience=typed["token_endpoint_audience"] == "1",  # noqa: S105 - a flag
        )
    except Invalid as error:
        return _list(typed, refusal_texts.of(error))
    return Response(render_template("console/initial_token.html", row=row, token=token))


def revoke_initial_token(public_id: str) -> BaseResponse:
    """Revoke one. What it registered stays registered."""
    try:
        service.revoke(current.work(), public_id)
    except NotFound:
        abort(404)
    flash(gettext("The initial access token was revoked."))
    return redirect(url_for("console.initial_tokens"), code=303)


def _number(typed: str) -> int:
    """The whole number that was typed; 0, which no limit allows, for anything else."""
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 6 else 0


def _list(typed: dict[str, str], error: str | None = None) -> BaseResponse:
    body = render_template(
        "console/initial_tokens.html",
        rows=service.list_usable(current.work()),
        typed=typed,
        error=error,
        max_uses=MAX_INITIAL_TOKEN_USES,
        max_days=MAX_INITIAL_TOKEN_DAYS,
    )
    return Response(body, status=400 if error else 200)
