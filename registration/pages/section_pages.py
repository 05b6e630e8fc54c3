"""Sections of an organization: the list, a new one, changes and the end (CO-03)."""

from __future__ import annotations

from dataclasses import asdict

from flask import Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response as BaseResponse

from hosted_pages.texts import complete
from registration import current, organization_lists, sections
from registration.delegation_rules import Action
from registration.models import Section
from registration.pages import downloads, query_days, standing
from registration.pages.appointment_answers import (
    MAX_WHY,
    answers,
    prove_first,
    sentence_of,
    words,
)
from registration.pages.contact_role_pages import name_of
from registration.pages.person_forms import FAULTS
from registration.pages.standing import NotHere, Standing
from registration.section_refusals import (
    SectionFieldsInvalid,
    SectionHoldsRoles,
    SectionNameTaken,
    SectionNotFound,
)
from registration.sections import MAX_NAME, SectionFields
from registration.work_refusals import ChangedMeanwhile

LABELS = complete(
    ("name", "phone", "email"),
    {"name": _("Name"), "phone": _("Phone"), "email": _("E-mail")},
)


def every(organization_id: str) -> str:
    """The sections and their contact roles, as of now or of a past day."""
    here = standing.at(organization_id)
    asked = query_days.as_of()
    may_change = asked.day is None and here.may(Action.KEEP_SECTIONS)
    return render_template(
        "sections.html",
        organization=here.here,
        rows=organization_lists.sections(current.work(), here.here, asked.at),
        name_of=name_of,
        as_of=asked.text,
        as_of_day=asked.day,
        export_urls=downloads.urls(here, "pages.export_sections"),
        here_path=_list_url(here),
        new_url=_place("pages.new_section", here) if may_change else "",
        url_of=(lambda endpoint, row: _place(endpoint, here, row)) if may_change else None,
        contacts_url=_place("pages.contact_roles", here),
    )


def form(organization_id: str) -> BaseResponse:
    """The form of a new section."""
    here = standing.at(organization_id, Action.KEEP_SECTIONS)
    if not current.has_fresh_factor():
        return prove_first(here, _place("pages.new_section", here))
    return _form(here, None, SectionFields(), {})


def register(organization_id: str) -> BaseResponse:
    """Register what was entered."""
    here = standing.at(organization_id, Action.KEEP_SECTIONS)
    if not current.has_fresh_factor():
        return prove_first(here, _place("pages.new_section", here))
    try:
        with answers(here):
            done = sections.register(current.work(), here.actor, here.here, _entered())
    except (SectionFieldsInvalid, SectionNameTaken) as refused:
        return _wrong(here, None, refused)
    flash(gettext("The section %(name)s was registered.", name=done.name))
    return redirect(_list_url(here), code=303)


def correction(organization_id: str, section_id: int) -> BaseResponse:
    """The form, with what is registered."""
    here, row = _found(organization_id, section_id)
    if not current.has_fresh_factor():
        return prove_first(here, _place("pages.correct_section", here, row))
    return _form(here, row, sections.fields_of(row), {})


def store(organization_id: str, section_id: int) -> BaseResponse:
    """Store what was entered."""
    here, row = _found(organization_id, section_id)
    target = _place("pages.correct_section", here, row)
    if not current.has_fresh_factor():
        return prove_first(here, target)
    try:
        with answers(here):
            sections.change(
                current.work(), here.actor, here.here, section_id, _version(), _entered()
            )
    except (SectionFieldsInvalid, SectionNameTaken) as refused:
        return _wrong(here, row, refused)
    except ChangedMeanwhile as changed:
        return _again(target, sentence_of(changed))
    flash(gettext("The section was changed."))
    return redirect(_list_url(here), code=303)


def end(organization_id: str, section_id: int) -> BaseResponse:
    """What the end entails, or the contact roles that stand against it."""
    here, row = _found(organization_id, section_id)
    if not current.has_fresh_factor():
        return prove_first(here, _place("pages.end_section", here, row))
    held = sections.roles_of(current.work(), row)
    obstacles = [
        gettext("The section holds a contact role: %(role)s.", role=name_of(one.contact_role))
        for one in held
    ]
    body = render_template(
        "end_section.html",
        organization=here.here,
        row=row,
        obstacles=obstacles,
        effects=[gettext("The section can no longer hold contact roles.")],
        confirm_url=_place("pages.confirm_section_end", here, row),
        roles_url=_place("pages.contact_section", here, row),
        back=_list_url(here),
    )
    return Response(body, status=409 if obstacles else 200)


def confirm_end(organization_id: str, section_id: int) -> BaseResponse:
    """End it, as it was seen."""
    here, row = _found(organization_id, section_id)
    target = _place("pages.end_section", here, row)
    if not current.has_fresh_factor():
        return prove_first(here, target)
    try:
        with answers(here):
            sections.end(
                current.work(), here.actor, here.here, section_id, _version(),
                words("why", MAX_WHY),
            )  # fmt: skip
    except (ChangedMeanwhile, SectionHoldsRoles) as refused:
        return _again(target, sentence_of(refused))
    flash(gettext("The section has ended."))
    return redirect(_list_url(here), code=303)


def _found(organization_id: str, section_id: int) -> tuple[Standing, Section]:
    here = standing.at(organization_id, Action.KEEP_SECTIONS)
    try:
        return here, sections.kept(current.work(), here.here, section_id)
    except SectionNotFound as missing:
        raise NotHere from missing


def _entered() -> SectionFields:
    return SectionFields(*(request.form.get(name, "")[:300] for name in ("name", "phone", "email")))


def _version() -> int:
    return query_days.number(request.form.get("version", ""))


def _again(target: str, text: str) -> BaseResponse:
    current.work().db.rollback()
    flash(text, "warning")
    return redirect(target, code=303)


def _wrong(
    here: Standing, row: Section | None, refused: SectionFieldsInvalid | SectionNameTaken
) -> BaseResponse:
    current.work().db.rollback()
    if isinstance(refused, SectionFieldsInvalid):
        errors = {name: FAULTS.of(fault) for name, fault in refused.faults.items()}
    else:
        errors = {"name": sentence_of(refused)}
    return _form(here, row, _entered(), errors)


def _form(
    here: Standing, row: Section | None, values: SectionFields, errors: dict[str, str]
) -> BaseResponse:
    body = render_template(
        "section.html",
        organization=here.here,
        row=row,
        fields=[(name, LABELS.of(name), value) for name, value in asdict(values).items()],
        errors=errors,
        most={"name": MAX_NAME, "phone": 40, "email": 254},
        version=_version() or (row.version if row else ""),
        confirm_url=_place("pages.store_section", here, row)
        if row
        else _place("pages.register_section", here),
        back=_list_url(here),
    )
    return Response(body, status=400 if errors else 200)


def _list_url(here: Standing) -> str:
    return _place("pages.sections", here)


def _place(endpoint: str, here: Standing, row: Section | None = None) -> str:
    number = here.here.organization_id
    if row is None:
        return url_for(endpoint, organization_id=number)
    return url_for(endpoint, organization_id=number, section_id=row.id)
