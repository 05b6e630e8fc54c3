"""Role groups: the list, and for each the applications that see it and its members; granted and
revoked in the console where needed (PR-02)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as BaseResponse

from idp import current, list_pages
from idp.directory import (
    account_lists,
    accounts,
    held_role_groups,
    participants,
    participations,
    role_group_assignments,
    role_groups,
    separation_of_duties,
)
from idp.directory.account_lists import AccountFilter
from idp.directory.directory_refusals import OperatorRoleGroup
from idp.directory.role_group_assignments import AssignmentTerms
from idp.errors import Conflict, Invalid, NotFound, Refusal, Refused
from idp.mfa.second_factor_rule import Rule
from idp.models import Account, AccountKind, RoleGroup
from idp.policy import console as rules
from idp.web import refusal_texts
from idp.web.console import account_page, forms, gate, labels, listing, person_choice
from idp.web.console.listing import ListView
from idp.web.console.operation_pages import MAX_ID

#: The texts that can be changed; the name is what applications know.
TEXTS = ("description", "name_fr", "description_fr")
FILTERS = ("text", "kind", "application")
#: The orders of the list.
SORTS: dict[str, Callable[[tuple[RoleGroup, list[str]]], Any]] = {
    "name": lambda row: row[0].name.casefold(),
    "kind": lambda row: (row[0].kind, row[0].name.casefold()),
}


def register(pages: Blueprint) -> None:
    post, one = ["POST"], f"/role-groups/<int(max={MAX_ID}):number>"
    pages.add_app_template_global(grant_choices)
    pages.add_url_rule("/role-groups", "groups", groups)
    pages.add_url_rule("/role-groups/new", "new_group", new_group, methods=post)
    pages.add_url_rule("/role-groups/rule", "set_rule", set_rule, methods=post)
    pages.add_url_rule(one, "group", group)
    pages.add_url_rule(f"{one}/texts", "describe_group", describe_group, methods=post)
    pages.add_url_rule(f"{one}/members", "add_member", add_member, methods=post)
    pages.add_url_rule("/accounts/<subject>/grant", "grant", grant, methods=post)
    pages.add_url_rule("/accounts/<subject>/revoke", "revoke", revoke, methods=post)


def groups() -> BaseResponse:
    """All role groups."""
    return _list()


def _list(error: str = "") -> BaseResponse:
    work, asked = current.work(), listing.asked_filters(*FILTERS)

    def matches(row: tuple[RoleGroup, list[str]]) -> bool:
        one, clients = row
        return (
            asked["text"].casefold() in f"{one.name} {one.description}".casefold()
            and asked["kind"] in ("", one.kind)
            and asked["application"] in ("", *clients)
        )

    rows = role_groups.list_role_groups(work)
    found = list_pages.single_page(rows, listing.asked_page(), SORTS, matches)
    body = render_template(
        "console/groups.html",
        view=ListView("console.groups", found, asked),
        error=error,
        kinds=[(str(kind), labels.kind(kind)) for kind in AccountKind],
        applications=sorted({(one, one) for _group, clients in rows for one in clients}),
        participations=[(name, name) for name in participations.list_names(work)],
        may_create=gate.operator().may_open("console.new_group"),
        typed={
            name: request.form.get(name, "")
            for name in (
                "name",
                "description",
                "name_fr",
                "description_fr",
                "kind",
                "participation",
            )
        },
    )
    return Response(body, status=400 if error else 200)


def new_group() -> BaseResponse:
    """Create one. Applications see it after this is set on their page."""
    form = request.form
    try:
        made = role_groups.create(
            current.work(),
            form.get("name", "").strip(),
            description=form.get("description", "").strip()[:500],
            name_fr=form.get("name_fr", "").strip()[:100],
            description_fr=form.get("description_fr", "").strip()[:500],
            kind=form.get("kind", ""),
            participation=form.get("participation", "").strip(),
        )
    except (Invalid, Conflict) as error:
        return _list(refusal_texts.of(error))
    flash(gettext("The role group was created."))
    return _to(made)


def group(number: int) -> BaseResponse:
    """One role group with its members."""
    return _page(_one(number))


def _one(number: int) -> RoleGroup:
    found = role_groups.find(current.work(), number)
    if found is None:
        abort(404)
    return found


def _to(found: RoleGroup) -> BaseResponse:
    return redirect(url_for("console.group", number=found.id), code=303)


def _page(found: RoleGroup, error: str = "") -> BaseResponse:
    work, operator = current.work(), gate.operator()
    asked = listing.asked_filters("participant")
    criteria = AccountFilter(role_group=found.name, participant=asked["participant"])
    members = account_lists.page(work, criteria, listing.asked_page())
    held = held_role_groups.holders(work, found, [row.account for row in members.rows])
    may_grant = operator.may_open("console.add_member") and found.name not in list(
        rules.ConsoleRole
    )
    body = render_template(
        "console/group.html",
        group=found,
        clients=role_groups.clients_by_role_group(work, [found.id]).get(found.id, []),
        view=ListView("console.group", members, asked, {"number": found.id}),
        held=held,
        rules=[(str(rule), str(rule)) for rule in Rule],
        texts={name: request.form.get(name, getattr(found, name)) for name in TEXTS},
        may_describe=operator.may_open("console.describe_group"),
        may_set_rule=operator.may_open("console.set_rule"),
        may_grant=may_grant,
        choice=person_choice.of_accounts("username", found.kind) if may_grant else None,
        may_open_clients=operator.may_open("console.client"),
        participants=participants.list_choices(work),
        places=participants.list_choices(work, found.participation) if may_grant else [],
        typed={name: request.form.get(name, "") for name in _TYPED},
        error=error,
    )
    return Response(body, status=400 if error else 200)


_TYPED = ("participant", "valid_from", "valid_until")


def set_rule() -> BaseResponse:
    """Set when its holders need a second factor."""
    work, form = current.work(), request.form
    try:
        found = role_groups.by_name(work, form.get("name", ""))
    except NotFound:
        abort(404)
    try:
        role_groups.set_rule(work, found, form.get("rule", ""))
    except Invalid as error:
        return _page(found, refusal_texts.of(error))
    flash(gettext("The rule is saved. It applies from the next sign-in."))
    return _to(found)


def describe_group(number: int) -> BaseResponse:
    """Change its description, and its French name and description."""
    found = _one(number)
    texts = {name: request.form[name].strip() for name in TEXTS if name in request.form}
    try:
        role_groups.describe(current.work(), found, **texts)
    except Invalid as error:
        return _page(found, refusal_texts.of(error))
    flash(gettext("The texts of the role group are saved."))
    return _to(found)


def add_member(number: int) -> BaseResponse:
    """Grant the role group to an account."""
    found, typed = _one(number), request.form.get("username", "").strip()
    account = accounts.find_by_username(current.work(), typed)
    if account is None:
        return _page(found, gettext("No account has this user name."))
    try:
        _grant(account, found.name)
    except (Invalid, NotFound, Refused, forms.BadField) as error:
        return _page(found, _said(error))
    return _to(found)


def grant(subject: str) -> BaseResponse:
    """Grant a role group of an application."""
    found = account_page.one(subject)
    try:
        _grant(found, request.form.get("group", "").strip())
    except (Invalid, NotFound, Refused, forms.BadField) as error:
        return account_page.page(found, error=_said(error), tab=account_page.ACCESS_TAB)
    return account_page.back(found, account_page.ACCESS_TAB)


def _said(error: Refusal | forms.BadField) -> str:
    return str(error) if isinstance(error, forms.BadField) else refusal_texts.of(error)


def _grant(found: Account, name: str) -> None:
    """Grant it at the participant and for the time of the form. Raises Invalid, NotFound, Refused,
    and BadField."""
    check(found, name)
    work = current.work()
    begins, ends = forms.moment("valid_from"), forms.moment("valid_until", end_of_day=True)
    terms = AssignmentTerms(begins, ends) if begins or ends else None
    place = participants.by_number(work, request.form.get("participant", "").strip())
    wanted = role_groups.by_name(work, name)
    if role_group_assignments.assign(work, found, wanted, place, terms):
        flash(gettext("Access was changed. Applications apply the change at the next sign-in."))
    else:
        flash(gettext("The account already has this role group. Nothing was changed."), "warning")


def revoke(subject: str) -> BaseResponse:
    """Revoke one."""
    found, name = account_page.one(subject), request.form.get("group", "").strip()
    check(found, name)
    work = current.work()
    try:
        wanted = role_groups.by_name(work, name)
        place = participants.by_number(work, request.form.get("participant", "").strip())
        role_group_assignments.revoke(work, found, wanted, place)
    except (Invalid, NotFound, Refused) as error:
        return account_page.page(found, error=refusal_texts.of(error), tab=account_page.ACCESS_TAB)
    flash(gettext("Access was changed. Applications apply the change at the next sign-in."))
    return account_page.back(found, account_page.ACCESS_TAB)


def check(found: Account, name: str) -> None:
    """Raises Forbidden for an account of the operator's own person, and for the role groups of
    operators (N74)."""
    separation_of_duties.check(current.work(), found)
    if name in list(rules.ConsoleRole):
        raise OperatorRoleGroup(name, account=found)


def grant_choices(found: Account) -> dict[str, Any]:
    """The role groups and participants of the form that grants one to an account."""
    work = current.work()
    return {
        "groups": [(one.name, one.name) for one in role_groups.list_grantable(work, found.kind)],
        "participants": participants.list_choices(work),
    }
