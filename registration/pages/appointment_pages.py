"""Representatives are appointed: choose, review, confirm (TM-01, TM-02, procedure G)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as BaseResponse

from hosted_pages.languages import day as day_text
from registration import accounts, appointments, current, own_lists
from registration.appointments import Terms
from registration.delegation import Refused, appointable, who_can
from registration.delegation_facts import OFFICES, Target, Tier
from registration.delegation_rules import Action, Reason
from registration.models import Person
from registration.pages import query_days, standing
from registration.pages.account_roles_pages import found_page
from registration.pages.appointment_answers import (
    MAX_LETTER,
    MAX_WHY,
    Correctable,
    answers,
    list_url,
    office_text,
    prove_first,
    sentence_of,
    words,
)
from registration.pages.standing import NotAllowed, NotHere, Standing
from service_base.refusals import Conflict, Invalid


@dataclass(frozen=True)
class Entered:
    """What the form of an appointment has: the office, the last day and the letter, as typed."""

    office: Tier
    until: str
    letter: str

    @property
    def fields(self) -> dict[str, str]:
        """As fields of a form or of an address."""
        return {"office": self.office.value, "until": self.until, "letter": self.letter}

    @property
    def is_day_wrong(self) -> bool:
        """Whether a last day was typed that cannot be read."""
        return bool(self.until) and query_days.read(self.until) is None

    @property
    def terms(self) -> Terms:
        """What the service is asked for. The last day belongs to the appointment."""
        day = query_days.read(self.until)
        return Terms(query_days.end_of(day) if day else None, words("why", MAX_WHY), self.letter)


def find(organization_id: str) -> str:
    """The search for the person to appoint."""
    here = _appointer(organization_id)
    return found_page(
        here, gettext("Appoint a representative"), "pages.find_representative", "pages.appoint"
    )


def form(organization_id: str, person_id: str) -> str:
    """Which office, and until when."""
    here = _appointer(organization_id)
    return _form(here, _person(person_id), {})


def review(organization_id: str, person_id: str) -> BaseResponse:
    """What would come of the appointment. Nothing is changed."""
    here, person = _appointer(organization_id), _person(person_id)
    return _review(here, person)


def confirm(organization_id: str, person_id: str) -> BaseResponse:
    """Appoint. If it is no longer possible, nothing is done and the review says why."""
    here, person = _appointer(organization_id), _person(person_id)
    entered = _entered(here)
    if entered is None or entered.is_day_wrong or not current.has_fresh_factor():
        return _review(here, person)
    try:
        with answers(here):
            appointments.appoint(
                current.work(), here.actor, here.here, person, entered.office, entered.terms
            )
    except (Conflict, Invalid, Correctable):
        current.work().db.rollback()
        return _review(standing.at(organization_id), _person(person_id))
    flash(gettext("%(name)s is now %(office)s.", name=person.full_name,
                  office=office_text(entered.office)))  # fmt: skip
    return redirect(list_url(here), code=303)


def _appointer(organization_id: str) -> Standing:
    """The standing of somebody who can fill an office. Raises NotHere or NotAllowed."""
    here = standing.at(organization_id)
    here.require(Action.SEARCH_PERSONS)
    if not appointable(here.actor, organization_id, here.facts):
        found = [
            one
            for office in OFFICES
            for one in who_can(
                Action.APPOINT,
                Target(organization_id, office=office),
                here.facts,
                but=here.actor.person,
            )
        ]
        raise NotAllowed(Refused(Reason.TIER, tuple(dict.fromkeys(found))), here.here)
    return here


def _person(person_id: str) -> Person:
    found = own_lists.persons(current.work(), [person_id])
    if not found:
        raise NotHere
    return found[0]


def _entered(here: Standing) -> Entered | None:
    """What was entered; None if the office is none that the person who asks can fill."""
    typed = request.values.get("office", "")
    if typed not in appointable(here.actor, here.here.organization_id, here.facts):
        return None
    return Entered(Tier(typed), request.values.get("until", "").strip()[:10],
                   words("letter", MAX_LETTER))  # fmt: skip


def _form(here: Standing, person: Person, errors: dict[str, str]) -> str:
    number = here.here.organization_id
    offices = appointable(here.actor, number, here.facts)
    return render_template(
        "appoint.html",
        organization=here.here,
        person=person,
        offices=[(one.value, office_text(one)) for one in offices],
        values=request.values,
        needs_letter=here.actor.is_operator,
        errors=errors,
        review_url=url_for(
            "pages.review_appointment", organization_id=number, person_id=person.person_id
        ),
        find_url=url_for("pages.find_representative", organization_id=number),
        back=list_url(here),
    )


def _review(here: Standing, person: Person) -> BaseResponse:
    entered = _entered(here)
    if entered is None:
        return _wrong(here, person, {"office": gettext("Choose a role.")})
    if entered.is_day_wrong:
        return _wrong(here, person, {"until": gettext("Enter the day as YYYY-MM-DD.")})
    work, terms = current.work(), entered.terms
    try:
        with answers(here):
            appointments.check(work, here.actor, here.here, person, entered.office, terms)
    except Correctable as refused:
        field = "letter" if here.actor.is_operator and not entered.letter else "office"
        return _wrong(here, person, {field: str(refused)})
    except (Conflict, Invalid) as refused:
        field = "until" if isinstance(refused, Invalid) else "office"
        return _wrong(here, person, {field: sentence_of(refused)})
    place: dict[str, Any] = {
        "organization_id": here.here.organization_id,
        "person_id": person.person_id,
    }
    typed: dict[str, Any] = {**place, **entered.fields}
    if not current.has_fresh_factor():
        return prove_first(here, url_for("pages.review_appointment", **typed))
    body = render_template(
        "appoint_review.html",
        organization=here.here,
        person=person,
        office=office_text(entered.office),
        effects=_effects(person, entered),
        fields=entered.fields.items(),
        confirm_url=url_for("pages.confirm_appointment", **place),
        back=url_for("pages.appoint", **typed),
        list_url=list_url(here),
    )
    return Response(body)


def _wrong(here: Standing, person: Person, errors: dict[str, str]) -> BaseResponse:
    return Response(_form(here, person, errors), status=400)


def _effects(person: Person, entered: Entered) -> list[str]:
    found = [gettext("The appointment takes effect within seconds.")]
    if entered.terms.until is not None:
        day = day_text(query_days.read(entered.until))
        found.append(gettext("It expires after %(day)s.", day=day))
    if accounts.of_person(current.work(), person) is None:
        found.append(gettext("This person has no account yet. The gateway makes one."))
    return [*found, gettext("%(name)s gets an e-mail about it.", name=person.full_name)]
