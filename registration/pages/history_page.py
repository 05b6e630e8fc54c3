"""The history of an organization: list and downloads (TM-12, RG-08)."""

from __future__ import annotations

from typing import Any

from flask import Response, render_template, request, url_for
from flask_babel import gettext
from flask_babel import lazy_gettext as _

from hosted_pages.texts import complete
from registration import current, history_list, organizations, people_imports, sections
from registration.access_batches import GRANTED, REVOKED
from registration.accounts import CREATED, ORDERED
from registration.accounts import ENDED as ACCOUNT_ENDED
from registration.appointments import ENDED, MADE
from registration.contact_assignments import ADDED, REMOVED
from registration.delegation_rules import Action
from registration.expired_holdings import ACCESS_ROLE, APPOINTMENT, CONTACT_ROLE
from registration.history_list import Asked, Entry
from registration.leavers import LEFT
from registration.machine_registry import HANDED_OVER, NETWORKS, STOPPED
from registration.machine_registry import REGISTERED as MACHINE_REGISTERED
from registration.market_participations import (
    APPLIED,
    APPROVED,
    REFUSED,
    TASK_DONE,
    WITHDRAWN,
)
from registration.pages import downloads, query_days, standing
from registration.pages.history_names import Names
from registration.pages.standing import Standing
from registration.participation_end import ENDED as PARTICIPATION_ENDED
from registration.persons import CHANGED, REGISTERED
from registration.waiting_requests import APPROVED as REQUEST_GRANTED
from registration.waiting_requests import ASKED
from registration.waiting_requests import CLOSED as REQUEST_CLOSED
from registration.waiting_requests import REFUSED as REQUEST_REFUSED

ACTIONS = complete(
    (
        GRANTED,
        REVOKED,
        ASKED,
        REQUEST_GRANTED,
        REQUEST_REFUSED,
        REQUEST_CLOSED,
        LEFT,
        ACCOUNT_ENDED,
        MADE,
        ENDED,
        REGISTERED,
        CHANGED,
        ORDERED,
        CREATED,
        ADDED,
        REMOVED,
        ACCESS_ROLE,
        APPOINTMENT,
        CONTACT_ROLE,
        MACHINE_REGISTERED,
        NETWORKS,
        HANDED_OVER,
        STOPPED,
        APPLIED,
        APPROVED,
        REFUSED,
        WITHDRAWN,
        TASK_DONE,
        PARTICIPATION_ENDED,
        *sections.ACTIONS,
        organizations.REGISTERED,
        organizations.RENAMED,
        people_imports.IMPORTED,
    ),
    {
        GRANTED: _("Access role granted"),
        REVOKED: _("Access role revoked"),
        ASKED: _("Access requested"),
        REQUEST_GRANTED: _("Request for access granted"),
        REQUEST_REFUSED: _("Request for access refused"),
        REQUEST_CLOSED: _("Request for access closed"),
        LEFT: _("Leaver recorded"),
        ACCOUNT_ENDED: _("Account closed"),
        MADE: _("Appointed"),
        ENDED: _("Appointment ended"),
        REGISTERED: _("Person registered"),
        CHANGED: _("Information changed"),
        ORDERED: _("Account ordered"),
        CREATED: _("Account created"),
        ADDED: _("Contact role given"),
        REMOVED: _("Contact role taken"),
        ACCESS_ROLE: _("Access role expired"),
        APPOINTMENT: _("Appointment expired"),
        CONTACT_ROLE: _("Contact role expired"),
        MACHINE_REGISTERED: _("Machine account registered"),
        NETWORKS: _("Networks of a machine account changed"),
        HANDED_OVER: _("Machine account handed over"),
        STOPPED: _("Machine account stopped"),
        APPLIED: _("Participation applied for"),
        APPROVED: _("Participation approved"),
        REFUSED: _("Participation refused"),
        WITHDRAWN: _("Application for a participation withdrawn"),
        TASK_DONE: _("Task of a participation done"),
        PARTICIPATION_ENDED: _("Participation ended"),
        sections.REGISTERED: _("Section registered"),
        sections.CHANGED: _("Section changed"),
        sections.ENDED: _("Section ended"),
        organizations.REGISTERED: _("Organization registered"),
        organizations.RENAMED: _("Name of the organization changed"),
        people_imports.IMPORTED: _("People imported from a file"),
    },
)
#: The filter offers what an organization's history has.
OFFERED = (
    GRANTED, REVOKED, LEFT, ACCESS_ROLE, ADDED, REMOVED, CONTACT_ROLE, MADE, ENDED, APPOINTMENT,
    REGISTERED, MACHINE_REGISTERED, NETWORKS, HANDED_OVER, STOPPED, APPLIED,
    APPROVED, REFUSED, WITHDRAWN, TASK_DONE, PARTICIPATION_ENDED, *sections.ACTIONS,
    organizations.REGISTERED, organizations.RENAMED, people_imports.IMPORTED,
)  # fmt: skip
COLUMNS = (
    "id", "at", "actor", "actor_name", "on_behalf_of", "action", "person", "person_name", "before",
    "after", "reason",
)  # fmt: skip


def show(organization_id: str) -> str:
    """A page of the list."""
    here = standing.at(organization_id, Action.SEE_HISTORY)
    asked = _asked()
    entries, following = history_list.page(
        current.work(), here.here, asked, before=_number("before")
    )
    kept = {name: value for name, value in request.args.items() if name != "before" and value}
    return render_template(
        "history.html",
        organization=here.here,
        entries=entries,
        action_text=ACTIONS.of,
        named=Names(entries),
        actions=[("", gettext("All"))] + [(name, ACTIONS.of(name)) for name in OFFERED],
        asked=asked,
        since=request.args.get("since", "") if asked.since else "",
        until=request.args.get("until", "") if asked.until else "",
        here_path=url_for("pages.history", organization_id=organization_id),
        is_filtered=asked != Asked(),
        first_url=_url(here, kept) if _number("before") else "",
        next_url=_url(here, kept | {"before": str(following)}) if following else "",
        export_urls=downloads.urls(here, "pages.export_history"),
    )  # fmt: skip


def export(organization_id: str) -> Response:
    """The list as it is filtered, whole."""
    here = standing.at(organization_id, Action.SEE_HISTORY)
    entries = history_list.whole(current.runtime(), organization_id, _asked())
    return downloads.download("history", here, COLUMNS, map(record, entries))


def _asked() -> Asked:
    since, until = query_days.day("since"), query_days.day("until")
    return Asked(
        action=request.args.get("action", "")[:60],
        person=request.args.get("person", "").strip()[:40],
        since=query_days.start_of(since) if since else None,
        until=query_days.end_of(until) if until else None,
    )


def _number(name: str) -> int:
    return query_days.number(request.args.get(name, ""))


def _url(here: Standing, values: dict[str, str]) -> str:
    known: dict[str, Any] = values | {"organization_id": here.here.organization_id}
    return url_for("pages.history", **known)


def record(entry: Entry) -> dict[str, Any]:
    """An entry for downloads and programs."""
    found = {name: getattr(entry, name) for name in COLUMNS}
    return found | {"at": entry.at.isoformat()}
