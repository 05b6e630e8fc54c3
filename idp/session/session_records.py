"""Sessions with account and person as frozen values, read by one statement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, select

from idp.db import table
from idp.models import Account, BrowserSession, Participant, Person
from idp.models.records import AccountRecord, PersonRecord, SignedInSession, columns, frozen
from idp.transaction import UnitOfWork
from service_base.prepared import Prepared

_SESSION, _ACCOUNT = table(BrowserSession), table(Account)
_PERSON, _PARTICIPANT = table(Person), table(Participant)
_ACCOUNT_ITSELF = columns(Account, AccountRecord)
_A = len(_ACCOUNT_ITSELF)
#: What ``account_of`` takes.
OF_ACCOUNT = (*_ACCOUNT_ITSELF, _PARTICIPANT.c.number, *columns(Person, PersonRecord))
_OF_SESSION = columns(BrowserSession, SignedInSession)
#: The columns before ``account`` in the record.
_BEFORE = 5
_READ = Prepared(
    select(*_OF_SESSION, *OF_ACCOUNT)
    .select_from(
        _SESSION.join(_ACCOUNT, _ACCOUNT.c.id == _SESSION.c.account_id)
        .join(_PERSON, _PERSON.c.id == _ACCOUNT.c.person_id)
        .outerjoin(_PARTICIPANT, _PARTICIPANT.c.id == _ACCOUNT.c.second_participant_id)
    )
    .where(_SESSION.c.digest == bindparam("digest"))
)


def account_of(values: Sequence[Any]) -> AccountRecord:
    """The account in these columns, with its person."""
    person = PersonRecord(*values[_A + 1 :])
    return AccountRecord(*[*values[:_A], values[_A] or "", person])


def of_digests(work: UnitOfWork, digests: Sequence[str]) -> SignedInSession | None:
    """The session whose cookie has one of these digests, even if it has ended."""
    for digest in digests:
        row = work.run(_READ, {"digest": digest}).first()
        if row is not None:
            values = frozen(row)
            own = values[: len(_OF_SESSION)]
            account = account_of(values[len(_OF_SESSION) :])
            return SignedInSession(*[*own[:_BEFORE], account, *own[_BEFORE:]])
    return None
