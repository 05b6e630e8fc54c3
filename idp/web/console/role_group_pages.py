"""Role groups: which exist, who sees them; granted and revoked by hand where needed (PR-02)."""

from __future__ import annotations

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as BaseResponse

from idp import current
from idp.directory import (
    participants,
    role_group_assignments,
    role_groups,
    separation_of_duties,
)
from idp.directory.directory_refusals import OperatorRoleGroup
from idp.errors import Conflict, Invalid, NotFound, Refused
from idp.mfa.second_factor_rule import Rule
from idp.models import Account, AccountKind
from idp.policy import console as rules
from idp.web import refusal_texts
from idp.web.console import gate
from idp.web.console.account_page import back, one, page


def register(pages: Blueprint) -> None:
    post = ["POST"]
    pages.add_url_rule("/role-groups", "groups", groups)
    pages.add_url_rule("/role-groups/new", "new_group", new_group, methods=post)
    pages.add_url_rule("/accounts/<subject>/grant", "grant", grant, methods=post)
    pages.add_url_rule("/role-groups/rule", "set_rule", set_rule, methods=post)
    pages.add_url_rule("/accounts/<subject>/revoke", "revoke", revoke, methods=post)


def groups() -> BaseResponse:
    """All role groups."""
    return _list()


def _list(error: str | None = None) -> BaseResponse:
    rows = role_groups.list_role_groups(current.work())
    body = render_template(
        "console/groups.html",
        groups=rows,
        error=error,
        rules=list(Rule),
        kinds=list(AccountKind),
        manages=_manages(),
    )
    return Response(body, status=400 if error else 200)


def _manages() -> bool:
    return gate.operator().may_open("console.set_rule")


def new_group() -> BaseResponse:
    """Make one; applications see it when their page says so."""
    form = request.form
    try:
        role_groups.create(
            current.work(),
            form.get("name", "").strip(),
            description=form.get("description", "").strip()[:500],
            kind=form.get("kind", ""),
            participation=form.get("participation", "").strip(),
        )
    except (Invalid, Conflict) as error:
        return _list(refusal_texts.of(error))
    flash(gettext("The role group was created."))
    return redirect(url_for("console.groups"), code=303)


def set_rule() -> BaseResponse:
    """When a second factor is asked of its holders."""
    work, form = current.work(), request.form
    try:
        role_groups.set_rule(
            work, role_groups.by_name(work, form.get("name", "")), form.get("rule", "")
        )
    except (Conflict, Invalid, NotFound, Refused) as error:
        return _list(refusal_texts.of(error))
    flash(gettext("The rule is saved. It applies from the next sign-in."))
    return redirect(url_for("console.groups"), code=303)


def grant(subject: str) -> BaseResponse:
    """Grant a role group of an application."""
    return _change(subject, granting=True)


def revoke(subject: str) -> BaseResponse:
    """Revoke one."""
    return _change(subject, granting=False)


def _change(subject: str, *, granting: bool) -> BaseResponse:
    found, name = one(subject), request.form.get("group", "").strip()
    check(found, name)
    try:
        _apply(found, name, request.form.get("participant", "").strip(), granting=granting)
    except (Invalid, NotFound, Refused) as error:
        return page(found, error=refusal_texts.of(error))
    flash(gettext("Access was changed. Applications apply the change at the next sign-in."))
    return back(found)


def check(found: Account, name: str) -> None:
    """Raises Forbidden for an account of the operator's own person, and for the role groups of
    operators (N74)."""
    separation_of_duties.check(current.work(), found)
    if name in list(rules.ConsoleRole):
        raise OperatorRoleGroup(name, account=found)


def _apply(found: Account, name: str, number: str, *, granting: bool) -> None:
    work = current.work()
    group = role_groups.by_name(work, name)
    participant = participants.by_number(work, number)
    change = role_group_assignments.assign if granting else role_group_assignments.revoke
    change(work, found, group, participant)
