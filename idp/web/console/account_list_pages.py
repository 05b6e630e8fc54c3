"""The lists of accounts in the console by state, and their download as CSV."""

from __future__ import annotations

from flask import Blueprint, Response, render_template, request, url_for
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response as BaseResponse

from hosted_pages.csv_files import csv_lines
from hosted_pages.texts import complete
from idp import current
from idp.audit import events
from idp.audit.actions import AuditAction
from idp.clients import registry
from idp.directory import account_lists as service
from idp.directory import participants, role_groups
from idp.directory.account_lists import AccountFilter, AccountList, ListedAccount
from idp.models import AccountKind
from idp.web.console import forms, gate, labels, listing
from idp.web.console.listing import ListView

FILTERS = ("participant", "kind", "group", "application")
TITLES = complete(
    AccountList,
    {
        AccountList.ALL: _("All"),
        AccountList.PENDING: _("Pending activation"),
        AccountList.LOCKED: _("Locked"),
        AccountList.TEMPORARY: _("Temporary password waiting"),
        AccountList.RESET_REQUIRED: _("Password reset required"),
        AccountList.SUSPENDED: _("Suspended"),
        AccountList.DEACTIVATED: _("Deactivated"),
    },
)
COLUMNS = (
    "name", "username", "person_id", "email", "kind", "state", "since", "reason", "participants",
    "temporary_password_issued_at", "temporary_password_issued_by",
    "temporary_password_expires_at",
)  # fmt: skip


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/people", "people", people)
    pages.add_url_rule("/people/export", "export_people", export_people)


def people() -> BaseResponse:
    """A page of a list with its filters."""
    work, asked = current.work(), listing.asked_filters(*FILTERS)
    wanted = _criteria(asked)
    found = service.page(work, wanted, listing.asked_page())
    view = ListView("console.people", found, asked, {"list": str(wanted.list)})
    body = render_template(
        "console/people.html",
        view=view,
        chosen=wanted.list,
        lists=[
            (TITLES.of(one), url_for("console.people", list=str(one)), one is wanted.list)
            for one in AccountList
        ],
        may_export=gate.operator().may_open("console.export_people"),
        participants=participants.list_choices(work),
        kinds=[(str(kind), labels.kind(kind)) for kind in AccountKind],
        groups=[(group.name, group.name) for group, _clients in role_groups.list_role_groups(work)],
        applications=[(one.client_id, one.name) for one in registry.list_clients(work)],
    )
    return Response(body)


def _criteria(asked: dict[str, str]) -> AccountFilter:
    """The filter for the service. An unknown list name means all accounts."""
    name = request.args.get("list", "")
    return AccountFilter(
        list=AccountList(name) if name in list(AccountList) else AccountList.ALL,
        kind=asked["kind"],
        participant=asked["participant"],
        role_group=asked["group"],
        application=asked["application"],
    )


def export_people() -> BaseResponse:
    """All accounts of the list as CSV. The download is an event."""
    work, asked = current.work(), listing.asked_filters(*FILTERS)
    wanted = _criteria(asked)
    used = {"list": str(wanted.list)} | {name: value for name, value in asked.items() if value}
    events.record(work, AuditAction.ACCOUNTS_EXPORTED, filter=used)
    rows = service.stream_all(work, wanted, listing.asked_page())
    lines = csv_lines(COLUMNS, map(_cells, rows))
    return forms.download(lines, name="people.csv", kind="text/csv")


def _cells(row: ListedAccount) -> list[object]:
    account, temporary = row.account, row.temporary
    return [
        account.person.full_name,
        account.username,
        account.person.person_id,
        account.person.email,
        account.kind,
        account.state,
        account.state_changed_at,
        account.state_reason,
        " ".join(row.participants),
        temporary.created_at if temporary else None,
        temporary.issued_by if temporary else None,
        temporary.expires_at if temporary else None,
    ]
