"""Activation by mailed link (AC-03 to AC-05, K.02)."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response as BaseResponse

from idp import browser
from idp.accounts import activation, events, interactions, sessions
from idp.accounts.links import Problem, Purpose
from idp.models import Account, Link
from idp.policy.scopes import ACR_PASSWORD
from idp.web.login import set_password


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/activate", "activate", activate, methods=["GET", "POST"])


def activate() -> BaseResponse:
    """The link's page. Opening it consumes nothing; only a chosen password does (N69)."""
    if "token" in request.args:
        return keep_token(Purpose.ACTIVATE, url_for("activate.activate"))
    found = activation.owner_of(browser.work(), Purpose.ACTIVATE, kept_token(Purpose.ACTIVATE))
    if isinstance(found, Problem):
        return problem_page(found, Purpose.ACTIVATE)
    link, account = found
    action = url_for("activate.activate")
    if request.method != "POST":
        return set_password.page(account, purpose="activate", action=action)
    password, faults = set_password.chosen(account)
    if faults:
        return set_password.page(account, purpose="activate", action=action, errors=faults)
    broken = activation.finish(browser.work(), browser.hasher(), link, account, password)
    if isinstance(broken, Problem):
        return problem_page(broken, Purpose.ACTIVATE, link)
    if broken:
        return set_password.page(account, purpose="activate", action=action, errors=broken)
    return _first_session(account)


def _first_session(account: Account) -> BaseResponse:
    """The person has just shown the mailed secret and made the password: signed in (AC-09)."""
    work = browser.work()
    drop_token(Purpose.ACTIVATE)
    started, cookie = sessions.start(
        work, account, amr=["pwd"], acr=ACR_PASSWORD, previous=browser.current_session()
    )
    events.record(work, "signin.succeeded", account=account, session=started, amr=started.amr)
    flow = interactions.begin(work, browser.binding(), return_to="/")
    browser.adopt(started, cookie)
    return redirect(url_for("oidc.resume", flow=flow.handle), code=303)


def keep_token(purpose: Purpose, clean: str) -> BaseResponse:
    """Take the token out of the address at once; the signed cookie holds it for the page."""
    session[f"link-{purpose}"] = request.args["token"][:200]
    return redirect(clean, code=303)


def kept_token(purpose: Purpose) -> str:
    """The token that this browser came with."""
    value = session.get(f"link-{purpose}", "")
    return value if isinstance(value, str) else ""


def drop_token(purpose: Purpose) -> None:
    """Forget it."""
    session.pop(f"link-{purpose}", None)


def problem_page(problem: Problem, purpose: Purpose, link: Link | None = None) -> Response:
    """Say plainly what is wrong with a link and what to do (AC-03)."""
    events.record(
        browser.work(),
        "link.refused",
        reason=f"link_{problem}",
        purpose=str(purpose),
        link=link.id if link else None,
    )
    body = render_template("link_problem.html", problem=str(problem), purpose=str(purpose))
    return Response(body, status=400)
