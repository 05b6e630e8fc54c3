"""People and access roles from a file: choose it, see what would come of each line, confirm (RG-03
to RG-06, AR-01 to AR-10)."""

from __future__ import annotations

from functools import cache

from flask import Response, flash, redirect, render_template, request, url_for
from flask_babel import force_locale, gettext, ngettext
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response as BaseResponse

from hosted_pages.csv_files import csv_lines
from hosted_pages.languages import is_french
from hosted_pages.texts import complete
from registration import current, grid_query, import_files, people_imports
from registration.delegation_facts import AccountKind
from registration.delegation_rules import Action
from registration.import_files import COLUMNS, MAX_BYTES, MAX_LINES, PERSON_ID, ROLES, FileLine
from registration.import_refusals import ImportNotPossible
from registration.pages import import_lines, person_forms, standing
from registration.pages.appointment_answers import MAX_WHY, answers, prove_first, sentence_of, words
from registration.pages.role_names import under_heading
from registration.pages.standing import Standing
from registration.person_fields import REQUIRED
from registration.role_grid import plain
from service_base.refusals import Invalid

LABELS = complete(
    COLUMNS,
    {**person_forms.LABEL_TEXTS, PERSON_ID: _("Person ID"), ROLES: _("Access roles")},
)


def form(organization_id: str) -> BaseResponse:
    """The form for the file. The second factor is asked for first, since a file cannot wait for
    it."""
    here = _importer(organization_id)
    return _prove_first(here) or _form(here, "")


def template(organization_id: str) -> Response:
    """A file with the headings, in the language of the page."""
    _importer(organization_id)
    heads = [LABELS.of(name) for name in COLUMNS]
    body = "".join(csv_lines(heads, (), ";" if is_french() else ","))
    response = Response(body, content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="people.csv"'
    return response


def review(organization_id: str) -> BaseResponse:
    """What would come of the file. Nothing is stored."""
    here = _importer(organization_id)
    if asked := _prove_first(here):
        return asked
    sent = request.files.get("file")
    try:
        if sent is not None and sent.filename:
            text = import_files.text_of(sent.read(MAX_BYTES + 1))
        else:
            text = request.form.get("text", "")
        return _review(here, text, 200)
    except Invalid as refused:
        current.work().db.rollback()
        return _form(_importer(organization_id), sentence_of(refused))


def confirm(organization_id: str) -> BaseResponse:
    """Do what was reviewed. If something changed meanwhile, nothing is done and the review shows
    what."""
    here = _importer(organization_id)
    if asked := _prove_first(here):
        return asked
    text = request.form.get("text", "")
    try:
        with answers(here):
            count, order = people_imports.carry_out(
                current.work(), here.actor, here.here, _lines(text), request.form.get("seen", ""),
                why=words("why", MAX_WHY), is_attested=bool(request.form.get("attested")),
            )  # fmt: skip
    except ImportNotPossible:
        current.work().db.rollback()
        return _review(_importer(organization_id), text, 409)
    except Invalid as refused:
        current.work().db.rollback()
        return _form(_importer(organization_id), sentence_of(refused))
    if count:
        flash(ngettext("%(num)s person was registered.", "%(num)s persons were registered.", count))
    if order is None:
        return redirect(url_for("pages.find_person", organization_id=organization_id), code=303)
    flash(gettext("The request %(number)s was sent to the gateway.", number=order.number))
    return redirect(url_for("pages.request", number=order.number), code=303)


def _importer(organization_id: str) -> Standing:
    return standing.at(organization_id, Action.REGISTER_PERSON)


def _prove_first(here: Standing) -> BaseResponse | None:
    if current.has_fresh_factor():
        return None
    number = here.here.organization_id
    return prove_first(here, url_for("pages.import_people", organization_id=number))


def _lines(text: str) -> list[FileLine]:
    return import_files.lines_of(text, _headings())


@cache
def _headings() -> dict[str, str]:
    """The columns by their headings in both languages."""
    found: dict[str, str] = {}
    for language in ("en", "fr"):
        with force_locale(language):
            found |= {plain(LABELS.of(name)): name for name in COLUMNS}
    return found


def _form(here: Standing, error: str) -> BaseResponse:
    number = here.here.organization_id
    work = current.work()
    roles = grid_query.columns(work, here.here, AccountKind.PERSON, work.now, is_french=is_french())
    body = render_template(
        "import.html",
        organization=here.here,
        error=error,
        text=request.form.get("text", ""),
        columns=[(LABELS.of(name), name, name in REQUIRED) for name in COLUMNS],
        roles=[(one.code, under_heading(one)) for one in roles],
        may_grant=here.may(Action.GRANT_ACCESS),
        max_lines=MAX_LINES,
        template_url=url_for("pages.import_template", organization_id=number),
        review_url=url_for("pages.review_import", organization_id=number),
        find_url=url_for("pages.find_person", organization_id=number),
    )
    return Response(body, status=400 if error else 200)


def _review(here: Standing, text: str, status: int) -> BaseResponse:
    number = here.here.organization_id
    with answers(here):
        found = people_imports.preview(current.work(), here.actor, here.here, _lines(text))
    # The preview has rolled back what was read.
    here = _importer(number)
    body = render_template(
        "import_review.html",
        organization=here.here,
        rows=import_lines.rows(found, here.here, LABELS),
        summary=import_lines.summary(found),
        obstacles=import_lines.obstacles(found),
        effects=import_lines.effects(found),
        reminders=import_lines.reminders(found, here.here),
        is_late=status == 409,
        text=text,
        seen=found.seen,
        has_grants=any(one.granted for one in found.results),
        why=words("why", MAX_WHY),
        confirm_url=url_for("pages.confirm_import", organization_id=number),
        form_url=url_for("pages.import_people", organization_id=number),
        find_url=url_for("pages.find_person", organization_id=number),
    )
    return Response(body, status=status if found.is_possible else 409)
