"""Forgot password, unlock, and "this was not me" (RS-01 to RS-09; procedures E and K)."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, flash, redirect, render_template, request, session, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as BaseResponse

from idp import current
from idp.credentials.hashing import PasswordHasher
from idp.credentials.links import Problem, Purpose
from idp.mfa.assurance import PASSWORD
from idp.models import Account, Link
from idp.policy.signin_state import Evidence
from idp.recovery import account_recovery, recovery_requests
from idp.recovery.recovery_requests import Channel, Goal
from idp.session import interactions
from idp.signin import second_factor
from idp.transaction import UnitOfWork
from idp.web.login import code_page, mailed_link_page
from idp.web.login.signin_page import MAX_PASSWORD, proceed

#: Name of the form cookie's entry that holds the secret of this browser's request.
FLOW = "recovery"


def register(pages: Blueprint) -> None:
    both = ["GET", "POST"]
    pages.add_url_rule("/recover", "start", start, methods=both)
    pages.add_url_rule("/recover/code", "reset_code", reset_code, methods=both)
    pages.add_url_rule("/recover/open", "open_link", open_link, methods=both)
    pages.add_url_rule("/recover/unlock", "unlock", unlock, methods=both)
    pages.add_url_rule("/recover/unlock/code", "unlock_code", unlock_code, methods=both)
    pages.add_url_rule("/recover/unlock/open", "open_unlock", open_unlock, methods=both)
    pages.add_url_rule("/recover/not-me", "not_me", not_me, methods=both)


def start() -> BaseResponse:
    """Ask for a user name. The answer is the same whether the account exists or not (N48)."""
    return _ask(Goal.RESET)


def unlock() -> BaseResponse:
    """The same, to unlock the account."""
    return _ask(Goal.UNLOCK)


def _ask(goal: Goal) -> BaseResponse:
    if request.method != "POST":
        return _ask_page(goal)
    typed = request.form.get("username", "").strip()
    if not typed:
        return _ask_page(goal, gettext("Enter your user name or e-mail address."))
    by_sms = request.form.get("channel") == Channel.SMS and current.runtime().ports.sms is not None
    flow = recovery_requests.request_recovery(
        current.work(), goal, Channel.SMS if by_sms else Channel.MAIL, typed
    )
    if not by_sms:
        return Response(render_template("recover_sent.html"))
    session[FLOW] = {"goal": str(goal), "flow": flow}
    return redirect(url_for(f"recover.{goal}_code"), code=303)


def _ask_page(goal: Goal, error: str | None = None) -> BaseResponse:
    body = render_template(
        "recover.html",
        goal=str(goal),
        error=error,
        by_sms=current.runtime().ports.sms is not None,
        action=request.path,
    )
    return Response(body, status=400 if error else 200)


def reset_code() -> BaseResponse:
    """The code from the text message; then the page where the new password is chosen."""
    return _code(Goal.RESET)


def unlock_code() -> BaseResponse:
    """The code from the text message; it unlocks the account."""
    return _code(Goal.UNLOCK)


def _code(goal: Goal) -> BaseResponse:
    kept = session.get(FLOW)
    again = url_for("recover.unlock" if goal is Goal.UNLOCK else "recover.start")
    if not isinstance(kept, dict) or kept.get("goal") != goal:
        flash(
            gettext(
                "Your code has expired, or you requested it in another browser. Request a new "
                "one here."
            ),
            "warning",
        )
        return redirect(again, 303)
    message = gettext(
        "If an account with a recovery phone matches your entry, we have sent it a 6-digit "
        "code. If you have no recovery phone, check your e-mail."
    )
    if request.method != "POST":
        return code_page.page(message, again=again)
    typed = request.form.get("code", "")
    outcome = account_recovery.redeem_code(current.work(), goal, str(kept.get("flow")), typed)
    if outcome is None:
        return code_page.page(message, again=again, wrong=True)
    session.pop(FLOW, None)
    if isinstance(outcome, str):
        mailed_link_page.store_token(Purpose.RESET, outcome)
        return redirect(url_for("recover.open_link"), code=303)
    return _unlocked()


def open_link() -> BaseResponse:
    """The page of a reset link: a new password, then sign in with it."""

    def finish(
        work: UnitOfWork, hasher: PasswordHasher, link: Link, account: Account, password: str
    ) -> tuple[str, ...] | Problem:
        answer = request.form.get("answer", "")[:MAX_PASSWORD]
        return account_recovery.reset_password(work, hasher, link, account, password, answer=answer)

    return mailed_link_page.serve(Purpose.RESET, "recover.open_link", finish, _changed)


def _changed(account: Account) -> BaseResponse:
    """A reset alone starts no session (N66). A person with a verification method uses it now and is
    signed in (Z-06). Others sign in with the new password."""
    current.clear_session()
    if second_factor.is_provable(current.work(), account):
        flash(gettext("Password changed successfully"))
        found = interactions.begin(current.work(), current.browser_binding())
        return proceed(account, found, Evidence(PASSWORD), must_prove=True)
    return _done(
        gettext("Password changed successfully"),
        gettext("You are signed out everywhere. Sign in with your new password."),
    )


def open_unlock() -> BaseResponse:
    """The page of an unlock link: opening it does nothing, its button does (N69)."""

    def unlock_now(link: Link, account: Account) -> BaseResponse | None:
        done = account_recovery.finish_unlock(current.work(), link, account)
        return _unlocked() if done else None

    return _confirm(
        Purpose.UNLOCK,
        title=gettext("Unlock my account"),
        message=lambda name: gettext(
            "This unlocks the account %(name)s. Your password will not change.", name=name
        ),
        button=gettext("Unlock my account"),
        act=unlock_now,
    )


def not_me() -> BaseResponse:
    """The link of a notice: it ends all sessions, and a new password is chosen at once."""

    def disown_now(link: Link, account: Account) -> BaseResponse | None:
        token = account_recovery.disown(current.work(), link, account)
        if token is None:
            return None
        mailed_link_page.store_token(Purpose.RESET, token)
        current.clear_session()
        return redirect(url_for("recover.open_link"), code=303)

    return _confirm(
        Purpose.DISOWN,
        title=gettext("This was not me"),
        message=lambda name: gettext(
            "This ends all sessions of the account %(name)s. The current password stops "
            "working and you choose a new one.",
            name=name,
        ),
        button=gettext("End all sessions and choose a new password"),
        act=disown_now,
    )


def _confirm(
    purpose: Purpose,
    *,
    title: str,
    message: Callable[[str], str],
    button: str,
    act: Callable[[Link, Account], BaseResponse | None],
) -> BaseResponse:
    """The page of a link that does one thing when its button is pressed. ``act`` does it and
    returns None when another request was first."""
    if "token" in request.args:
        return mailed_link_page.store_and_redirect(purpose, request.endpoint or "")
    found = mailed_link_page.find(purpose)
    if isinstance(found, Problem):
        return mailed_link_page.problem_page(found, purpose)
    link, account = found
    if request.method != "POST":
        body = render_template(
            "confirm.html",
            title=title,
            message=message(account.username),
            button=button,
            action=request.path,
        )
        return Response(body)
    answer = act(link, account)
    if answer is None:
        return mailed_link_page.problem_page(Problem.USED, purpose, link)
    mailed_link_page.forget_token(purpose)
    return answer


def _unlocked() -> BaseResponse:
    return _done(
        gettext("Your account is unlocked"),
        gettext("Your password has not changed. If you do not know it, choose a new one."),
    )


def _done(title: str, message: str) -> BaseResponse:
    link = {"url": url_for("login.signin"), "text": gettext("Sign in")}
    return Response(render_template("message.html", title=title, message=message, link=link))
