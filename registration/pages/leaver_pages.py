"""Somebody leaves: what ends is shown and tried, then it is confirmed (procedures D and J)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as BaseResponse

from registration import current, dry_runs, leaver_holdings, leavers, own_lists
from registration.appointment_refusals import ReasonNeedsText
from registration.appointments import EndReason
from registration.delegation_rules import Action
from registration.leaver_holdings import Holdings
from registration.leaver_refusals import LeaverNotPossible
from registration.leavers import Terms
from registration.machine_registry_refusals import AlreadyCustodian
from registration.models import Person
from registration.pages import change_lines, leaver_texts, standing
from registration.pages.appointment_answers import (
    MAX_WHY,
    answers,
    prove_first,
    sentence_of,
    words,
)
from registration.pages.appointment_end_pages import REASONS
from registration.pages.member_options import members
from registration.pages.standing import Standing
from registration.work_refusals import ChangedMeanwhile


@dataclass(frozen=True)
class _Choice:
    """Who takes over the machine accounts, and whether the account is closed too."""

    successor: Person | None
    closes_account: bool


def show(organization_id: str, person_id: str) -> BaseResponse:
    """What ends, which minimums break, and what the gateway says of it. Nothing is changed."""
    here, person = standing.at_person(organization_id, person_id, Action.RECORD_LEAVER)
    return _page(here, person, "")


def confirm(organization_id: str, person_id: str) -> BaseResponse:
    """End it all, as it was seen."""
    here, person = standing.at_person(organization_id, person_id, Action.RECORD_LEAVER)
    typed = request.form.get("reason", "")
    if typed not in list(EndReason):
        return _page(here, person, gettext("Choose a reason."))
    if not current.has_fresh_factor():
        return _page(here, person, "")
    chosen, name = _chosen(), person.full_name
    terms = Terms(EndReason(typed), words("why", MAX_WHY), chosen.successor, chosen.closes_account)
    try:
        with answers(here):
            order = leavers.leave(
                current.work(), here.actor, here.here, person, request.form.get("seen", ""), terms
            )
    except ChangedMeanwhile:
        current.work().db.rollback()
        flash(
            gettext("Somebody else has changed what this person has here. Read it again."),
            "warning",
        )
        return redirect(_url("pages.leaver", here, person_id), code=303)
    except (ReasonNeedsText, LeaverNotPossible, AlreadyCustodian) as refused:
        current.work().db.rollback()
        again = standing.at_person(organization_id, person_id, Action.RECORD_LEAVER)
        return _page(*again, sentence_of(refused))
    flash(gettext("%(name)s has nothing left here: request %(number)s.", name=name,
                  number=order.number))  # fmt: skip
    if person_id == here.actor.person:
        return redirect(url_for("pages.home"), code=303)
    return redirect(url_for("pages.request", number=order.number), code=303)


def _page(here: Standing, person: Person, error: str) -> BaseResponse:
    work, chosen = current.work(), _chosen()
    person_id = person.person_id
    if not current.has_fresh_factor():
        kept = {"successor": chosen.successor.person_id if chosen.successor else "",
                "close": "1" if chosen.closes_account else ""}  # fmt: skip
        more = {name: value for name, value in kept.items() if value}
        return prove_first(here, _url("pages.leaver", here, person_id, **more))
    gone = leaver_holdings.of_person(work, here.here, person)
    may_close = leaver_holdings.may_close_account(work, here.actor, here.here, person, here.facts)
    chosen = _Choice(chosen.successor, chosen.closes_account and may_close)
    hands_over = bool(gone.machines) and leaver_texts.may_hand_over(here, gone)
    shown: dict[str, Any] = {
        "rows": [(gettext("Name"), person.full_name), (gettext("Person ID"), person_id),
                 (gettext("Organization"), here.here.name)],
        "lines": list(leaver_texts.lines(gone)),
        "warnings": leaver_texts.warnings(here, gone),
        "successors": members(here, person_id) if hands_over else [],
        "successor": chosen.successor.person_id if chosen.successor else "",
        "may_close": may_close,
        "closes": chosen.closes_account,
        "seen": gone.seen,
    }  # fmt: skip
    obstacles, effects = tried(here, gone, chosen.successor, closes_account=chosen.closes_account)
    body = render_template(
        "leaver.html",
        organization=here.here,
        **shown,
        obstacles=obstacles,
        effects=effects,
        reasons=[("", gettext("Choose")), *((one.value, REASONS.of(one)) for one in EndReason)],
        values=request.form,
        error=error,
        here_path=_url("pages.leaver", here, person_id),
        confirm_url=_url("pages.confirm_leaver", here, person_id),
        back=_url("pages.person", here, person_id),
    )
    status = 400 if error else 409 if obstacles and request.method == "POST" else 200
    return Response(body, status=status)


def tried(
    here: Standing, gone: Holdings, successor: Person | None, *, closes_account: bool
) -> tuple[list[str], list[str]]:
    """What stands against it, else what comes of it. What was written is rolled back."""
    if found := leaver_texts.obstacles(here, gone, successor):
        return found, []
    effects, work = leaver_texts.effects(here, gone), current.work()
    terms = Terms(EndReason.LEFT, "", successor, closes_account)
    try:
        with answers(here):
            order = leavers.leave(work, here.actor, here.here, gone.person, gone.seen, terms)
    except AlreadyCustodian as refused:
        work.db.rollback()
        return [sentence_of(refused)], []
    answer = dry_runs.of_request(work, order)
    return change_lines.refusals_of(answer), [*effects, *change_lines.effects_of(answer)]


def _chosen() -> _Choice:
    typed = request.values.get("successor", "").strip()[:40]
    found = own_lists.persons(current.work(), [typed]) if typed else []
    return _Choice(found[0] if found else None, bool(request.values.get("close")))


def _url(endpoint: str, here: Standing, person_id: str, **more: Any) -> str:
    number = here.here.organization_id
    return url_for(endpoint, organization_id=number, person_id=person_id, **more)
