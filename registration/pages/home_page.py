"""Home: what waits for the person, where he belongs, and what he may use."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import render_template, url_for
from flask_babel import gettext

from hosted_pages.languages import is_french
from registration import access_requests, current, custody_alarms, own_lists
from registration.delegation_facts import Tier
from registration.delegation_texts import TIERS
from registration.grid_query import column_of
from registration.market_participations import DECIDE, Step
from registration.models import Task
from registration.organization_facts import names
from registration.pages import standing
from registration.pages.access_request_answers import asked_for
from registration.pages.navigation import own_organizations, sees
from registration.pages.request_page import BADGES, state_of
from registration.pages.task_texts import text_of
from registration.vacancies import VACANCY


@dataclass(frozen=True)
class ShownTask:
    """A task as the page has it."""

    text: str
    created_at: datetime
    due_at: datetime | None
    organization: str
    url: str


@dataclass(frozen=True)
class ShownAccess:
    """An access role of the person, and who gave it."""

    role: str
    heading: str
    organization: str
    since: datetime
    until: datetime | None
    given_by: str


def home() -> str:
    """The page."""
    return render_template(
        "home.html",
        tasks=_tasks(),
        organizations=_organizations(),
        access=_access(),
        requests=_requests(),
        ask_urls=[
            (one.name, url_for("pages.request_access", organization_id=one.organization_id))
            for one in own_organizations()
        ],
    )


def _tasks() -> list[ShownTask]:
    offices = standing.own_facts().offices(standing.actor().person)
    rows = own_lists.tasks(
        current.work(), current.person(), offices, is_operator=current.is_operator()
    )
    return [
        ShownTask(
            text_of(task),
            task.created_at,
            task.due_at,
            task.organization.name if task.organization else "",
            _url_of(task),
        )
        for task in rows
    ]


def _url_of(task: Task) -> str:
    """Where the task is done or explained."""
    if task.organization and task.kind in (DECIDE, *Step):
        return url_for(
            "pages.participation",
            organization_id=task.organization.organization_id,
            participation_id=task.data["participation"],
        )
    if task.organization and task.kind == custody_alarms.KIND:
        return url_for(
            "pages.machine",
            organization_id=task.organization.organization_id,
            machine_id=task.data["machine"],
        )
    if task.request:
        return url_for("pages.request", number=task.request.number)
    if task.kind == VACANCY and task.organization:
        number = task.organization.organization_id
        return url_for("pages.representatives", organization_id=number)
    return ""


def _organizations() -> list[dict[str, str]]:
    person = standing.actor().person
    held = standing.own_facts().offices(person)
    return [
        {
            "name": one.name,
            "number": one.organization_id,
            "offices": ", ".join(
                gettext(TIERS[office]) for office in Tier if (office, one.organization_id) in held
            ),
            "url": url_for("pages.roles", organization_id=one.organization_id) if sees(one) else "",
        }
        for one in own_organizations()
    ]


def _requests() -> list[dict[str, Any]]:
    """What the person asked for."""
    rows = access_requests.of_person(current.work(), current.person())
    return [
        {
            "role": asked_for(row).role,
            "organization": row.organization.name if row.organization else "",
            "day": row.opened_at,
            "state": state_of(row),
            "badge": BADGES.get(row.state, ""),
            "url": url_for("pages.request", number=row.number),
        }
        for row in rows
    ]


def _access() -> list[ShownAccess]:
    work = current.work()
    rows = own_lists.access(work, current.person())
    givers = names(work, (row.given_by for row in rows))
    found = []
    for row in rows:
        column = column_of(row.access_role, is_french=is_french())
        giver = givers.get(row.given_by, row.given_by)
        found.append(
            ShownAccess(
                column.name,
                column.heading,
                row.organization.name,
                row.valid_from,
                row.valid_until,
                giver,
            )
        )
    return found
