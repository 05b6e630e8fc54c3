"""The grid of people and roles of an organization: show, download, review, confirm (AR-01 to
AR-09)."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import Response, flash, redirect, render_template, request, stream_template, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as BaseResponse

from hosted_pages.languages import is_french
from registration import access_batches, current, grid_query, role_grid
from registration.access_batches import BatchNotPossible, Trial
from registration.access_changes import Change
from registration.delegation_facts import AccountKind
from registration.delegation_rules import Action
from registration.pages import change_lines, downloads, grid_rows, query_days, standing
from registration.pages.appointment_answers import prove_first
from registration.pages.role_names import under_heading
from registration.pages.standing import NotAllowed, Standing
from registration.role_grid import BadCell, Grid, Wanted

MAX_TEXT = 80
MAX_CHANGES = 500
CHANGES = (Action.GRANT_ACCESS, Action.REVOKE_ACCESS)


def show(organization_id: str) -> BaseResponse:
    """The list, as of now or of a past day."""
    here = standing.at(organization_id)
    kind, wanted, day = _kind(), _wanted(), _day()
    whole = _grid(here, kind, day)
    grid = role_grid.arranged(whole, wanted)
    may_change = day is None and any(here.may(action) for action in CHANGES)
    parts = stream_template(
        "grid.html",
        organization=here.here,
        kind=kind,
        tabs=_tabs(here, kind),
        grid=grid,
        wanted=wanted,
        direction="descending" if wanted.is_descending else "ascending",
        sort_urls={order: _sort_url(here, order, wanted) for order in role_grid.ORDERS},
        headings=[(heading, heading) for heading, _ in whole.headings],
        roles=[(column.code, under_heading(column)) for column in whole.columns],
        is_filtered=any((wanted.text, wanted.heading, wanted.role, day)),
        here_path=url_for("pages.roles", organization_id=organization_id),
        order_fields=[("kind", kind), ("sort", wanted.sort), ("order", _order(wanted))],
        as_of=day.isoformat() if day else "",
        as_of_day=day,
        may_change=may_change,
        seen=role_grid.seen(grid),
        rows=grid_rows.written(grid, may_change=may_change),
        export_urls=downloads.urls(here, "pages.export_roles"),
    )
    # One part with a sign such as an arrow would make the encoding of the whole text slow.
    return Response(b"".join(part.encode() for part in parts))


def export(organization_id: str) -> Response:
    """The list as it is shown, as CSV or JSON: a record for each role held."""
    here = standing.at(organization_id)
    grid = role_grid.arranged(_grid(here, _kind(), _day()), _wanted())
    return downloads.download("roles", here, role_grid.RECORD, role_grid.records(grid))


def review(organization_id: str) -> BaseResponse:
    """What the ticks of the list ask for, and what would come of it. Nothing is changed. Somebody
    who proved a second factor meanwhile comes back with the changes in the address."""
    here = changer(organization_id)
    try:
        if request.method == "GET":
            named = request.args.getlist("change")
            return _review(here, tuple(role_grid.read(one) for one in named))
        ticked = [] if "revoke_all" in request.form else request.form.getlist("cell")
        changes = role_grid.changes(ticked, request.form.get("seen", ""))
    except BadCell:
        return _again(here, gettext("The list cannot be read. Open it again."))
    return _review(here, changes)


def confirm(organization_id: str) -> BaseResponse:
    """Order what was reviewed. If something changed meanwhile, nothing is done and the review shows
    what."""
    here = changer(organization_id)
    try:
        changes = tuple(role_grid.read(one) for one in request.form.getlist("change"))
    except BadCell:
        return _again(here, gettext("The list cannot be read. Open it again."))
    if not changes or len(changes) > MAX_CHANGES or not current.has_fresh_factor():
        return _review(here, changes)
    try:
        order = access_batches.order(
            current.work(),
            here.actor,
            here.here,
            changes,
            why=" ".join(request.form.get("why", "").split())[:500],
            is_attested=bool(request.form.get("attested")),
        )
    except BatchNotPossible:
        return _review(here, changes)
    flash(gettext("The request %(number)s was sent to the gateway.", number=order.number))
    return redirect(url_for("pages.request", number=order.number), code=303)


def changer(organization_id: str) -> Standing:
    """The standing of somebody who changes roles; each change is decided again by the plan."""
    here = standing.at(organization_id)
    if not any(here.may(action) for action in CHANGES):
        raise NotAllowed(standing.refusal_of(here, Action.GRANT_ACCESS), here.here)
    return here


def _review(here: Standing, changes: tuple[Change, ...]) -> BaseResponse:
    back = _url(here, "pages.roles", clear=True, kind=_kind())
    if len(changes) > MAX_CHANGES:
        text = gettext("At most %(n)s changes can be made at once.", n=MAX_CHANGES)
        return _again(here, text)
    if changes and not current.has_fresh_factor():
        return _prove_first(here, changes)
    organization_id = here.here.organization_id
    trial = access_batches.attempt(current.work(), here.actor, here.here, changes)
    # The trial has rolled back what was read.
    here = standing.at(organization_id)
    lines = change_lines.lines_of(changes, trial.plan, here.here)
    body = render_template(
        "review.html",
        organization=here.here,
        lines=lines,
        reminders=change_lines.reminders(changes, here.here),
        obstacles=_obstacles(trial),
        effects=change_lines.effects(trial),
        changes=[role_grid.written(change) for change in changes],
        has_grants=any(line.grants for line in lines),
        kind=_kind(),
        back=back,
        why=request.form.get("why", ""),
    )
    return Response(body, status=200 if trial.is_possible else 409)


def _prove_first(here: Standing, changes: tuple[Change, ...]) -> BaseResponse:
    """Back to this review after the second factor."""
    named = [role_grid.written(change) for change in changes]
    review = url_for(
        "pages.review", organization_id=here.here.organization_id, change=named, kind=_kind()
    )
    return prove_first(here, review)


def _obstacles(trial: Trial) -> list[str]:
    return [] if trial.is_possible else change_lines.obstacles(trial)


def _again(here: Standing, text: str) -> BaseResponse:
    flash(text, "warning")
    return redirect(_url(here, "pages.roles", clear=True, kind=_kind()), code=303)


def _grid(here: Standing, kind: AccountKind, day: date | None) -> Grid:
    work = current.work()
    at = work.now if day is None else query_days.end_of(day)
    return grid_query.grid(work, here.here, kind, at, is_french=is_french())


def _kind() -> AccountKind:
    asked = request.values.get("kind") or request.values.get("from")
    return AccountKind.MACHINE if asked == AccountKind.MACHINE else AccountKind.PERSON


def _wanted() -> Wanted:
    """Filter and order of the query. An unknown order is that of names."""
    sort = request.args.get("sort", "")
    return Wanted(
        text=request.args.get("q", "").strip()[:MAX_TEXT],
        heading=request.args.get("heading", "")[:200],
        role=request.args.get("role", "")[:MAX_TEXT],
        sort=sort if sort in role_grid.ORDERS else "name",
        is_descending=request.args.get("order") == "desc",
    )


def _day() -> date | None:
    """The past day of the query, if there is one."""
    return query_days.as_of().day


def _tabs(here: Standing, kind: AccountKind) -> list[tuple[str, str, bool]]:
    texts = {AccountKind.PERSON: gettext("People"), AccountKind.MACHINE: gettext("Machines")}
    return [
        (text, _url(here, "pages.roles", clear=True, kind=one), one is kind)
        for one, text in texts.items()
    ]


def _order(wanted: Wanted) -> str:
    return "desc" if wanted.is_descending else ""


def _sort_url(here: Standing, order: str, wanted: Wanted) -> str:
    turns = order == wanted.sort and not wanted.is_descending
    return _url(here, "pages.roles", sort=order, order="desc" if turns else "")


def _url(here: Standing, endpoint: str, *, clear: bool = False, **values: Any) -> str:
    """An address of this organization that keeps the filter of this one."""
    kept = {} if clear or request.method == "POST" else request.args.to_dict()
    found = {name: value for name, value in (kept | values).items() if value}
    found["organization_id"] = here.here.organization_id
    return url_for(endpoint, **found)
