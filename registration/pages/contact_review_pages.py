"""A batch of contact roles is reviewed and confirmed: limits and pairs over the whole (CO-04,
CO-05)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from flask import Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response as BaseResponse

from hosted_pages.texts import complete
from registration import contact_assignments, contact_directory, current, own_lists
from registration.contact_directory import Directory
from registration.contact_refusals import ContactRulesBroken, NothingChanged
from registration.contact_rules import Batch, Breach, Contact, ContactKind, ContactRule, Fault
from registration.pages import contact_form, standing
from registration.pages.appointment_answers import MAX_WHY, answers, prove_first, words
from registration.pages.contact_form import BadField
from registration.pages.contact_role_pages import keeper, list_url, name_of
from registration.pages.standing import NotHere, Standing

MAX_CHANGES = 200
FAULTS = complete(
    Fault,
    {
        Fault.ALREADY_HELD: _("%(name)s already holds %(role)s. Somebody else has added it."),
        Fault.NOT_HELD: _("%(name)s no longer holds %(role)s. Somebody else has removed it."),
        Fault.BOTH_WAYS: _("%(role)s is given to %(name)s and taken at once."),
        Fault.WRONG_KIND: _(
            "%(name)s cannot hold %(role)s: the role is for another kind of contact."
        ),
        Fault.BELOW_MINIMUM: _(
            "%(role)s would have too few contacts: %(count)s. The minimum is %(limit)s."
        ),
        Fault.ABOVE_MAXIMUM: _(
            "%(role)s would have too many contacts: %(count)s. The maximum is %(limit)s."
        ),
        Fault.EXCLUDED: _("%(name)s cannot hold both: %(role)s."),
    },
)


@dataclass(frozen=True)
class Line:
    """One change."""

    name: str
    id: str
    adds: bool
    role: str


@dataclass(frozen=True)
class Total:
    """A role that the batch changes, and how many hold it before and afterwards."""

    role: str
    rule: ContactRule
    before: int
    after: int


def review(organization_id: str) -> BaseResponse:
    """What the ticks ask for, and what stands against it. Nothing is changed. Somebody who proved a
    second factor meanwhile comes back with the changes in the address."""
    here = keeper(organization_id)
    try:
        if request.method == "GET":
            asked = contact_form.batch_of(request.args.getlist("change"))
        else:
            form = request.form
            asked = contact_form.batch(form.getlist("holding"), form.getlist("seen"))
    except BadField:
        return _again(here, gettext("The list cannot be read. Open it again."))
    return _review(here, asked, 200)


def confirm(organization_id: str) -> BaseResponse:
    """Carry out what was reviewed. If it is no longer possible, nothing is done and the review says
    why."""
    here = keeper(organization_id)
    try:
        asked = contact_form.batch_of(request.form.getlist("change"))
    except BadField:
        return _again(here, gettext("The list cannot be read. Open it again."))
    if not current.has_fresh_factor() or _size(asked) > MAX_CHANGES:
        return _review(here, asked, 200)
    try:
        with answers(here):
            done = contact_assignments.change(
                current.work(), here.actor, here.here, asked, words("why", MAX_WHY)
            )
    except (ContactRulesBroken, NothingChanged):
        current.work().db.rollback()
        return _review(standing.at(organization_id), asked, 409)
    flash(gettext("The contact roles were changed: request %(number)s.", number=done.number))
    return redirect(list_url(here), code=303)


def _review(here: Standing, asked: Batch, status: int) -> BaseResponse:
    number = here.here.organization_id
    if _size(asked) > MAX_CHANGES:
        return _again(here, gettext("At most %(n)s changes can be made at once.", n=MAX_CHANGES))
    fields = contact_form.fields_of(asked)
    breaches: tuple[Breach, ...] = ()
    if fields:
        with answers(here):
            breaches = contact_assignments.preview(current.work(), here.actor, here.here, asked)
        if not current.has_fresh_factor():
            return prove_first(
                here, url_for("pages.review_contacts", organization_id=number, change=fields)
            )
    known = contact_directory.directory(current.work(), here.here)
    names = names_of(here, asked)
    body = render_template(
        "contact_review.html",
        organization=here.here,
        lines=_lines(known, names, asked),
        totals=list(_totals(known, asked)),
        obstacles=obstacles(here, known, asked, breaches),
        effects=effects(known, asked),
        changes=fields,
        confirm_url=url_for("pages.confirm_contacts", organization_id=number),
        list_url=list_url(here),
    )
    return Response(body, status=409 if breaches else status)


def _again(here: Standing, text: str) -> BaseResponse:
    flash(text, "warning")
    return redirect(list_url(here), code=303)


def _size(asked: Batch) -> int:
    return len(asked.added) + len(asked.removed)


def names_of(here: Standing, asked: Batch) -> dict[Contact, str]:
    """The names of all contacts of the batch. Raises NotHere if there is no such person or
    section."""
    contacts = {one.contact for one in asked.added | asked.removed}
    work = current.work()
    people = own_lists.persons(work, [one.id for one in contacts])
    names = {Contact(ContactKind.PERSON, row.person_id): row.full_name for row in people}
    for row in contact_directory.sections(work, here.here):
        names[Contact(ContactKind.SECTION, str(row.id))] = row.name
    if contacts - names.keys():
        raise NotHere
    return names


def _lines(known: Directory, names: dict[Contact, str], asked: Batch) -> list[Line]:
    return [
        Line(
            names[one.contact],
            one.contact.id if one.contact.kind is ContactKind.PERSON else "",
            adds,
            name_of(known.roles[one.role]),
        )
        for holdings, adds in ((asked.removed, False), (asked.added, True))
        for one in sorted(holdings)
    ]


def _totals(known: Directory, asked: Batch) -> Iterator[Total]:
    after = (known.held - asked.removed) | asked.added
    counts = [Counter(one.role for one in some) for some in (known.held, after)]
    changed = {one.role for one in asked.added | asked.removed}
    for code, rule in known.rules.items():
        if code in changed:
            yield Total(name_of(known.roles[code]), rule, counts[0][code], counts[1][code])


def obstacles(
    here: Standing, known: Directory, asked: Batch, breaches: Iterable[Breach]
) -> list[str]:
    """The rules that the batch breaks, as sentences."""
    names = names_of(here, asked)
    return [_text(known, names, one) for one in breaches]


def _text(known: Directory, names: dict[Contact, str], one: Breach) -> str:
    """The sentence of a breach."""
    roles = [name_of(known.roles[code]) for code in (one.role, one.other) if code in known.roles]
    return FAULTS.of(
        one.fault,
        name=names[one.contact] if one.contact else "",
        role=", ".join(roles),
        count=one.count,
        limit=one.limit,
    )


def effects(known: Directory, asked: Batch) -> list[str]:
    """What the batch entails, as sentences."""
    opens = any(known.roles[one.role].role_groups for one in asked.added | asked.removed)
    return [
        gettext("The change takes effect within seconds, at the next sign-in or token.")
        if opens
        else gettext("These contact roles open no systems."),
        gettext("These people and the Rights Administrators get an e-mail about it."),
    ]
