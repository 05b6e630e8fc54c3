"""Persons and accounts: create and find them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, func, select

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.db import table
from idp.directory import account_search, second_accounts, separation_of_duties
from idp.directory.directory_refusals import (
    AccountNotFound,
    EmailInvalid,
    LanguageUnknown,
    PersonNameInvalid,
    PersonNameMissing,
    PhoneInvalid,
    UserIDInvalid,
    UsernameTaken,
)
from idp.directory.second_accounts import SecondAccountGrounds
from idp.gathering import Lookup
from idp.models import Account, AccountKind, AccountState, Person, SearchTerm
from idp.policy import phone_number as phones
from idp.policy.email_address import BadAddress, email_key, single_address
from idp.policy.names import MAX_NAME, name_key, printable
from idp.policy.phone_number import national
from idp.transaction import UnitOfWork

MAX_PERSON_NAME = 100
LOCALES = ("en", "fr")
_OF_NAME = select(Account).where(Account.username_key == bindparam("key"))
_ACCOUNT = table(Account).c
_WITH_NAMES = select(_ACCOUNT.username_key).where(
    _ACCOUNT.username_key.in_(bindparam("keys", expanding=True))
)

_WITH_PERSON_IDS = select(Person).where(Person.person_id.in_(bindparam("keys", expanding=True)))


def _read_names(work: UnitOfWork, keys: Sequence[str]) -> dict[str, bool]:
    return dict.fromkeys(work.run(_WITH_NAMES, {"keys": keys}).scalars(), True)


def _read_persons(work: UnitOfWork, person_ids: Sequence[str]) -> dict[str, Person]:
    found = work.db.scalars(_WITH_PERSON_IDS, {"keys": person_ids})
    return {person.person_id: person for person in found}


#: Whether an account has, or ever had, the login name with this key (N81).
TAKEN_NAMES: Lookup[str, bool] = Lookup(_read_names)
#: The person with this Person ID.
PERSONS: Lookup[str, Person] = Lookup(_read_persons)


@dataclass(frozen=True, kw_only=True)
class NewPerson:
    """The data of a person as registered."""

    person_id: str
    given_name: str
    family_name: str
    email: str
    middle_name: str = ""
    preferred_name: str = ""
    phone: str = ""


def find_for_sign_in(work: UnitOfWork, typed: str) -> Account | None:
    """The account for a UserID or an e-mail address entered at sign-in.

    A login name takes precedence. An e-mail address that is not a login name is accepted only if
    exactly one personal account has it, because a person may hold several accounts.
    """
    key = email_key(typed)
    if not key:
        return None
    account = work.db.scalar(_OF_NAME, {"key": key})
    if account is not None or "@" not in key:
        return account
    found = work.db.scalars(
        select(Account)
        .join(Account.person)
        .where(
            Person.email_key == key,
            Account.kind == AccountKind.PERSONAL,
            Account.state != AccountState.DEACTIVATED,
        )
        .limit(2)
    ).all()
    return found[0] if len(found) == 1 else None


def by_username(work: UnitOfWork, username: str) -> Account:
    """The account with exactly this login name. Raises NotFound."""
    account = find_by_username(work, username)
    if account is None:
        raise AccountNotFound(username)
    return account


def find_by_username(work: UnitOfWork, username: str) -> Account | None:
    """As ``by_username``, or None."""
    return work.db.scalar(_OF_NAME, {"key": name_key(username)})


def by_subject(work: UnitOfWork, subject: str) -> Account | None:
    """The account of this subject identifier."""
    return work.db.scalar(select(Account).where(Account.subject == subject[:40]))


def list_accounts(work: UnitOfWork, person: Person, *, exclude: Account) -> list[Account]:
    """The person's other accounts, by login name."""
    query = select(Account).where(Account.person_id == person.id, Account.id != exclude.id)
    return list(work.db.scalars(query.order_by(Account.username_key)))


def count_persons_with_phone(work: UnitOfWork, phone: str) -> int:
    """How many persons have this telephone number. A shared number is a company's and proves little
    (CR-09)."""
    if not phone:
        return 0
    query = (
        select(func.count(Account.person_id.distinct()))
        .select_from(SearchTerm)
        .join(Account, Account.id == SearchTerm.account_id)
        .where(SearchTerm.term == national(phone))
    )
    return work.db.scalar(query) or 0


