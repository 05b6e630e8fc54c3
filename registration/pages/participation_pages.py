"""Participations of an organization: the list, and how one is applied for: its type, the
participation, the required tasks, Proceed (RG-12)."""

from __future__ import annotations

from flask import Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response as BaseResponse

from hosted_pages.languages import is_french
from hosted_pages.texts import complete
from registration import current, market_participations
from registration.catalogue import Market as CatalogueMarket
from registration.delegation_facts import ParticipationState
from registration.delegation_rules import Action
from registration.market_participations import Progress, Step
from registration.models import Market
from registration.pages import downloads, query_days, standing
from registration.pages.appointment_answers import answers, prove_first, sentence_of
from registration.pages.standing import NotHere, Standing
from registration.participation_refusals import NothingToApplyFor

KINDS = complete(
    CatalogueMarket.KINDS,
    {
        "market": _("Market participation"),
        "program": _("Program participation"),
        "service_provider": _("Service provider"),
    },
)
STATES = complete(
    ParticipationState,
    {
        ParticipationState.APPLIED: _("Applied for"),
        ParticipationState.APPROVED: _("Approved"),
        ParticipationState.ENDED: _("Ended"),
    },
)
BADGES = {
    ParticipationState.APPLIED: "warn",
    ParticipationState.APPROVED: "good",
    ParticipationState.ENDED: "",
}
STEPS = complete(
    Step,
    {
        Step.CONNECTIVITY: _("Confirm connectivity to IESO information systems"),
        Step.CONTACTS: _("Assign contact roles"),
    },
)


def every(organization_id: str) -> str:
    """The participations, as of now or of a past day."""
    here = standing.at(organization_id)
    asked = query_days.as_of()
    return render_template(
        "participations.html",
        organization=here.here,
        rows=market_participations.of(current.work(), here.here, asked.at),
        at=asked.at,
        as_of=asked.text,
        as_of_day=asked.day,
        export_urls=downloads.urls(here, "pages.export_participations"),
        here_path=list_url(here),
        name_of=name_of,
        kind_of=KINDS.of,
        state_of=state_text,
        badge_of=lambda one: BADGES[one.state],
        url_of=lambda one: participation_url("pages.participation", here, one.row.id),
        apply_url=url_for("pages.find_participation", organization_id=organization_id)
        if asked.day is None and here.may(Action.APPLY_FOR_PARTICIPATION)
        else "",
    )


def choose(organization_id: str) -> str:
    """The type, then what of it the organization can apply for."""
    here = standing.at(organization_id, Action.APPLY_FOR_PARTICIPATION)
    wanted = request.args.get("kind", "")
    rows = market_participations.available(current.work(), here.here)
    return render_template(
        "find_participation.html",
        organization=here.here,
        kinds=[(one, KINDS.of(one)) for one in CatalogueMarket.KINDS],
        kind=wanted if wanted in CatalogueMarket.KINDS else "",
        kind_text=KINDS.of(wanted),
        rows=[one for one in rows if one.kind == wanted],
        name_of=name_of,
        apply_url=lambda row: _apply_url("pages.apply", here, row),
        here_path=url_for("pages.find_participation", organization_id=organization_id),
        list_url=list_url(here),
    )


def review(organization_id: str, market: str) -> BaseResponse:
    """The required tasks. Nothing is stored."""
    here, row = _applicant(organization_id, market)
    if not current.has_fresh_factor():
        return prove_first(here, _apply_url("pages.apply", here, row))
    body = render_template(
        "apply.html",
        organization=here.here,
        name=name_of(row),
        kind=KINDS.of(row.kind),
        steps=[STEPS.of(one) for one in Step],
        confirm_url=_apply_url("pages.confirm_application", here, row),
        back=url_for("pages.find_participation", organization_id=organization_id, kind=row.kind),
        list_url=list_url(here),
    )
    return Response(body)


def confirm(organization_id: str, market: str) -> BaseResponse:
    """Proceed: apply."""
    here = standing.at(organization_id, Action.APPLY_FOR_PARTICIPATION)
    if not current.has_fresh_factor():
        found = _applicant(organization_id, market)[1]
        return prove_first(here, _apply_url("pages.apply", here, found))
    try:
        with answers(here):
            made = market_participations.apply(current.work(), here.actor, here.here, market)
    except NothingToApplyFor as refused:
        current.work().db.rollback()
        known = (one.row.market.code for one in market_participations.of(
            current.work(), here.here, current.work().now))  # fmt: skip
        if market not in known:
            raise NotHere from refused
        flash(sentence_of(refused), "warning")
        return redirect(list_url(here), code=303)
    flash(gettext("The organization has applied for %(market)s.", market=name_of(made.market)))
    return redirect(participation_url("pages.participation", here, made.id), code=303)


def name_of(row: Market) -> str:
    """The name of the market or program."""
    return row.name_fr if is_french() else row.name


def state_text(one: Progress) -> str:
    """Its state; an application that was refused or withdrawn never became a participation."""
    return str(gettext("Not approved")) if one.was_refused else STATES.of(one.state)


def list_url(here: Standing) -> str:
    """The address of the list of participations."""
    return url_for("pages.participations", organization_id=here.here.organization_id)


def participation_url(endpoint: str, here: Standing, participation_id: int) -> str:
    """The address of a page of this participation."""
    number = here.here.organization_id
    return url_for(endpoint, organization_id=number, participation_id=participation_id)


def _applicant(organization_id: str, market: str) -> tuple[Standing, Market]:
    """The standing of somebody who applies, and for what. Raises NotHere, NotAllowed."""
    here = standing.at(organization_id, Action.APPLY_FOR_PARTICIPATION)
    rows = market_participations.available(current.work(), here.here)
    found = next((one for one in rows if one.code == market), None)
    if found is None:
        raise NotHere
    return here, found


def _apply_url(endpoint: str, here: Standing, row: Market) -> str:
    return url_for(endpoint, organization_id=here.here.organization_id, market=row.code)
