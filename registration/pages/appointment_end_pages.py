"""An appointment is ended: what this entails is shown, then it is confirmed (TM-03 to TM-06, TM-14,
procedure J)."""

from __future__ import annotations

from typing import Any

from flask import Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response as BaseResponse

from hosted_pages.texts import complete
from registration import appointments, current
from registration.appointment_refusals import ReasonNeedsText
from registration.appointments import EndPreview, EndReason
from registration.delegation import Refused
from registration.delegation_facts import Tier
from registration.delegation_rules import Reason
from registration.models import Appointment
from registration.pages import query_days, standing
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
from registration.pages.change_lines import who_lines
from registration.pages.standing import Standing
from registration.work_refusals import ChangedMeanwhile

REASONS = complete(
    EndReason,
    {
        EndReason.LEFT: _("The person has left"),
        EndReason.DUTIES_CHANGED: _("The duties have changed"),
        EndReason.AFFILIATION_CHANGED: _("The affiliation has changed"),
        EndReason.BANKRUPTCY: _("Bankruptcy"),
        EndReason.COMPROMISE: _("The account may be compromised"),
        EndReason.OTHER: _("Another reason"),
    },
)


def form(organization_id: str, appointment_id: int) -> BaseResponse:
    """What the end of the appointment entails, and why it ends. Nothing is changed."""
    here = standing.at(organization_id)
    return _form(here, _appointment(here, appointment_id), "")


def confirm(organization_id: str, appointment_id: int) -> BaseResponse:
    """End the appointment, as it was seen."""
    here = standing.at(organization_id)
    row = _appointment(here, appointment_id)
    typed = request.form.get("reason", "")
    if typed not in list(EndReason):
        return _form(here, row, gettext("Choose a reason."))
    if not current.has_fresh_factor():
        return _form(here, row, "")
    name, office = row.person.full_name, office_text(Tier(row.office))
    is_own = row.person.person_id == here.actor.person
    try:
        with answers(here):
            appointments.end(
                current.work(),
                here.actor,
                row.id,
                query_days.number(request.form.get("version", "")),
                EndReason(typed),
                words("why", MAX_WHY),
                words("letter", MAX_LETTER),
            )
    except ChangedMeanwhile:
        current.work().db.rollback()
        flash(
            gettext("Somebody else has changed this appointment. Read it again."),
            "warning",
        )
        return redirect(list_url(standing.at(organization_id)), code=303)
    except (ReasonNeedsText, Correctable) as refused:
        current.work().db.rollback()
        here = standing.at(organization_id)
        return _form(here, _appointment(here, appointment_id), sentence_of(refused))
    flash(gettext("%(name)s is no longer %(office)s.", name=name, office=office))
    if is_own:
        return redirect(url_for("pages.home"), code=303)
    return redirect(list_url(here), code=303)


def _appointment(here: Standing, appointment_id: int) -> Appointment:
    with answers(here):
        return appointments.held(current.work(), here.here, appointment_id)


def _form(here: Standing, row: Appointment, error: str) -> BaseResponse:
    with answers(here):
        preview = appointments.preview_end(current.work(), here.actor, row)
    place: dict[str, Any] = {
        "organization_id": here.here.organization_id,
        "appointment_id": row.id,
    }
    if not current.has_fresh_factor():
        return prove_first(here, url_for("pages.end_appointment", **place))
    body = render_template(
        "end_appointment.html",
        organization=here.here,
        row=row,
        office=office_text(Tier(row.office)),
        effects=_effects(here, row),
        warnings=_warnings(here, row, preview),
        needs_letter=preview.needs_letter,
        reasons=[("", gettext("Choose")), *((one.value, REASONS.of(one)) for one in EndReason)],
        values=request.form,
        error=error,
        confirm_url=url_for("pages.confirm_end", **place),
        back=list_url(here),
    )
    return Response(body, status=400 if error else 200)


def _effects(here: Standing, row: Appointment) -> list[str]:
    found = [
        gettext("What this role opens is closed within seconds, at the next sign-in or token.")
    ]
    if row.person.person_id == here.actor.person:
        found.append(gettext("This is your own appointment. You cannot give it back to yourself."))
    name = row.person.full_name
    if row.office == Tier.RA:
        return [
            *found, gettext("%(name)s and the Primary Contacts get an e-mail about it.", name=name)
        ]  # fmt: skip
    return [*found, gettext("%(name)s gets an e-mail about it.", name=name)]


def _warnings(here: Standing, row: Appointment, preview: EndPreview) -> list[str]:
    """TM-03 to TM-06: said before the end."""
    found = []
    if preview.leaves_one_ar:
        found.append(
            gettext(
                "There will be only one Authorized Representative. If that person leaves, only the "
                "IESO can appoint the next one."
            )
        )
    if preview.is_last:
        office = office_text(Tier(row.office))
        found.append(
            gettext(
                "Nobody else is %(office)s. These people are asked to fill the role:", office=office
            )
        )
        found += who_lines(Refused(Reason.TIER, preview.asked), here.here)
    return found
