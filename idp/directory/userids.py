"""Accounts with a generated login name, by the rules of the manual (UI-01 to UI-11)."""

from __future__ import annotations

from sqlalchemy import select

from idp.directory import accounts
from idp.directory.directory_refusals import (
    EmailAccountHasNoUserID,
    NameNotLatin,
    UserIDsExhausted,
    UserIDsTaken,
)
from idp.directory.second_accounts import SecondAccountGrounds
from idp.errors import Collision, Conflict
from idp.models import Account, AccountKind, Person
from idp.policy import userid
from idp.policy.names import name_key
from idp.transaction import UnitOfWork

#: Limits the retries when concurrent requests take the same UserID.
ATTEMPTS = 100


def create(
    work: UnitOfWork,
    person: Person,
    *,
    kind: AccountKind,
    locale: str = "en",
    second: SecondAccountGrounds | None = None,
) -> Account:
    """Create a pending account with the next free personal or machine UserID. Raises Invalid if no
    name can be generated, and the errors of ``accounts.create_account``."""
    if kind is AccountKind.EMAIL:
        raise EmailAccountHasNoUserID()
    for _ in range(ATTEMPTS):
        username = _next(work, person, kind)
        try:
            with work.savepoint():
                return accounts.create_account(
                    work, person, kind=kind, username=username, locale=locale, second=second
                )
        except (Collision, Conflict):
            # A concurrent request took it: try the next one.
            continue
    raise UserIDsTaken()


def _next(work: UnitOfWork, person: Person, kind: AccountKind) -> str:
    try:
        if kind is AccountKind.MACHINE:
            prefix = name_key(userid.MACHINE_PREFIX)
            names = work.db.scalars(
                select(Account.username).where(Account.username_key.startswith(prefix))
            )
            return userid.machine_userid(names, pads=work.settings.machine_id_pads)
        return _personal(work, person)
    except userid.NotLatin as error:
        raise NameNotLatin() from error
    except userid.Exhausted as error:
        raise UserIDsExhausted(error.name) from error


def _personal(work: UnitOfWork, person: Person) -> str:
    """From the registered name or, if that is in another script, from the preferred name, whose
    last word counts as family name."""
    given, middle, family = person.given_name, person.middle_name, person.family_name
    try:
        userid.plain_letters(given + middle + family)
    except userid.NotLatin:
        given, _, family = person.preferred_name.strip().rpartition(" ")
        middle = ""
    names = list(userid.candidates(given=given, middle=middle, family=family))
    # A load has read the first ones ahead.
    known = accounts.TAKEN_NAMES.find_many(work, names) if work.gathering is None else {}

    def is_taken(name: str) -> bool:
        return bool(known[name] if name in known else accounts.TAKEN_NAMES.find(work, name))

    return userid.personal_userid(given=given, middle=middle, family=family, is_taken=is_taken)
