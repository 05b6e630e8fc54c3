"""Accounts whose login name the gateway makes by the manual's rules (UI-01 to UI-11)."""

from __future__ import annotations

from sqlalchemy import select

from idp.directory import accounts
from idp.directory.second_accounts import SecondAccountGrounds
from idp.errors import Collision, Conflict, Invalid
from idp.models import Account, AccountKind, Person
from idp.policy import userid
from idp.policy.names import name_key
from idp.transaction import UnitOfWork

#: Others may take the same id at the same moment; each of them got one, so this ends.
ATTEMPTS = 100


def create(
    work: UnitOfWork,
    person: Person,
    *,
    kind: AccountKind,
    locale: str = "en",
    second: SecondAccountGrounds | None = None,
) -> Account:
    """A pending account with the next free UserID of the person, or of machines. Raises Invalid
    when no name can be made, ``directory.create_account``'s errors."""
    if kind is AccountKind.EMAIL:
        raise Invalid("the login name of an e-mail account is its address")
    for _ in range(ATTEMPTS):
        username = _next(work, person, kind)
        try:
            with work.db.begin_nested():
                return accounts.create_account(
                    work, person, kind=kind, username=username, locale=locale, second=second
                )
        except (Collision, Conflict):
            # Somebody else took it meanwhile: look again.
            continue
    raise Conflict("no free UserID could be taken")


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
        raise Invalid(
            "the name has letters that are not Latin: give the preferred name in Latin letters"
        ) from error
    except userid.Exhausted as error:
        raise Invalid(f"no UserID is left for {error}") from error


def _personal(work: UnitOfWork, person: Person) -> str:
    """By the name as registered, or, where that is in another script, by the preferred one, whose
    last word is the family name."""
    given, middle, family = person.given_name, person.middle_name, person.family_name
    try:
        userid.plain_letters(given + middle + family)
    except userid.NotLatin:
        given, _, family = person.preferred_name.strip().rpartition(" ")
        middle = ""
    wanted = list(userid.candidates(given=given, middle=middle, family=family))
    taken = set(
        work.db.scalars(select(Account.username_key).where(Account.username_key.in_(wanted)))
    )
    return userid.personal_userid(
        given=given, middle=middle, family=family, is_taken=taken.__contains__
    )
