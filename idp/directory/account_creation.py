"""A new account for a new or a registered person, with its activation mail."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from idp.directory import accounts, activation, persons, userids
from idp.directory.accounts import NewPerson
from idp.directory.directory_refusals import PersonRegisteredOtherwise
from idp.directory.second_accounts import SecondAccountGrounds
from idp.models import Account, AccountKind, Person
from idp.transaction import UnitOfWork


@dataclass(frozen=True, kw_only=True)
class AccountRequest:
    """What is asked for. Without ``username`` the gateway generates the UserID, or takes the next
    machine ID. Of a registered person only the Person ID is needed."""

    person: NewPerson
    kind: AccountKind
    username: str = ""
    locale: str = "en"
    second: SecondAccountGrounds | None = None


def create(work: UnitOfWork, wanted: AccountRequest) -> Account:
    """Create the account, pending, and queue its activation mail. Raises Invalid, Conflict, or the
    errors of ``accounts.create_account``."""
    holder = _holder(work, wanted.person)
    made = (
        accounts.create_account(
            work,
            holder,
            kind=wanted.kind,
            username=wanted.username,
            locale=wanted.locale,
            second=wanted.second,
        )
        if wanted.username
        else userids.create(
            work, holder, kind=wanted.kind, locale=wanted.locale, second=wanted.second
        )
    )
    activation.invite(work, made, is_new=True)
    return made


def _holder(work: UnitOfWork, person: NewPerson) -> Person:
    """The person, created if necessary. Raises Invalid if the data differ from the registered
    ones."""
    known = persons.by_person_id(work, person.person_id)
    if known is None:
        return accounts.get_or_create_person(work, person)
    given = {name: value for name, value in asdict(person).items() if value and name != "person_id"}
    if other := persons.differences(known, persons.PersonChanges(**given)):
        raise PersonRegisteredOtherwise(person.person_id, tuple(other))
    return known
