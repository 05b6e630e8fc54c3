"""Participants: what they take part in, and who speaks for them (NT-03, NT-05, NT-11)."""

from __future__ import annotations

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as BaseResponse

from idp import current
from idp.directory import contacts, participations
from idp.directory import participants as service
from idp.directory.contacts import ContactRef
from idp.errors import Conflict, Invalid, NotFound, Refused
from idp.models import ContactFunction
from idp.web import refusal_texts
from idp.web.console import labels


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/participants", "participants", participants)
    pages.add_url_rule("/participants/contact", "set_contact", set_contact, methods=["POST"])


def participants() -> BaseResponse:
    """The participant of a number that was typed."""
    return _page(request.args.get("number", "").strip())


def set_contact() -> BaseResponse:
    """Appoint a contact, or end the function of one."""
    work, form = current.work(), request.form
    number = form.get("number", "").strip()
    entry = ContactRef(form.get("person_id", "").strip(), form.get("function", ""))
    try:
        row = service.lock_by_number(work, number)
        rest = {
            one for one in contacts.to_entries(contacts.list_contacts(work, row)) if one != entry
        }
        contacts.replace(work, row, rest if form.get("change") == "dismiss" else {*rest, entry})
    except (Conflict, Invalid, NotFound, Refused) as error:
        return _page(number, error=refusal_texts.of(error))
    flash(gettext("The contacts were changed. The people concerned will receive an e-mail."))
    return redirect(url_for("console.participants", number=number), code=303)


def _page(number: str, *, error: str = "") -> BaseResponse:
    work, row = current.work(), None
    try:
        row = service.by_number(work, number[:20]) if number else None
    except NotFound as unknown:
        error = error or refusal_texts.of(unknown)
    body = render_template(
        "console/participants.html",
        number=number,
        participant=row,
        parts=participations.list_participations(work, row) if row else [],
        contacts=contacts.list_contacts(work, row) if row else [],
        functions=[(str(one), labels.function(one)) for one in ContactFunction],
        error=error,
    )
    return Response(body, status=400 if error else 200)
