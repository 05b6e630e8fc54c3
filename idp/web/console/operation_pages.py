"""Signing keys, undelivered messages, current settings."""

from __future__ import annotations

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as BaseResponse

from idp import current
from idp.audit import events
from idp.audit.actions import AuditAction
from idp.errors import NotFound, Refused
from idp.grants import signing_keys as service
from idp.messages import dead_letters
from idp.policy.registered_values import SIGNING_ALGS
from idp.web import refusal_texts
from idp.web.console import gate, listing, message_words
from idp.web.console.listing import ListView

#: The largest number that a row can have.
MAX_ID = 2**63 - 1


def register(pages: Blueprint) -> None:
    post = ["POST"]
    pages.add_url_rule("/keys", "keys", keys)
    pages.add_url_rule("/keys/rotate", "rotate_key", rotate_key, methods=post)
    pages.add_url_rule("/keys/<kid>/revoke", "revoke_key", revoke_key, methods=post)
    pages.add_url_rule("/messages", "messages", messages)
    pages.add_url_rule(
        f"/messages/<int(max={MAX_ID}):number>/retry", "retry_message", retry_message, methods=post
    )
    pages.add_url_rule("/settings", "settings", settings)


def keys() -> BaseResponse:
    """All signing keys, newest first."""
    return _keys()


def _keys(error: str | None = None) -> BaseResponse:
    rows = service.every_key(current.work())
    body = render_template("console/keys.html", keys=rows, algorithms=SIGNING_ALGS, error=error)
    return Response(body, status=400 if error else 200)


def rotate_key() -> BaseResponse:
    """Start signing with the next key."""
    alg = request.form.get("alg", "")
    if alg not in SIGNING_ALGS:
        abort(400)
    try:
        service.rotate(current.work(), alg)
    except Refused as error:
        return _keys(refusal_texts.of(error))
    flash(gettext("The next key is now in use."))
    return redirect(url_for("console.keys"), code=303)


def revoke_key(kid: str) -> BaseResponse:
    """Revoke a compromised key (N89): nothing that it signed is accepted any more."""
    try:
        service.revoke(current.work(), kid)
    except NotFound:
        abort(404)
    flash(gettext("The key was revoked. Tokens signed with it are no longer valid."))
    return redirect(url_for("console.keys"), code=303)


def messages() -> BaseResponse:
    """The undelivered messages, without their links and codes."""
    work, asked = current.work(), listing.asked_filters("kind")
    found = dead_letters.page(work, listing.asked_page(), asked["kind"])
    rows = [(row, dead_letters.redacted_text(work, row)) for row in found.rows]
    kinds = [
        (kind, f"{message_words.kind(kind)} ({count})")
        for kind, count in dead_letters.kinds(work).items()
    ]
    view = ListView("console.messages", found.of(rows), asked)
    may_retry = gate.operator().may_open("console.retry_message")
    body = render_template("console/messages.html", view=view, kinds=kinds, may_retry=may_retry)
    return Response(body)


def retry_message(number: int) -> BaseResponse:
    """Queue one again."""
    work = current.work()
    if not dead_letters.retry(work, number):
        abort(404)
    events.record(work, AuditAction.MESSAGE_RETRIED, message=number)
    flash(gettext("The message is queued again."))
    return redirect(url_for("console.messages"), code=303)


def settings() -> BaseResponse:
    """Every setting with its meaning and value; secrets are not shown."""
    rows = current.runtime().settings.in_force()
    return Response(render_template("console/settings.html", rows=rows))
