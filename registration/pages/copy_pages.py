"""A person gets the roles of a colleague: a draft that is reviewed and confirmed like every change
of roles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import render_template, request, url_for
from flask_babel import gettext

from hosted_pages.languages import is_french
from registration import contact_directory, current, own_lists, role_copies, role_grid
from registration.delegation import Refused, who_can
from registration.delegation_facts import Target, Tier
from registration.delegation_rules import Action, Reason
from registration.grid_query import column_of
from registration.pages import contact_form
from registration.pages.appointment_answers import office_text
from registration.pages.change_lines import refusal_lines
from registration.pages.contact_review_pages import FAULTS
from registration.pages.contact_role_pages import name_of
from registration.pages.member_options import members
from registration.pages.role_grid_pages import changer
from registration.pages.role_names import under_heading
from registration.pages.standing import NotHere, Standing
from registration.role_copies import AccessCopy, ContactCopy, Draft


@dataclass(frozen=True)
class Line:
    """A role of the colleague. Without remarks it can be copied; ``value`` is its tick."""

    value: str
    name: str
    remarks: tuple[str, ...] = ()


def show(organization_id: str, person_id: str) -> str:
    """The choice of the colleague; then what can be copied, and what not and why."""
    here = changer(organization_id)
    here.require(Action.SEARCH_PERSONS)
    work, colleague_id = current.work(), request.args.get("of", "").strip()[:40]
    people = {one.person_id: one for one in own_lists.persons(work, [person_id, colleague_id])}
    if person_id not in people:
        raise NotHere
    if colleague_id:
        here.require(Action.SEE_PERSON, colleague_id)
    colleague = people.get(colleague_id) if colleague_id != person_id else None
    place: dict[str, Any] = {"organization_id": organization_id}
    found: Draft | None = None
    if colleague is not None:
        found = role_copies.draft(work, here.actor, here.here, person_id, colleague_id)
    return render_template(
        "copy_roles.html",
        organization=here.here,
        person=people[person_id],
        colleague=colleague,
        options=members(here, person_id),
        draft=found,
        access=_access(here, found) if found else [],
        contacts=_contacts(here, found) if found else [],
        offices=_offices(here, found) if found else [],
        seen=_seen(found) if found else "",
        here_path=url_for("pages.copy_roles", person_id=person_id, **place),
        back=url_for("pages.account_roles", person_id=person_id, **place),
        review_url=url_for("pages.review", **place),
        contacts_url=url_for("pages.review_contacts", **place),
    )


def _seen(draft: Draft) -> str:
    """For the form: the cells that were changed before, each with its version."""
    return " ".join(
        f"{role_grid.name_of(one.change.cell)}={one.change.saw}"
        for one in draft.access
        if one.is_possible and one.change.saw
    )


def _access(here: Standing, draft: Draft) -> list[Line]:
    codes = [one.change.cell.role for one in draft.access]
    columns = {
        role.code: column_of(role, is_french=is_french())
        for role in own_lists.access_roles(current.work(), codes)
    }
    return [
        Line(
            role_grid.name_of(one.change.cell),
            under_heading(columns[code]),
            tuple(access_remarks(here, one)),
        )
        for one, code in zip(draft.access, codes, strict=True)
    ]


def access_remarks(here: Standing, one: AccessCopy) -> list[str]:
    """Why this role is not copied; empty if it is."""
    if one.is_held:
        return [gettext("The person has this role already.")]
    return refusal_lines(one.refused, here.here) if one.refused else []


def _contacts(here: Standing, draft: Draft) -> list[Line]:
    names = contact_names(here)
    return [
        Line(
            contact_form.written(one.holding),
            names[one.holding.role],
            tuple(contact_remarks(here, one, names)),
        )
        for one in draft.contacts
    ]


def contact_names(here: Standing) -> dict[str, str]:
    """The names of the contact roles of the organization, by code."""
    known = contact_directory.directory(current.work(), here.here)
    return {code: name_of(row) for code, row in known.roles.items()}


def contact_remarks(here: Standing, one: ContactCopy, names: dict[str, str]) -> list[str]:
    """Why this contact role is not copied; empty if it is."""
    if one.is_held:
        return [gettext("The person has this role already.")]
    if one.refused:
        return refusal_lines(one.refused, here.here)
    if one.breach is None:
        return []
    breach = one.breach
    roles = [names[code] for code in (breach.role, breach.other) if code in names]
    person = own_lists.persons(current.work(), [one.holding.contact.id])[0]
    return [
        FAULTS.of(breach.fault, name=person.full_name, role=", ".join(roles),
                  count=breach.count, limit=breach.limit)
    ]  # fmt: skip


def _offices(here: Standing, draft: Draft) -> list[Line]:
    return [
        Line("", office_text(office), tuple(office_remarks(here, office)))
        for office in draft.offices
    ]


def office_remarks(here: Standing, office: Tier) -> list[str]:
    """Why this office is not copied: who appoints to it."""
    target = Target(here.here.organization_id, "later", office)
    refused = Refused(Reason.IS_OFFICE, who_can(Action.APPOINT, target, here.facts))
    return refusal_lines(refused, here.here)
