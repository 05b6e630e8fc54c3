"""Grant and revoke for one person: find the person, then tick roles (AR-01 to AR-04, RG-04)."""

from __future__ import annotations

from flask import render_template, request, url_for
from flask_babel import gettext

from hosted_pages.languages import is_french
from registration import current, grid_query, person_search, role_grid
from registration.access_changes import AccountKey
from registration.delegation_facts import AccountKind
from registration.delegation_rules import Action
from registration.organization_facts import members
from registration.pages import standing
from registration.pages.role_grid_pages import changer
from registration.pages.standing import NotHere, Standing
from registration.person_search import Sought


def find(organization_id: str) -> str:
    """The search. It finds everybody who is registered, so that nobody is registered twice."""
    here = changer(organization_id)
    standing.at(organization_id, Action.SEARCH_PERSONS)
    return found_page(
        here,
        gettext("Grant a role"),
        "pages.find",
        "pages.account_roles",
    )


def found_page(here: Standing, title: str, endpoint: str, chosen: str) -> str:
    """The page of a search for a person. ``chosen`` is the endpoint to which a choice leads."""
    number = here.here.organization_id
    sought = Sought(*(request.args.get(name, "").strip()[:100] for name in
                      ("person_id", "last_name", "first_name")))  # fmt: skip
    found = person_search.search(current.work(), sought) if sought.is_enough else None
    return render_template(
        "find_account.html",
        organization=here.here,
        title=title,
        here_path=url_for(endpoint, organization_id=number),
        choice_of=lambda row: url_for(chosen, organization_id=number, person_id=row.person_id),
        sought=sought,
        found=found,
        is_tried=bool(request.args),
        members=members(current.work(), here.here),
    )


def show(organization_id: str, person_id: str) -> str:
    """The roles of one person at the organization."""
    here = changer(organization_id)
    standing.at(organization_id, Action.SEARCH_PERSONS)
    work = current.work()
    key = AccountKey(AccountKind.PERSON, person_id)
    whole = grid_query.grid(
        work, here.here, AccountKind.PERSON, work.now, is_french=is_french(), also=person_id
    )
    grid = role_grid.only(whole, key)
    if not grid.rows:
        raise NotHere
    return render_template(
        "account_roles.html",
        organization=here.here,
        grid=grid,
        row=grid.rows[0],
        seen=role_grid.seen(grid),
    )
