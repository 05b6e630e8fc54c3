"""What only the IESO's own people have: all organizations, the registration of a new one (TM-02,
TM-08), and the change of its name (RG-15). For everybody else these pages do not exist."""

from __future__ import annotations

from flask import Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as BaseResponse

from registration import current, organizations
from registration.organization_refusals import (
    OrganizationNameInvalid,
    OrganizationNumberInvalid,
    OrganizationTaken,
)
from registration.organizations import MAX_DIGITS, MAX_NAME
from registration.pages import query_days, standing
from registration.pages.appointment_answers import MAX_WHY, prove_first, sentence_of, words
from registration.pages.standing import NotHere, Standing
from registration.work_refusals import ChangedMeanwhile


def every() -> str:
    """The list, with a search by name or Organization ID."""
    require_operator()
    text = words("q", MAX_NAME)
    start = query_days.number(request.args.get("after", ""))
    rows, following = organizations.search(current.work(), text, after=start)
    return render_template(
        "organizations.html",
        rows=rows,
        text=text,
        here_path=url_for("pages.organizations"),
        new_url=url_for("pages.new_organization", name=text or None),
        first_url=url_for("pages.organizations", q=text or None) if start else "",
        next_url=url_for("pages.organizations", q=text or None, after=following)
        if following
        else "",
    )


def form() -> BaseResponse:
    """The form of a new organization."""
    require_operator()
    return _form({}) if current.has_fresh_factor() else _prove_first()


def register() -> BaseResponse:
    """Register what was entered. What comes next is an application for a participation."""
    require_operator()
    if not current.has_fresh_factor():
        return _prove_first()
    actor, name, number = standing.actor(), words("name", MAX_NAME + 1), words("number", 80)
    try:
        row = organizations.register(current.work(), actor, name, number)
    except (OrganizationNameInvalid, OrganizationTaken) as refused:
        return _form({"name": sentence_of(refused)})
    except OrganizationNumberInvalid as refused:
        return _form({"number": sentence_of(refused)})
    flash(
        gettext(
            "The organization %(name)s was registered with the Organization ID %(number)s.",
            name=row.name,
            number=row.organization_id,
        )
    )
    target = url_for("pages.participations", organization_id=row.organization_id)
    return redirect(target, code=303)


def name_form(organization_id: str) -> BaseResponse:
    """The form of the name of an organization."""
    require_operator()
    here = standing.at(organization_id)
    return _name_form(here) if current.has_fresh_factor() else _prove_name_first(here)


def store_name(organization_id: str) -> BaseResponse:
    """Store the name that was entered."""
    require_operator()
    here = standing.at(organization_id)
    if not current.has_fresh_factor():
        return _prove_name_first(here)
    version = query_days.number(request.form.get("version", ""))
    try:
        organizations.rename(
            current.work(), here.actor, here.here, version, words("name", MAX_NAME + 1),
            words("why", MAX_WHY),
        )  # fmt: skip
    except (OrganizationNameInvalid, OrganizationTaken) as refused:
        return _name_form(here, sentence_of(refused))
    except ChangedMeanwhile as changed:
        flash(sentence_of(changed), "warning")
        return redirect(_name_url(here), code=303)
    flash(gettext("The organization has the name %(name)s.", name=here.here.name))
    return redirect(url_for("pages.update_organization", organization_id=organization_id), 303)


def require_operator() -> None:
    """Raises NotHere for everybody else."""
    if not current.is_operator():
        raise NotHere


def _form(errors: dict[str, str]) -> BaseResponse:
    body = render_template(
        "new_organization.html",
        name=words("name", MAX_NAME),
        number=words("number", MAX_DIGITS),
        most={"name": MAX_NAME, "number": MAX_DIGITS},
        errors=errors,
        confirm_url=url_for("pages.register_organization"),
        back=url_for("pages.organizations"),
    )
    return Response(body, status=400 if errors else 200)


def _prove_first() -> BaseResponse:
    target = url_for("pages.new_organization", name=words("name", MAX_NAME) or None)
    return prove_first(None, target)


def _name_form(here: Standing, error: str = "") -> BaseResponse:
    row = here.here
    body = render_template(
        "organization_name.html",
        organization=row,
        name=words("name", MAX_NAME) or row.name,
        version=request.form.get("version", row.version),
        most=MAX_NAME,
        error=error,
        confirm_url=url_for("pages.store_name", organization_id=row.organization_id),
        back=url_for("pages.update_organization", organization_id=row.organization_id),
    )
    return Response(body, status=400 if error else 200)


def _name_url(here: Standing) -> str:
    return url_for("pages.organization_name", organization_id=here.here.organization_id)


def _prove_name_first(here: Standing) -> BaseResponse:
    return prove_first(here, _name_url(here))
