"""The person behind a User. A push writes only what it says itself, and about the person that it
names: what the account showed of another person before is never carried over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from scim2_models import PatchOp
from sqlalchemy import select

from idp.directory import accounts, persons
from idp.directory.persons import PersonChanges
from idp.errors import Invalid
from idp.models import AccountKind, Person
from idp.policy import phone_number as phones
from idp.policy.email_address import email_key
from idp.policy.names import name_key
from idp.transaction import UnitOfWork
from registration_bridge.reach import Reach
from registration_bridge.text_values import clean
from registration_bridge.user_schema import Email, Name, PhoneNumber, Registration

MAX_PERSON_ID = 40


def shown(person: Person) -> dict[str, Any]:
    """What a User shows of its holder, by the names of the resource's attributes."""
    extension = f";ext={person.phone_extension}" if person.phone_extension else ""
    return {
        "name": Name(
            family_name=person.family_name or None,
            given_name=person.given_name or None,
            middle_name=person.middle_name or None,
        ),
        "nick_name": person.preferred_name or None,
        "emails": [Email(value=person.email, type="work", primary=True)],
        "phone_numbers": [
            PhoneNumber(value=f"tel:{person.phone}{extension}", type="work", primary=True)
        ]
        if person.phone
        else None,
    }


def put_named(work: UnitOfWork, user: Any, patch: PatchOp[Any]) -> None:
    """Make ``user`` ready for a PATCH that names another custodian: it then shows that person as
    registered, or nothing of a person who is not, so that the PATCH changes nothing but what its
    operations say."""
    if not _has_custodian(user):
        return
    tried = user.model_copy(deep=True)
    patch.patch(tried)
    wanted = _person_id(tried)
    if wanted in ("", _person_id(user)):
        return
    person = _held(work, wanted)
    blank = {"name": None, "nick_name": None, "emails": None, "phone_numbers": None}
    for name, value in (shown(person) if person else blank).items():
        setattr(user, name, value)


def complete(work: UnitOfWork, current: Any, replacement: Any) -> None:
    """Make a PUT that names another custodian whole: what it does not say of that person stays as
    registered. Raises Invalid when it says of the new custodian what the account showed of the
    former one, as clients do that send back what they have read."""
    if not _has_custodian(current) or _person_id(replacement) == _person_id(current):
        return
    person = _held(work, _person_id(replacement))
    if person is not None:
        _fill(replacement, person)
    own = shown(person) if person else {}
    carried = [
        word
        for attribute, (word, value_of) in _TELLING.items()
        if (said := value_of(getattr(replacement, attribute)))
        and said == value_of(getattr(current, attribute))
        and said != value_of(own.get(attribute))
        # Somebody who is not known yet may well have the same name.
        and (person is not None or attribute != "name")
    ]
    if carried:
        raise Invalid(
            f"the {' and '.join(carried)} is the former custodian's: say the new "
            "custodian's own, or name the new custodian by a PATCH of personId alone"
        )


def fill(work: UnitOfWork, user: Any) -> None:
    """Make a POST for somebody who is known whole: what it leaves out stays as registered."""
    person = persons.by_person_id(work, _person_id(user))
    if person is not None:
        _fill(user, person)


def register(work: UnitOfWork, reach: Reach, user: Any) -> Person:
    """The person whom a whole User names: made, or changed to what it says. Raises Invalid and the
    errors of SCIM."""
    person_id = _person_id(user)
    if not person_id or len(person_id) > MAX_PERSON_ID:
        raise Invalid(f"personId is needed, {MAX_PERSON_ID} characters at most")
    known = persons.by_person_id(work, person_id)
    if known is not None:
        reach.check_person(work, known)
        reach.update_person(work, known, changes(user))
        return known
    said = changes(user)
    if not said.email or not (said.given_name or said.family_name):
        raise Invalid(f"{person_id} is not registered yet: the push has to say name and e-mail")
    return accounts.get_or_create_person(
        work,
        accounts.NewPerson(
            person_id=person_id,
            given_name=said.given_name or "",
            middle_name=said.middle_name or "",
            family_name=said.family_name or "",
            preferred_name=said.preferred_name or "",
            email=said.email,
            phone=said.phone or "",
        ),
    )


def changes(user: Any) -> PersonChanges:
    """What a whole User says of its holder: what it leaves out is empty."""
    name = user.name or Name()
    return PersonChanges(
        given_name=clean(name.given_name),
        middle_name=clean(name.middle_name),
        family_name=clean(name.family_name),
        preferred_name=clean(user.nick_name),
        email=_only(user.emails, "e-mail address", email_key) or None,
        phone=_phone(user.phone_numbers),
    )


def _fill(user: Any, person: Person) -> None:
    """What is registered of the person, where ``user`` says nothing."""
    for name, value in shown(person).items():
        if not getattr(user, name):
            setattr(user, name, value)
    if user.name.middle_name is None:
        user.name.middle_name = person.middle_name or None


def _held(work: UnitOfWork, person_id: str) -> Person | None:
    """The person, whom nobody else changes until the push is done."""
    query = select(Person.id).where(Person.person_id == person_id).with_for_update()
    work.db.execute(query)
    return persons.by_person_id(work, person_id)


def _has_custodian(user: Any) -> bool:
    return bool(user[Registration].account_kind == AccountKind.MACHINE)


def _person_id(user: Any) -> str:
    extension = user[Registration]
    return clean(extension.person_id) if extension is not None else ""


def _first(rows: list[Any] | None) -> str:
    """The value that counts: the primary one, else the one for work, else the first."""
    ranked = sorted(rows or [], key=lambda row: (not row.primary, str(row.type or "") != "work"))
    return clean(ranked[0].value) if ranked else ""


def _phone(rows: list[Any] | None) -> str:
    """The number, from RFC 3966 or as people write it."""
    return _as_written(_only(rows, "telephone", lambda text: phones.parse(_as_written(text))))


def _as_written(text: str) -> str:
    return unquote(text).removeprefix("tel:").replace(";ext=", " ext ")


def _only(rows: list[Any] | None, word: str, same: Callable[[str], Any]) -> str:
    """The value that counts. Raises Invalid when there is another one, or when it is said not to be
    the primary one: either would be lost."""
    told = [row.primary for row in rows or ()]
    if False in told and True not in told:
        raise Invalid(f"the only {word} is the primary one: leave primary out, or let it be true")
    if len({same(clean(row.value)) for row in rows or ()}) > 1:
        raise Invalid(f"a person has one {word}: push the one that counts, without another one")
    return _first(rows)


def _full_name(name: Name | None) -> str:
    return f"{clean(name.given_name)} {clean(name.family_name)}".casefold() if name else ""


def _address(rows: list[Any] | None) -> str:
    return name_key(_first(rows))


def _number(rows: list[Any] | None) -> phones.Phone | None:
    return phones.parse(_phone(rows))


#: Attributes by which somebody is recognised: the word for each, and how it is compared.
_TELLING: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "name": ("name", _full_name),
    "emails": ("e-mail address", _address),
    "phone_numbers": ("telephone", _number),
}
