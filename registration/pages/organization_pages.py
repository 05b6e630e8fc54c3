"""Who speaks for an organization: representatives, contact roles and machines, as of any day; and
what can be updated, and by whom."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import render_template, url_for
from flask_babel import gettext

from registration import contact_directory, current, organization_lists
from registration.delegation import appointable, visible
from registration.delegation_facts import Target
from registration.delegation_rules import Action
from registration.delegation_texts import TIERS
from registration.organization_lists import Holder, Office
from registration.pages import downloads, query_days, standing
from registration.pages.contact_role_pages import keeps, name_of, text_of
from registration.pages.standing import Standing


def representatives(organization_id: str) -> str:
    """Authorized Representatives, Primary Contacts, Rights Administrators, Applicant
    Representatives."""
    here, common = _common(organization_id, "pages.representatives")
    is_now = common["as_of_day"] is None
    offices = [
        replace(one, holders=tuple(reachable(here, who) for who in one.holders))
        for one in organization_lists.offices(current.work(), here.here, common["at"])
    ]
    return render_template(
        "representatives.html",
        **common,
        offices=offices,
        appoint_url=_appoint_url(here) if is_now else "",
        ended=[one.tier for one in offices if is_now and _may_end(here, one)],
        end_url=lambda holder: url_for(
            "pages.end_appointment", organization_id=organization_id, appointment_id=holder.row
        ),
        office_text=lambda tier: gettext(TIERS[tier]),
    )


def _appoint_url(here: Standing) -> str:
    number = here.here.organization_id
    is_possible = appointable(here.actor, number, here.facts)
    return url_for("pages.find_representative", organization_id=number) if is_possible else ""


def _may_end(here: Standing, office: Office) -> bool:
    """Whether the person who asks may end the appointments to this office; a letter that this needs
    is entered later."""
    targets = [
        Target(here.here.organization_id, one.id, office.tier, letter="later")
        for one in office.holders
    ]
    return bool(visible(here.actor, Action.END_APPOINTMENT, targets, here.facts))


def contact_roles(organization_id: str) -> str:
    """The contact roles and who holds them (CO-02, CO-04)."""
    here, common = _common(organization_id, "pages.contact_roles")
    roles = [
        replace(one, holders=tuple(reachable(here, who) for who in one.holders))
        for one in organization_lists.contact_roles(current.work(), here.here, common["at"])
    ]
    may_change = common["as_of_day"] is None and keeps(here)
    number = here.here.organization_id
    return render_template(
        "contact_roles.html",
        **common,
        roles=roles,
        name_of=name_of,
        text_of=text_of,
        change_url=(lambda role: url_for("pages.contact_role", organization_id=number, role=role))
        if may_change
        else None,
        find_url=url_for("pages.find_contact", organization_id=number),
        sections_url=url_for("pages.sections", organization_id=number),
        sections=contact_directory.sections(current.work(), here.here) if may_change else [],
        section_url=lambda row: url_for(
            "pages.contact_section", organization_id=number, section_id=row.id
        ),
    )


def update(organization_id: str) -> str:
    """Each kind of update, and who does it (RG-15)."""
    here = standing.at(organization_id)
    place: dict[str, Any] = {"organization_id": organization_id}
    return render_template(
        "update_organization.html",
        organization=here.here,
        contacts_url=url_for("pages.contact_roles", **place),
        sections_url=url_for("pages.sections", **place),
        may_keep=keeps(here),
        name_url=url_for("pages.organization_name", **place) if here.actor.is_operator else "",
    )


def machines(organization_id: str) -> str:
    """The machines, their custodians and networks (MA-02, MA-03), or the one with this exact ID
    (MA-01)."""
    here, common = _common(organization_id, "pages.machines")
    wanted = query_days.text("id")
    rows = organization_lists.machines(current.work(), here.here, common["at"], wanted)
    is_now = common["as_of_day"] is None
    return render_template(
        "machines.html",
        **common,
        machines=rows,
        wanted=wanted,
        register_url=url_for("pages.find_custodian", organization_id=organization_id)
        if is_now and here.may(Action.REGISTER_MACHINE)
        else "",
        machine_url=(
            lambda row: url_for(
                "pages.machine", organization_id=organization_id, machine_id=row.row
            )
        )
        if is_now and here.may(Action.SEE_MACHINE)
        else None,
    )


def reachable(here: Standing, holder: Holder) -> Holder:
    """Without telephone and address, if the person who asks may not see that person's information
    today: somebody who was a holder and has nothing here any more."""
    if not holder.id or here.may_to(Action.SEE_PERSON, holder.id):
        return holder
    return replace(holder, phone="", email="")


def _common(organization_id: str, endpoint: str) -> tuple[Standing, dict[str, Any]]:
    here, asked = standing.at(organization_id), query_days.as_of()
    return here, {
        "organization": here.here,
        "at": asked.at,
        "as_of": asked.text,
        "as_of_day": asked.day,
        "here_path": url_for(endpoint, organization_id=organization_id),
        "export_urls": downloads.urls(here, endpoint.replace("pages.", "pages.export_")),
    }
