"""Contact roles are changed: by role, by person and by section (CO-01 to CO-05)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from flask import render_template, request, url_for
from flask_babel import gettext

from hosted_pages.languages import is_french
from registration import contact_directory, current, own_lists
from registration.contact_directory import Directory
from registration.contact_rules import Contact, ContactKind, Holding, by_role, for_contact
from registration.delegation_rules import Action
from registration.models import ContactRole, Person, Section
from registration.pages import standing
from registration.pages.account_roles_pages import found_page
from registration.pages.contact_form import written
from registration.pages.standing import NotAllowed, NotHere, Standing
from registration.role_grid import plain

CHANGES = (Action.ASSIGN_CONTACT_ROLE, Action.REMOVE_CONTACT_ROLE)
#: People offered on the page of a role; more of them ask for a name.
MOST = 50
MAX_TEXT = 80


@dataclass(frozen=True)
class Choice:
    """A line with a tick."""

    value: str
    name: str
    hint: str
    is_held: bool


def find(organization_id: str) -> str:
    """By person: the search."""
    here = keeper(organization_id)
    here.require(Action.SEARCH_PERSONS)
    return found_page(
        here, gettext("Contact roles by person"), "pages.find_contact", "pages.contact_person"
    )


def of_role(organization_id: str, role: str) -> str:
    """By role: its contacts, and who can become one (CO-02)."""
    here = keeper(organization_id)
    known = contact_directory.directory(current.work(), here.here)
    found = {count.rule.name: (count, held) for count, held in by_role(known.rules, known.held)}
    if role not in found:
        raise NotHere
    count, held = found[role]
    text = request.args.get("q", "").strip()[:MAX_TEXT]
    people, has_more = _people(
        here, text, [one.id for one in held if one.kind is ContactKind.PERSON]
    )
    sections = contact_directory.sections(current.work(), here.here)
    contacts = dict(_contacts(sections, people))
    shown = [one for one in contacts if one in held or one.kind in count.rule.kinds]
    return render_template(
        "contact_role.html",
        **_common(here, known),
        role=known.roles[role],
        count=count,
        choices=[_choice(role, one, contacts[one], is_held=one in held) for one in shown],
        seen=[written(Holding(role, one)) for one in shown if one in held],
        text=text,
        has_more=has_more,
        here_path=url_for("pages.contact_role", organization_id=organization_id, role=role),
        find_url=url_for("pages.find_contact", organization_id=organization_id)
        if ContactKind.PERSON in count.rule.kinds
        else "",
    )


def of_person(organization_id: str, person_id: str) -> str:
    """By person: the roles that he holds or can hold (CO-01)."""
    here = keeper(organization_id)
    here.require(Action.SEARCH_PERSONS)
    found = own_lists.persons(current.work(), [person_id])
    if not found:
        raise NotHere
    return _of_contact(here, Contact(ContactKind.PERSON, person_id), found[0].full_name, person_id)


def of_section(organization_id: str, section_id: int) -> str:
    """By section: the roles that this desk holds or can hold (CO-03)."""
    here = keeper(organization_id)
    rows = {row.id: row for row in contact_directory.sections(current.work(), here.here)}
    if section_id not in rows:
        raise NotHere
    row = rows[section_id]
    return _of_contact(here, Contact(ContactKind.SECTION, str(section_id)), row.name, row.phone)


def keeper(organization_id: str) -> Standing:
    """The standing of somebody who changes contact roles; each change is decided again."""
    here = standing.at(organization_id)
    if not keeps(here):
        raise NotAllowed(standing.refusal_of(here, Action.ASSIGN_CONTACT_ROLE), here.here)
    return here


def keeps(here: Standing) -> bool:
    """Whether the pages that change contact roles are for the person who asks."""
    return any(here.may(action) for action in CHANGES)


def name_of(role: ContactRole) -> str:
    """The name of the role."""
    return role.name_fr if is_french() else role.name


def text_of(role: ContactRole) -> str:
    """What the role is for."""
    return (is_french() and role.description_fr) or role.description


def list_url(here: Standing) -> str:
    """The address of the list of contact roles."""
    return url_for("pages.contact_roles", organization_id=here.here.organization_id)


def _of_contact(here: Standing, contact: Contact, name: str, hint: str) -> str:
    known = contact_directory.directory(current.work(), here.here)
    counts = for_contact(known.rules, known.held, contact)
    in_order = list(known.roles)
    return render_template(
        "contact.html",
        **_common(here, known),
        name=name,
        hint=hint,
        counts=sorted(counts, key=lambda one: in_order.index(one.rule.name)),
        value_of=lambda role: written(Holding(role, contact)),
        seen=[written(Holding(one.rule.name, contact)) for one in counts if one.is_held],
    )


def _common(here: Standing, known: Directory) -> dict[str, Any]:
    return {
        "organization": here.here,
        "roles": known.roles,
        "name_of": name_of,
        "text_of": text_of,
        "excluded": lambda rule: [
            name_of(known.roles[code]) for code in sorted(_excluded(known, rule.name))
        ],
        "list_url": list_url(here),
        "review_url": url_for("pages.review_contacts", organization_id=here.here.organization_id),
    }


def _excluded(known: Directory, role: str) -> set[str]:
    """The other roles of its pairs, whichever of the two names the pair (CO-05)."""
    named = {code for code, rule in known.rules.items() if role in rule.excludes}
    return (named | known.rules[role].excludes) & set(known.roles)


def _people(here: Standing, text: str, held: Iterable[str]) -> tuple[list[Person], bool]:
    """Those who hold the role, then people of the organization with these words in their name;
    and whether there are more."""
    work, words, first = current.work(), plain(text).split(), set(held)
    rows = own_lists.persons(work, here.members | first)
    rows.sort(key=lambda row: (plain(f"{row.last_name} {row.first_name}"), row.person_id))
    others = [
        row
        for row in rows
        if row.person_id not in first
        and all(word in plain(f"{row.full_name} {row.person_id}") for word in words)
    ]
    return [row for row in rows if row.person_id in first] + others[:MOST], len(others) > MOST


def _contacts(
    sections: Iterable[Section], people: Iterable[Person]
) -> Iterable[tuple[Contact, Section | Person]]:
    for section in sections:
        yield Contact(ContactKind.SECTION, str(section.id)), section
    for person in people:
        yield Contact(ContactKind.PERSON, person.person_id), person


def _choice(role: str, contact: Contact, row: Section | Person, *, is_held: bool) -> Choice:
    if isinstance(row, Section):
        name, hint = row.name, ", ".join(filter(None, (gettext("Section"), row.phone)))
    else:
        name, hint = row.full_name, ", ".join(filter(None, (row.person_id, row.preferred_name)))
    return Choice(written(Holding(role, contact)), name, hint, is_held)
