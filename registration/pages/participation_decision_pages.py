"""The page of one participation: its Request Number and tasks, the decision of the IESO, and its
end with all roles (RG-12, RG-13)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask import Response, flash, redirect, render_template, request
from flask_babel import gettext, ngettext
from werkzeug.wrappers import Response as BaseResponse

from registration import (
    current,
    market_participations,
    participation_decisions,
    participation_end,
)
from registration.delegation_facts import ParticipationState
from registration.delegation_rules import Action
from registration.market_participations import Progress, Step
from registration.organization_facts import names
from registration.pages import change_lines, query_days, standing
from registration.pages.appointment_answers import MAX_WHY, answers, prove_first, sentence_of, words
from registration.pages.participation_pages import (
    BADGES,
    KINDS,
    STEPS,
    list_url,
    name_of,
    participation_url,
    state_text,
)
from registration.pages.standing import NotAllowed, NotHere, Standing
from registration.participation_end import Trial
from registration.participation_refusals import ParticipationNotFound, ReasonMissing
from service_base.refusals import Conflict

#: What the form of a decision says.
DECISIONS = {
    "approve": Action.DECIDE_PARTICIPATION,
    "refuse": Action.DECIDE_PARTICIPATION,
    "withdraw": Action.APPLY_FOR_PARTICIPATION,
}


@dataclass(frozen=True)
class Task:
    """A required task."""

    step: Step
    text: str
    done_at: datetime | None
    done_by: str
    #: Whether the person who asks can say that it is done.
    is_open: bool


def show(organization_id: str, participation_id: int) -> BaseResponse:
    """The page."""
    here, found = _found(organization_id, participation_id)
    return _page(here, found, "")


def step(organization_id: str, participation_id: int) -> BaseResponse:
    """A task is done."""
    here, found = _found(organization_id, participation_id, Action.APPLY_FOR_PARTICIPATION)
    target = participation_url("pages.participation", here, participation_id)
    if not current.has_fresh_factor():
        return prove_first(here, target)
    typed = request.form.get("step", "")
    if typed not in list(Step):
        return _page(here, found, gettext("The page cannot be read. Open it again."))
    try:
        with answers(here):
            market_participations.confirm_step(
                current.work(), here.actor, here.here, participation_id, Step(typed)
            )
    except Conflict as refused:
        current.work().db.rollback()
        flash(sentence_of(refused), "warning")
    else:
        flash(gettext("The task is done: %(task)s", task=STEPS.of(typed)))
    return redirect(target, code=303)


def decide(organization_id: str, participation_id: int) -> BaseResponse:
    """The IESO approves or refuses, or the organization withdraws."""
    decision = request.form.get("decision", "")
    action = DECISIONS.get(decision, Action.APPLY_FOR_PARTICIPATION)
    here, found = _found(organization_id, participation_id, action)
    target = participation_url("pages.participation", here, participation_id)
    if not current.has_fresh_factor():
        return prove_first(here, target)
    if decision not in DECISIONS:
        return _page(here, found, gettext("The page cannot be read. Open it again."))
    work, why = current.work(), words("why", MAX_WHY)
    version = query_days.number(request.form.get("version", ""))
    try:
        with answers(here):
            common = (work, here.actor, here.here, participation_id, version)
            if decision == "approve":
                participation_decisions.approve(*common)
            elif decision == "refuse":
                participation_decisions.refuse(*common, why)
            else:
                participation_decisions.withdraw(*common, why)
    except ReasonMissing as refused:
        work.db.rollback()
        again = _found(organization_id, participation_id, action)
        return _page(*again, sentence_of(refused))
    except Conflict as refused:
        work.db.rollback()
        flash(sentence_of(refused), "warning")
        return redirect(target, code=303)
    flash(
        gettext("The participation is approved.")
        if decision == "approve"
        else gettext("The application is closed.")
    )
    return redirect(target, code=303)


def end(organization_id: str, participation_id: int) -> BaseResponse:
    """What the end entails. Nothing is stored."""
    here, found = _found(organization_id, participation_id, Action.DECIDE_PARTICIPATION)
    if not current.has_fresh_factor():
        return prove_first(here, participation_url("pages.end_participation", here,
                                                   participation_id))  # fmt: skip
    return _end_page(here, found, "")


def confirm_end(organization_id: str, participation_id: int) -> BaseResponse:
    """End it, as it was seen."""
    here, found = _found(organization_id, participation_id, Action.DECIDE_PARTICIPATION)
    target = participation_url("pages.participation", here, participation_id)
    if not current.has_fresh_factor():
        return prove_first(here, target)
    try:
        with answers(here):
            participation_end.end(
                current.work(), here.actor, here.here, participation_id,
                query_days.number(request.form.get("version", "")), words("why", MAX_WHY),
            )  # fmt: skip
    except ReasonMissing as refused:
        current.work().db.rollback()
        return _end_page(here, found, sentence_of(refused))
    except Conflict as refused:
        current.work().db.rollback()
        flash(sentence_of(refused), "warning")
        return redirect(target, code=303)
    flash(gettext("The participation and its roles have ended."))
    return redirect(target, code=303)


def _found(
    organization_id: str, participation_id: int, action: Action = Action.SEE_ORGANIZATION
) -> tuple[Standing, Progress]:
    """Raises NotHere or NotAllowed."""
    here = standing.at(organization_id)
    if not here.may(action):
        raise NotAllowed(standing.refusal_of(here, action), here.here)
    try:
        return here, market_participations.progress(current.work(), here.here, participation_id)
    except ParticipationNotFound as missing:
        raise NotHere from missing


def _page(here: Standing, found: Progress, error: str) -> BaseResponse:
    row = found.row
    is_applied = found.state is ParticipationState.APPLIED
    people = (row.applied_by, row.approved_by, row.ended_by, *(one.done_by for one in found.steps))
    known = names(current.work(), people)
    body = render_template(
        "participation.html",
        organization=here.here,
        row=row,
        name=name_of(row.market),
        kind=KINDS.of(row.market.kind),
        state=state_text(found),
        badge=BADGES[found.state],
        number=found.number,
        known=known,
        tasks=_tasks(here, found, known),
        may_decide=is_applied and here.may(Action.DECIDE_PARTICIPATION),
        may_withdraw=is_applied
        and here.may(Action.APPLY_FOR_PARTICIPATION)
        and not here.may(Action.DECIDE_PARTICIPATION),
        step_url=participation_url("pages.confirm_step", here, row.id),
        decide_url=participation_url("pages.decide", here, row.id),
        end_url=participation_url("pages.end_participation", here, row.id)
        if found.state is ParticipationState.APPROVED and here.may(Action.DECIDE_PARTICIPATION)
        else "",
        list_url=list_url(here),
        error=error,
        values=request.form,
    )
    return Response(body, status=400 if error else 200)


def _tasks(here: Standing, found: Progress, known: dict[str, str]) -> list[Task]:
    """Contact roles are assigned once the participation is approved (RG-13)."""
    may = here.may(Action.APPLY_FOR_PARTICIPATION)
    is_alive = found.state is not ParticipationState.ENDED
    waits = found.state is ParticipationState.APPLIED
    return [
        Task(
            one.step,
            STEPS.of(one.step),
            one.done_at,
            known.get(one.done_by, one.done_by),
            may and is_alive and not (waits and one.step is Step.CONTACTS),
        )
        for one in found.steps
    ]


def _end_page(here: Standing, found: Progress, error: str) -> BaseResponse:
    row, work = found.row, current.work()
    name, version, number = name_of(row.market), row.version, row.id
    with answers(here):
        trial = participation_end.attempt(work, here.actor, here.here, number, version)
    obstacles = change_lines.refusals_of(trial.tried)
    body = render_template(
        "end_participation.html",
        organization=here.here,
        name=name,
        version=version,
        obstacles=obstacles,
        effects=[*_effects(trial), *change_lines.effects_of(trial.tried)],
        confirm_url=participation_url("pages.confirm_participation_end", here, number),
        back=participation_url("pages.participation", here, number),
        list_url=list_url(here),
        error=error,
    )
    return Response(body, status=400 if error else 409 if obstacles else 200)


def _effects(trial: Trial) -> list[str]:
    access, contacts = trial.access, trial.contacts
    found = [gettext("The roles of this participation can no longer be given.")]
    if access:
        found.append(ngettext("%(num)s access role ends.", "%(num)s access roles end.", access))
    if trial.has_machines:
        found.append(gettext("Programs in production that use these roles may stop."))
    if contacts:
        found.append(ngettext("%(num)s contact role ends.", "%(num)s contact roles end.", contacts))
    return [*found, gettext("Their holders and the representatives get an e-mail about it.")]