def stream_accounts(
    work: UnitOfWork, *, after: str = "", limit: int | None = None
) -> Iterator[Account]:
    """Accounts with a login name after ``after``, in order, streamed."""
    query = select(Account).order_by(Account.username_key).limit(limit)
    if after:
        query = query.where(Account.username_key > name_key(after))
    return iter(work.db.scalars(query.execution_options(yield_per=500)))


def get_or_create_person(work: UnitOfWork, data: NewPerson) -> Person:
    """The person with this Person ID, created if necessary. Raises Invalid."""
    person = PERSONS.find(work, data.person_id)
    return create_person(work, data) if person is None else person


def create_person(work: UnitOfWork, data: NewPerson) -> Person:
    """A new person. Raises Invalid."""
    values = validated(data)
    person = Person(
        person_id=data.person_id,
        email_key=name_key(values["email"]),
        created_at=work.now,
        updated_at=work.now,
        **values,
    )
    work.add_with_key(person)
    PERSONS.learn(work, person.person_id, person)
    second_accounts.FIRST_ACCOUNTS.learn(work, person.id, None)
    return person


def validated(data: NewPerson) -> dict[str, str]:
    """Validate and normalize the data of a person. Raises Invalid."""
    names = (data.given_name, data.middle_name, data.family_name, data.preferred_name)
    if not data.given_name and not data.family_name:
        raise PersonNameMissing()
    if any(len(name) > MAX_PERSON_NAME or not printable(name) for name in names):
        raise PersonNameInvalid()
    email = validated_email(data.email)
    phone = phones.parse(data.phone) if data.phone else phones.Phone("")
    if phone is None:
        raise PhoneInvalid(data.phone)
    return {
        "given_name": data.given_name,
        "middle_name": data.middle_name,
        "family_name": data.family_name,
        "preferred_name": data.preferred_name,
        "email": email,
        "phone": phone.e164,
        "phone_extension": phone.extension,
    }


def validated_email(text: str) -> str:
    """Validate and normalize one plain e-mail address. Raises Invalid (N85)."""
    try:
        return single_address(text)
    except BadAddress as error:
        raise EmailInvalid(error.fault) from error


def validated_username(username: str, kind: AccountKind) -> str:
    """Validate a user name, and normalize that of an e-mail account. Raises Invalid."""
    if kind is AccountKind.EMAIL:
        username = validated_email(username)
    is_plain = username.isascii() and username.isprintable() and 0 < len(username) <= MAX_NAME
    has_at = kind is not AccountKind.EMAIL and "@" in username
    if not is_plain or has_at or any(char.isspace() for char in username):
        raise UserIDInvalid()
    return username


def create_account(
    work: UnitOfWork,
    person: Person,
    *,
    kind: AccountKind,
    username: str,
    locale: str = "en",
    second: SecondAccountGrounds | None = None,
) -> Account:
    """Create a pending account. Raises Conflict if any account ever had the name (N81), and the
    errors of ``second_accounts.columns``."""
    separation_of_duties.check_person(work, person)
    username = validated_username(username, kind)
    key = name_key(username)
    if locale not in LOCALES:
        raise LanguageUnknown()
    if TAKEN_NAMES.find(work, key):
        raise UsernameTaken(username)
    account = Account(
        subject=work.token(16),
        kind=kind,
        state=AccountState.PENDING,
        state_changed_at=work.now,
        username=username,
        username_key=key,
        sort_name=account_search.sort_name(person.family_name, person.given_name),
        person_id=person.id,
        person=person,
        locale=locale,
        zoneinfo="America/Toronto",
        created_at=work.now,
        updated_at=work.now,
        ends_at=None,
        **second_accounts.columns(work, person, kind, second),
    )
    work.add_with_key(account)
    TAKEN_NAMES.learn(work, key, True)
    second_accounts.note_new(work, account)
    # No application knows it.
    work.receivers[account.id] = []
    account_search.add_terms(work, account)
    about: dict[str, Any] = {"second": account.second_reason} if second else {}
    events.record(work, AuditAction.ACCOUNT_CREATED, account=account, kind=str(kind), **about)
    return account
