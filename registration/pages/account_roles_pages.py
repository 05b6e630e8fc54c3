"""Grant and revoke for one person: find the person, then tick roles (AR-01 to AR-04, RG-04)."""

from __future__ import annotations

from typing import Any

from flask import render_template, request, url_for
from flask_babel import gettext

from hosted_pages.languages import is_french
from registration import current, grid_query, person_search, role_grid
from registration.delegation_facts import AccountKind
from registration.delegation_rules import Action
from registration.pages.role_grid_pages import changer
from registration.pages.standing import NotHere, Standing
from registration.person_search import Sought


def find(organization_id: str) -> str:
    """The search. It finds everybody who is registered, so that nobody is registered twice."""
    here = changer(organization_id)
    here.require(Action.SEARCH_PERSONS)
    return found_page(
        here,
        gettext("Grant a role"),
        "pages.find",
        "pages.account_roles",
    )


def found_page(here: Standing, title: str, endpoint: str, chosen: str, **more: Any) -> str:
    """The page of a search for a person. ``chosen`` is the endpoint to which a choice leads, and
    ``more`` are values that both addresses have besides. The page of a person opens only for those
    who belong to the organization. Who is not found can be registered, and nobody before a search
    (RG-04)."""
    number = here.here.organization_id
    known = here.members
    sees_all = chosen != "pages.person" or here.actor.is_operator
    sought = Sought(*(request.args.get(name, "").strip()[:100] for name in
                      ("person_id", "last_name", "first_name")))  # fmt: skip
    found = person_search.search(current.work(), sought) if sought.is_enough else None
    return render_template(
        "find_account.html",
        organization=here.here,
        title=title,
        here_path=url_for(endpoint, organization_id=number, **more),
        choice_of=lambda row: (
            url_for(chosen, organization_id=number, person_id=row.person_id, **more)
            if sees_all or row.person_id in known
            else ""
        ),
        register_url=url_for(
            "pages.new_person",
            organization_id=number,
            first_name=sought.first_name,
            last_name=sought.last_name,
            then=endpoint.removeprefix("pages."),
        )
        if found is not None and here.may(Action.REGISTER_PERSON)
        else "",
        import_url=url_for("pages.import_people", organization_id=number)
        if endpoint in ("pages.find_person", "pages.find") and here.may(Action.REGISTER_PERSON)
        else "",
        sought=sought,
        found=found,
        is_tried=bool(request.args),
        members=known,
    )


def show(organization_id: str, person_id: str) -> str:
    """The roles of one person at the organization."""
    here = changer(organization_id)
    here.require(Action.SEARCH_PERSONS)
    work = current.work()
    grid = grid_query.grid(
        work, here.here, AccountKind.PERSON, work.now,
        is_french=is_french(), account=person_id, is_anybody=True,
    )  # fmt: skip
    if not grid.rows:
        raise NotHere
    return render_template(
        "account_roles.html",
        organization=here.here,
        grid=grid,
        row=grid.rows[0],
        seen=role_grid.seen(grid),
    )
