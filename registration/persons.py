"""Persons: registering one after a search, and changing one's own information (RG-02 to RG-10)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict

from sqlalchemy import or_, select

from registration import account_pushes, history, notices, person_search, requests
from registration.delegation_facts import Actor, Target
from registration.delegation_rules import Action
from registration.models import Account, Custody, History, Machine, Organization, Person
from registration.organization_facts import facts_of, facts_of_person
from registration.permission import lock, require
from registration.person_fields import AT_GATEWAY, PersonFields
from registration.person_refusals import PersonIdTaken, SameNameRegistered
from registration.role_grid import plain
from registration.transaction import UnitOfWork
from registration.work_refusals import ChangedMeanwhile

#: Actions of the history.
REGISTERED, CHANGED = "person.registered", "person.changed"
#: Person IDs that registration gives begin here (RG-02).
FIRST_PERSON_ID = 500_001


def register(
    work: UnitOfWork,
    actor: Actor,
    organization: Organization,
    entered: PersonFields,
    *,
    seen: Collection[str] = (),
) -> Person:
    """Register a person under a new Person ID. ``seen`` are the Person IDs that the search has
    shown: another person of the same name must be among them (RG-04, RG-05).

    Raises NotAllowed, PersonFieldsInvalid, SameNameRegistered. Without an account yet: that comes
    with the first role (AR-07)."""
    lock(work, organization)
    facts = facts_of(work, organization, actor.person)
    require(actor, Action.REGISTER_PERSON, Target(organization.organization_id), facts)
    values = entered.cleaned()
    wait_for_others(work)
    unseen = [one.person_id for one in same_name(work, values) if one.person_id not in seen]
    if unseen:
        raise SameNameRegistered(tuple(unseen))
    return add(work, organization, values)


def wait_for_others(work: UnitOfWork) -> None:
    """Before persons are looked for who may be the same: others, also of another organization, may
    be registering them now."""
    requests.hold(work, "person", FIRST_PERSON_ID)


def add_known(work: UnitOfWork, person_id: str, entered: PersonFields) -> Person:
    """Register somebody whose Person ID the gateway gave: one of the IESO's own people, before
    anybody can sign in here. Raises PersonFieldsInvalid, PersonIdTaken."""
    values = entered.cleaned()
    wait_for_others(work)
    if work.db.scalar(select(Person.id).where(Person.person_id == person_id)) is not None:
        raise PersonIdTaken(person_id=person_id)
    return add(work, None, values, person_id=person_id)


def add(
    work: UnitOfWork,
    organization: Organization | None,
    values: PersonFields,
    why: str = "",
    *,
    person_id: str = "",
) -> Person:
    """Write a person under a new Person ID, or under this one. The caller has checked the fields
    and whether the actor may, and has told the person apart from others of the same name."""
    person = Person(
        **asdict(values),
        person_id=person_id
        or requests.free_number(work, "person", FIRST_PERSON_ID, Person.person_id),
        search_key=_search_key(values),
        created_at=work.now,
        updated_at=work.now,
    )
    work.db.add(person)
    work.db.flush()
    history.record(
        work, REGISTERED, organization=organization, person=person, after=asdict(values), reason=why
    )
    return person


def update(
    work: UnitOfWork, actor: Actor, person: Person, entered: PersonFields, version: int
) -> History | None:
    """Change the information of a person: one's own, or by the IESO (RG-07). ``version`` is that of
    the row which the actor saw. All accounts of the person get the change, also those of the
    machines of which he is the custodian (RG-09). None: nothing is different.

    Raises NotAllowed, PersonFieldsInvalid, ChangedMeanwhile."""
    facts = facts_of_person(work, person)
    require(actor, Action.UPDATE_PERSON, Target("", person.person_id), facts)
    values = entered.cleaned()
    if person.version != version:
        raise ChangedMeanwhile()
    before, after = _difference(fields_of(person), values)
    if not after:
        return None
    old_address = person.main_email
    for name, value in after.items():
        setattr(person, name, value)
    person.search_key, person.updated_at = _search_key(values), work.now
    work.db.flush()
    request = requests.open_request(work, "person.change", person=person)
    entry = history.record(
        work, CHANGED, person=person, request=request, before=before, after=after
    )
    if set(after) & set(AT_GATEWAY):
        for account in _accounts(work, person):
            account_pushes.queue(work, account, request)
    for address in dict.fromkeys((person.main_email, old_address)):
        notices.of_person(work, person, entry, address, by=notices.by_name(work, actor))
    return entry


def same_name(work: UnitOfWork, values: PersonFields) -> list[Person]:
    """The persons with the same first and last name, whatever the accents and capitals."""
    start = person_search.search_key(values.first_name, values.last_name)
    query = (
        select(Person)
        .where(Person.search_key.startswith(start, autoescape=True))
        .order_by(Person.person_id)
    )
    wanted = plain(values.first_name), plain(values.last_name)
    return [
        one
        for one in work.db.scalars(query)
        if (plain(one.first_name), plain(one.last_name)) == wanted
    ]


def fields_of(person: Person) -> PersonFields:
    """What is registered, as the form shows it."""
    return PersonFields(**{name: getattr(person, name) for name in asdict(PersonFields())})


def _difference(old: PersonFields, new: PersonFields) -> tuple[dict[str, str], dict[str, str]]:
    before, after = asdict(old), asdict(new)
    changed = [name for name in after if before[name] != after[name]]
    return {name: before[name] for name in changed}, {name: after[name] for name in changed}


def _search_key(values: PersonFields) -> str:
    return person_search.search_key(
        values.first_name, values.last_name, values.middle_name, values.preferred_name
    )


def _accounts(work: UnitOfWork, person: Person) -> list[Account]:
    """His own, and those of the machines in his custody."""
    machines = (
        select(Machine.account_id)
        .join(Custody, Custody.machine_id == Machine.id)
        .where(Custody.person_id == person.id, Custody.held_at(work.now))
    )
    query = (
        select(Account)
        .where(
            or_(Account.person_id == person.id, Account.id.in_(machines)),
            Account.ended_at.is_(None),
        )
        .order_by(Account.id)
    )
    return list(work.db.scalars(query))
