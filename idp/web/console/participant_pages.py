"""Participants: the list, and for each its participations, contacts, people and machine accounts
(NT-03, NT-05, NT-11)."""

from __future__ import annotations

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response as BaseResponse

from hosted_pages.texts import complete
from idp import current
from idp.directory import account_lists, contacts, participant_lists, participations
from idp.directory import participants as service
from idp.directory.account_lists import AccountFilter
from idp.directory.contacts import ContactRef
from idp.directory.participant_lists import ParticipantFilter, ParticipantState
from idp.errors import Conflict, Invalid, NotFound, Refused
from idp.models import AccountKind, ContactFunction, Participant, ParticipationKind
from idp.web import refusal_texts
from idp.web.console import gate, labels, listing, person_choice
from idp.web.console.listing import ListView

FILTERS = ("text", "state", "participation")
STATES = complete(
    ParticipantState,
    {
        ParticipantState.CURRENT: _("current"),
        ParticipantState.ENDED: _("ended"),
        ParticipantState.REMOVED: _("removed"),
    },
)
KINDS = complete(
    ParticipationKind,
    {
        ParticipationKind.MARKET: _("market"),
        ParticipationKind.PROGRAM: _("program"),
        ParticipationKind.SERVICE: _("service provider"),
    },
)
#: The accounts of a participant, by their kind.
ACCOUNTS = complete(
    AccountKind,
    {
        AccountKind.PERSONAL: _("People"),
        AccountKind.MACHINE: _("Machines"),
        AccountKind.EMAIL: _("E-mail accounts"),
    },
)


def register(pages: Blueprint) -> None:
    pages.add_app_template_filter(STATES.of, "participant_state_in_words")
    pages.add_app_template_filter(participant_lists.state_of, "participant_state")
    pages.add_app_template_filter(KINDS.of, "participation_kind_in_words")
    pages.add_url_rule("/participants", "participants", participants)
    pages.add_url_rule("/participants/contact", "set_contact", set_contact, methods=["POST"])
    pages.add_url_rule("/participants/<number>", "participant", participant)


def participants() -> BaseResponse:
    """The list. A single match of a search is opened directly."""
    work, asked = current.work(), listing.asked_filters(*FILTERS)
    found = participant_lists.page(work, ParticipantFilter(**asked), listing.asked_page())
    if asked["text"] and len(found.rows) == 1 and found.previous is None:
        number = found.rows[0].participant.number
        return redirect(url_for("console.participant", number=number), code=303)
    body = render_template(
        "console/participants.html",
        view=ListView("console.participants", found, asked),
        states=[(str(one), STATES.of(one)) for one in ParticipantState],
        names=[(name, name) for name in participations.list_names(work)],
    )
    return Response(body)


def participant(number: str) -> BaseResponse:
    """One participant."""
    return _page(_one(number))


def _one(number: str) -> Participant:
    found = service.find(current.work(), number[:20])
    if found is None:
        abort(404)
    return found


def set_contact() -> BaseResponse:
    """Appoint a contact, or end the function of one."""
    work, form = current.work(), request.form
    number = form.get("number", "").strip()
    entry = ContactRef(form.get("person_id", "").strip(), form.get("function", ""))
    _one(number)
    try:
        row = service.lock_by_number(work, number)
        rest = {
            one for one in contacts.to_entries(contacts.list_contacts(work, row)) if one != entry
        }
        contacts.replace(work, row, rest if form.get("change") == "dismiss" else {*rest, entry})
    except (Conflict, Invalid, NotFound, Refused) as error:
        return _page(_one(number), error=refusal_texts.of(error))
    flash(gettext("The contacts were changed. The people concerned will receive an e-mail."))
    return redirect(url_for("console.participant", number=number), code=303)


def _page(row: Participant, *, error: str = "") -> BaseResponse:
    work = current.work()
    asked = request.args.get("kind", "")
    kind = AccountKind(asked) if asked in list(AccountKind) else AccountKind.PERSONAL
    criteria = AccountFilter(participant=row.number, kind=kind)
    held = account_lists.page(work, criteria, listing.asked_page())
    fixed = {"number": row.number, "kind": str(kind)}
    body = render_template(
        "console/participant.html",
        participant=row,
        parts=participations.list_participations(work, row),
        contacts=contacts.list_contacts(work, row),
        functions=[(str(one), labels.function(one)) for one in ContactFunction],
        view=ListView("console.participant", held, fixed=fixed),
        kind=kind,
        kinds=[
            (ACCOUNTS.of(one), url_for("console.participant", number=row.number, kind=str(one)),
             one is kind)
            for one in AccountKind
        ],
        may_change=gate.operator().may_open("console.set_contact"),
        choice=person_choice.of_persons("person_id"),
        typed={"function": request.values.get("function", "")},
        error=error,
    )  # fmt: skip
    return Response(body, status=400 if error else 200)
