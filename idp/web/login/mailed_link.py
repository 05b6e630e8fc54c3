"""The page behind a mailed link, shared by activation and recovery.

Opening it consumes nothing, whoever opens it how often (mail scanners do); only a chosen password
does (N69). The token leaves the address at once.
"""

from __future__ import annotations

from collections.abc import Callable

from flask import Response, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response as BaseResponse

from idp import browser
from idp.accounts import activation, events
from idp.accounts.hashing import PasswordHasher
from idp.accounts.links import Problem, Purpose
from idp.models import Account, Link
from idp.transaction import Work
from idp.web.login import set_password

Finish = Callable[[Work, PasswordHasher, Link, Account, str], tuple[str, ...] | Problem]


def serve(
    purpose: Purpose, endpoint: str, finish: Finish, done: Callable[[Account], BaseResponse]
) -> BaseResponse:
    """Show the page of a link, or take the chosen password: ``finish`` sets it and spends the
    link, ``done`` answers."""
    if "token" in request.args:
        session[f"link-{purpose}"] = request.args["token"][:200]
        return redirect(url_for(endpoint), code=303)
    found = activation.owner_of(browser.work(), purpose, _kept_token(purpose))
    if isinstance(found, Problem):
        return _problem_page(found, purpose)
    link, account = found
    if request.method != "POST":
        return set_password.page(account, purpose=purpose, action=url_for(endpoint))
    password, faults = set_password.chosen(account)
    outcome = faults or finish(browser.work(), browser.hasher(), link, account, password)
    if isinstance(outcome, Problem):
        return _problem_page(outcome, purpose, link)
    if outcome:
        return set_password.page(account, purpose=purpose, action=url_for(endpoint), errors=outcome)
    session.pop(f"link-{purpose}", None)
    return done(account)


def _kept_token(purpose: Purpose) -> str:
    """The token that this browser came with."""
    value = session.get(f"link-{purpose}", "")
    return value if isinstance(value, str) else ""


def _problem_page(problem: Problem, purpose: Purpose, link: Link | None = None) -> Response:
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
