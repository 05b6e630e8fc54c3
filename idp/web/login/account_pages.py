"""Choice of account: for a request (OIDC Core 3.1.2.1), and to switch in the gateway."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as BaseResponse

from idp import current
from idp.directory import held_role_groups
from idp.models import AccountKind, BrowserSession, Client, Interaction
from idp.policy.local_path import safe_path
from idp.session import interactions
from idp.signin import transitions
from idp.web import client_logos
from idp.web.i18n import name_of

#: What a form sends beside the id of a session.
SAME, OTHER, BACK = "continue", "other", "back"
#: Participants that are named beside an account.
SHOWN = 3


@dataclass(frozen=True)
class Choice:
    """An account that is signed in in this browser."""

    #: Of its session.
    public_id: str
    full_name: str
    username: str
    participants: str
    is_active: bool


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/accounts", "accounts", accounts, methods=["GET", "POST"])
    pages.add_url_rule("/signin/account", "select_account", select_account, methods=["GET", "POST"])
    pages.add_url_rule(
        "/signin/other-account", "other_account", other_account, methods=["GET", "POST"]
    )


def accounts() -> BaseResponse:
    """Switch to another account that is signed in in this browser, or sign in with one more."""
    choices = choices_here()
    if not choices:
        return redirect(url_for("login.signin"), code=303)
    target = safe_path(request.values.get("next"))
    if request.method != "POST":
        return Response(render_template("accounts.html", choices=choices, next_path=target))
    if request.form.get("choice") == OTHER:
        work, binding = current.work(), current.browser_binding()
        return _sign_in(interactions.begin(work, binding, return_to=target))
    if current.switch(request.form.get("account", "")) is None:
        return redirect(url_for("login.accounts", next=target), code=303)
    return current.redirect_after_form(target)


def select_account() -> BaseResponse:
    """Continue with an account of this browser, or another one."""
    found = current.interaction()
    choices = choices_here() if found is not None and found.client is not None else []
    if found is None or found.client is None or not choices:
        return _back(request.values.get("flow", ""))
    if request.method == "POST":
        return _selected(found)
    body = render_template(
        "select_account.html",
        choices=choices,
        client_name=name_of(found.client),
        client_logo=client_logos.url_of(found.client),
        flow=found.handle,
    )
    return Response(body)


def _selected(found: Interaction) -> BaseResponse:
    choice, session = request.form.get("choice"), current.browser_session()
    if choice == OTHER:
        return _sign_in(found)
    if choice != SAME:
        # Stays as it was if this browser does not have it: the person is asked again.
        session = current.switch(request.form.get("account", ""))
    if session is not None:
        transitions.record_account_choice(found, session.account, current.work().now)
    return _back(found.handle)


def other_account() -> BaseResponse:
    """Say why this account cannot be used in the application, and which one can."""
    found, session = current.interaction(), current.browser_session()
    if found is None or found.client is None or session is None:
        return _back(request.values.get("flow", ""))
    if request.method == "POST":
        choice = request.form.get("choice")
        if choice == OTHER:
            return _sign_in(found)
        if choice == BACK:
            transitions.record_denial(found, session.account, current.work().now)
        else:
            current.switch(request.form.get("account", ""))
        return _back(found.handle)
    accepted = found.client.account_kinds
    fitting = [row for row in current.other_sessions() if row.account.kind in accepted]
    body = render_template(
        "other_account.html",
        username=session.account.username,
        choices=_choices(fitting),
        client_name=name_of(found.client),
        client_logo=client_logos.url_of(found.client),
        needs=needed_account(found.client),
        flow=found.handle,
    )
    return Response(body)


def needed_account(client: Client) -> str:
    """The kind of account that the application needs, in words."""
    if AccountKind.EMAIL not in client.account_kinds:
        return str(gettext("a UserID account"))
    if AccountKind.PERSONAL not in client.account_kinds:
        return str(gettext("an e-mail account (the user name is an e-mail address)"))
    return str(gettext("a UserID account or an e-mail account"))


def choices_here() -> list[Choice]:
    """The accounts that are signed in in this browser, the active one first."""
    return _choices(current.all_sessions())


def _choices(rows: Iterable[BrowserSession]) -> list[Choice]:
    return [
        Choice(
            row.public_id,
            row.account.person.full_name,
            row.account.username,
            _participants(row),
            row is current.browser_session(),
        )
        for row in rows
    ]


def _participants(row: BrowserSession) -> str:
    names = held_role_groups.participant_names(current.work(), row.account)
    shown = ", ".join(names[:SHOWN])
    return shown if len(names) <= SHOWN else str(gettext("%(names)s and others", names=shown))


def _sign_in(found: Interaction) -> BaseResponse:
    return redirect(url_for("login.signin", flow=found.handle, again=1), code=303)


def _back(handle: str) -> BaseResponse:
    return redirect(url_for("oidc.resume", flow=handle), code=303)
