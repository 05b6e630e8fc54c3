"""The page behind a mailed link, shared by activation and recovery.

Opening it consumes nothing, since mail scanners open links too; only a chosen password does (N69).
A redirect removes the token from the address at once.
"""

from __future__ import annotations

from collections.abc import Callable

from flask import Response, redirect, render_template, request, session, url_for
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response as BaseResponse

from hosted_pages.texts import complete
from idp import current
from idp.audit import events
from idp.audit.actions import AuditAction
from idp.credentials import links
from idp.credentials.hashing import PasswordHasher
from idp.credentials.links import Problem, Purpose
from idp.models import Account, Link
from idp.recovery import account_recovery
from idp.transaction import UnitOfWork
from idp.web import questions
from idp.web.login import new_password_page

TITLES = complete(
    Problem,
    {
        Problem.EXPIRED: _("This link has expired"),
        Problem.USED: _("This link has already been used"),
        Problem.SUPERSEDED: _("This link has been replaced"),
        Problem.UNKNOWN: _("This link is incomplete"),
        Problem.ELSEWHERE: _("Open the link from your e-mail in this browser"),
    },
)
Finish = Callable[[UnitOfWork, PasswordHasher, Link, Account, str], tuple[str, ...] | Problem]


def serve(
    purpose: Purpose, endpoint: str, finish: Finish, done: Callable[[Account], BaseResponse]
) -> BaseResponse:
    """Show the page of a link, or process the chosen password: ``finish`` sets it and spends the
    link, ``done`` makes the response."""
    if "token" in request.args:
        return store_and_redirect(purpose, endpoint)
    found = find(purpose)
    if isinstance(found, Problem):
        return problem_page(found, purpose)
    link, account = found
    asked = account_recovery.asks_question(current.work(), link, account)

    def page(errors: tuple[str, ...] = ()) -> Response:
        return new_password_page.page(
            account,
            purpose=purpose,
            action=url_for(endpoint),
            errors=errors,
            question=questions.words(asked.question) if asked else "",
        )

    if request.method != "POST":
        return page()
    password, faults = new_password_page.chosen(account)
    outcome = faults or finish(current.work(), current.hasher(), link, account, password)
    if isinstance(outcome, Problem):
        return problem_page(outcome, purpose, link)
    if outcome:
        return page(outcome)
    forget_token(purpose)
    return done(account)


def store_and_redirect(purpose: Purpose, endpoint: str) -> BaseResponse:
    """Store the token of the address in this browser, and redirect to the page without it."""
    store_token(purpose, request.args["token"])
    return redirect(url_for(endpoint), code=303)


def store_token(purpose: Purpose, token: str) -> None:
    """Store a token in this browser."""
    session[f"link-{purpose}"] = token[:200]


def forget_token(purpose: Purpose) -> None:
    """The token is spent."""
    session.pop(f"link-{purpose}", None)


def find(purpose: Purpose) -> tuple[Link, Account] | Problem:
    """The valid link that this browser opened, with its account, or the problem with the link."""
    value = session.get(f"link-{purpose}")
    if value is None:
        return Problem.ELSEWHERE
    return links.look_up_with_account(
        current.work(), purpose, value if isinstance(value, str) else ""
    )


def problem_page(problem: Problem, purpose: Purpose, link: Link | None = None) -> Response:
    """Explain the problem with a link and what to do (AC-03)."""
    events.record(
        current.work(),
        AuditAction.LINK_REFUSED,
        reason=problem.refusal,
        purpose=str(purpose),
        link=link.id if link else None,
    )
    body = render_template(
        "link_problem.html",
        title=TITLES.of(problem),
        problem=str(problem),
        purpose=str(purpose),
    )
    return Response(body, status=400)
