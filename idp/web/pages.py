"""Small pages that belong to no other module: language, sign-out, health, demo outbox."""

from __future__ import annotations

from flask import Blueprint, Response, abort, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from idp import current, schema_version
from idp.factors import authenticators
from idp.grants import signing_keys
from idp.messages import outbox_reader
from idp.mfa.assurance import FactorKind
from idp.models import AccountState
from idp.oidc.endpoints import signed_out
from idp.policy.local_path import safe_path
from idp.transaction import DatabaseError, current_schema_status
from idp.web import client_logos, interrupted_forms
from idp.web.i18n import remember_choice
from idp.web.login.signin_page import KEPT


def blueprint(*, demo: bool) -> Blueprint:
    """The pages; the outbox and the components exist in the demo only."""
    pages = Blueprint("pages", __name__)
    pages.add_url_rule("/language", "language", language, methods=["POST"])
    pages.add_url_rule("/signout", "signout", signout, methods=["GET", "POST"])
    pages.add_url_rule(KEPT, "kept", interrupted_forms.show)
    pages.add_url_rule("/healthz", "healthz", healthz)
    pages.add_url_rule("/readyz", "readyz", readyz)
    pages.add_url_rule("/logos/<digest>", "client_logo", client_logos.show)
    pages.add_url_rule("/.well-known/change-password", "change_password", change_password)
    pages.add_url_rule("/.well-known/passkey-endpoints", "passkey_endpoints", passkey_endpoints)
    if demo:
        pages.add_url_rule("/demo/outbox", "demo_outbox", demo_outbox)
        pages.add_url_rule("/demo/components", "demo_components", demo_components)
    return pages


def language() -> BaseResponse:
    """Switch the language of the pages."""
    remember_choice(request.form.get("locale", ""))
    return current.redirect_after_form(safe_path(request.form.get("next")))


def change_password() -> BaseResponse:
    """Where password managers look for the page (W3C, A Well-Known URL for Changing Passwords)."""
    return redirect(url_for("profile.change_password"), code=302)


def passkey_endpoints() -> BaseResponse:
    """Where password managers lead people to add and manage passkeys (W3C, A Well-Known URL for
    Relying Party Passkey Endpoints)."""
    work = current.work()
    if FactorKind.PASSKEY not in authenticators.available_kinds(work):
        abort(404)
    issuer = work.settings.issuer
    return jsonify(
        enroll=issuer + url_for("profile.set_up_factor", kind=FactorKind.PASSKEY),
        manage=issuer + url_for("profile.factors"),
    )


def signout() -> BaseResponse:
    """Sign out of the gateway, after a confirmation: a link alone must not sign anybody out."""
    is_all = request.form.get("which") == "all"
    if request.method == "POST" and (is_all or current.browser_session() is not None):
        frames = signed_out.end_sessions(is_all=is_all, keep_offline=True)
        return signed_out.page(frames)
    if current.browser_session() is None:
        return signed_out.page()
    return signed_out.question(url_for("pages.signout"))


def healthz() -> Response:
    """The process answers."""
    return jsonify(status="ok")


def readyz() -> BaseResponse:
    """The database answers, has the tables of this release, and there are keys to sign with. Also
    says for how long the outbox has waited: that is the worker's affair, and makes nobody wait
    here."""
    work = current.work()
    has_keys, waiting = False, 0
    try:
        database = current_schema_status(work)
        is_usable = database in schema_version.USABLE
        has_keys = is_usable and bool(signing_keys.published(work))
        waiting = outbox_reader.overdue_seconds(work) if is_usable else 0
    except DatabaseError:
        work.rollback()
        database, is_usable = schema_version.SchemaStatus.AWAY, False
    ready = is_usable and has_keys
    answer = jsonify(
        status="ok" if ready else "unavailable",
        database=database,
        keys=has_keys,
        outbox_seconds=waiting,
    )
    answer.status_code = 200 if ready else 503
    return answer


def demo_outbox() -> BaseResponse:
    """Mails and texts as they are sent. Registered in the demo only."""
    if not current.runtime().settings.demo:
        abort(404)
    return Response(
        render_template("demo_outbox.html", messages=outbox_reader.recent(current.work()))
    )


def demo_components() -> BaseResponse:
    """Every component of the pages in every state. Registered in the demo only."""
    if not current.runtime().settings.demo:
        abort(404)
    return Response(render_template("demo/components.html", states=list(AccountState)))
