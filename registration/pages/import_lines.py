"""What would come of each line of a file, in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flask_babel import gettext, ngettext
from flask_babel import lazy_gettext as _

from hosted_pages.languages import is_french
from hosted_pages.texts import Texts, complete
from registration import current, own_lists
from registration.grid_query import column_of
from registration.models import Organization, Person
from registration.pages import change_lines, person_forms
from registration.people_imports import Fault, LineFault, LineResult, Outcome, Preview

OUTCOMES = complete(
    Outcome,
    {
        Outcome.CREATED: _("New person"),
        Outcome.FOUND: _("Registered already"),
        Outcome.REFUSED: _("Refused"),
    },
)
BADGES = {Outcome.CREATED: "good", Outcome.FOUND: "", Outcome.REFUSED: "danger"}
FAULTS = complete(
    LineFault,
    {
        LineFault.FORMULA: _("A value begins like a formula: %(names)s."),
        LineFault.SAME_NAME: _(
            "Persons of this name are registered: %(names)s. If it is one of them, enter that "
            "Person ID in the file. If it is another person, enter “new” as Person ID."
        ),
        LineFault.UNKNOWN_PERSON: _("Nobody has the Person ID %(names)s."),
        LineFault.OTHER_NAME: _("The Person ID belongs to somebody of another name: %(names)s."),
        LineFault.TWICE: _("Line %(names)s has the same person."),
        LineFault.UNKNOWN_ROLE: _("There is no access role %(names)s."),
    },
)


@dataclass(frozen=True)
class Row:
    """A line of the file as the page has it."""

    number: int
    name: str
    about: str
    outcome: str
    badge: str
    #: What is granted, or is held already.
    roles: tuple[str, ...]
    #: Why it is refused.
    remarks: tuple[str, ...]


def rows(found: Preview, here: Organization, labels: Texts) -> list[Row]:
    """The lines of the file, in its order."""
    results = found.results
    ids = {one.person_id for one in results} | {
        name for one in results for fault in one.faults for name in fault.names
    }
    people = {one.person_id: one for one in own_lists.persons(current.work(), ids)}
    codes = {role for one in results for role in one.line.roles}
    roles = {
        row.code: column_of(row, is_french=is_french()).name
        for row in own_lists.access_roles(current.work(), codes)
    }
    return [
        Row(
            one.line.number,
            _name(one, people),
            _about(one, people),
            OUTCOMES.of(one.outcome),
            BADGES[one.outcome],
            tuple(_roles(one, roles)),
            tuple(_remarks(one, here, labels, people, roles)),
        )
        for one in results
    ]


def summary(found: Preview) -> list[str]:
    """How many lines have each outcome."""
    counts = found.counts
    texts = {
        Outcome.CREATED: ngettext(
            "%(num)s person would be registered.", "%(num)s persons would be registered.",
            counts[Outcome.CREATED],
        ),
        Outcome.FOUND: ngettext(
            "%(num)s person is registered already.", "%(num)s persons are registered already.",
            counts[Outcome.FOUND],
        ),
        Outcome.REFUSED: ngettext(
            "%(num)s line is refused.", "%(num)s lines are refused.", counts[Outcome.REFUSED]
        ),
    }  # fmt: skip
    return [text for outcome, text in texts.items() if counts[outcome]]


def obstacles(found: Preview) -> list[str]:
    """Why the file cannot be confirmed."""
    if found.is_possible:
        return []
    if found.counts[Outcome.REFUSED]:
        return [gettext("Correct the refused lines in the file, then choose it again. "
                        "Nothing is imported until all lines can be.")]  # fmt: skip
    return [gettext("Nothing would change.")]


def reminders(found: Preview, here: Organization) -> list[str]:
    """Whose identity should be proofed again before a grant (TM-10)."""
    people = (one.person_id for one in found.results if one.person_id and one.granted)
    return change_lines.reminders_of(people, here)


def effects(found: Preview) -> list[str]:
    """What happens when it is confirmed."""
    said = [gettext("Persons who are registered already keep their information as it is.")]
    if any(one.granted for one in found.results):
        said += change_lines.effects(found.trial)
    return said


def _name(one: LineResult, people: dict[str, Person]) -> str:
    if one.person_id in people:
        return people[one.person_id].full_name
    entered = one.line.entered
    name = f"{entered.first_name} {entered.middle_name} {entered.last_name}"
    return " ".join(name.split()) or one.line.person_id


def _about(one: LineResult, people: dict[str, Person]) -> str:
    """What tells the person apart from others of the same name."""
    person = people.get(one.person_id)
    return ", ".join(filter(None, (
        one.person_id,
        person.preferred_name if person else one.line.entered.preferred_name,
        one.line.entered.main_email,
    )))  # fmt: skip


def _roles(one: LineResult, roles: dict[str, str]) -> Iterator[str]:
    for code in one.granted:
        yield roles.get(code, code)
    for code in one.held:
        yield gettext("%(role)s (held already)", role=roles.get(code, code))


def _remarks(
    one: LineResult,
    here: Organization,
    labels: Texts,
    people: dict[str, Person],
    roles: dict[str, str],
) -> Iterator[str]:
    for name, wrong in one.fields.items():
        text = person_forms.FAULTS.of(wrong)
        yield gettext("%(column)s: %(text)s", column=labels.of(name), text=text)
    for fault in one.faults:
        yield FAULTS.of(fault.kind, names=", ".join(_named(fault, labels, people)))
    for code, refused in one.denied:
        why = " ".join(change_lines.refusal_lines(refused, here))
        yield gettext("%(column)s: %(text)s", column=roles.get(code, code), text=why)
    for words in one.words:
        yield gettext("The gateway refuses the change: %(words)s", words=words)


def _named(fault: Fault, labels: Texts, people: dict[str, Person]) -> list[str]:
    if fault.kind is LineFault.FORMULA:
        return [labels.of(name) for name in fault.names]
    if fault.kind is LineFault.SAME_NAME:
        return [_described(people[name]) for name in fault.names if name in people]
    return list(fault.names)


def _described(person: Person) -> str:
    """By the Person ID, and the names that differ."""
    more = " ".join(filter(None, (person.middle_name, person.preferred_name)))
    return f"{person.person_id} ({more})" if more else person.person_id
