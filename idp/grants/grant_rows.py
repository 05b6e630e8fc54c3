"""Grants and what is issued under them, read with account, person and session by one statement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, select

from idp import client_records
from idp.db import Base, table
from idp.directory import held_role_groups
from idp.models import Account, BrowserSession, Grant, Participant, Person
from idp.models.records import GrantRecord, SessionRecord, columns, frozen
from idp.models.revision import CURRENT
from idp.session.session_records import OF_ACCOUNT, account_of
from idp.transaction import UnitOfWork

_GRANT, _ACCOUNT, _PERSON = table(Grant), table(Account), table(Person)
_SESSION, _PARTICIPANT = table(BrowserSession), table(Participant)
_OF_GRANT = columns(Grant, GrantRecord)
_OF_SESSION = columns(BrowserSession, SessionRecord)
#: With the role groups.
_G = len(_OF_GRANT) + 1
_P = _G + len(OF_ACCOUNT)


def select_with_grant(model: type[Base], record: type[Any]) -> Select[Any]:
    """The revision, the columns of the record, and those of its grant, with the role groups at the
    parameter ``now``."""
    own = table(model)
    found = (
        own.join(_GRANT, own.c.grant_id == _GRANT.c.id)
        .outerjoin(_ACCOUNT, _ACCOUNT.c.id == _GRANT.c.account_id)
        .outerjoin(_PERSON, _PERSON.c.id == _ACCOUNT.c.person_id)
        .outerjoin(_PARTICIPANT, _PARTICIPANT.c.id == _ACCOUNT.c.second_participant_id)
        .outerjoin(_SESSION, _SESSION.c.id == _GRANT.c.session_id)
    )
    behind = (*_OF_GRANT, held_role_groups.beside(_GRANT), *OF_ACCOUNT, *_OF_SESSION)
    return select(CURRENT, *columns(model, record), *behind).select_from(found)


def record_of(work: UnitOfWork, record: type[Any], row: Sequence[Any]) -> Any:
    """The record in a row of ``select_with_grant``."""
    work.see_revision(row[0])
    values = frozen(row[1:])
    own = len(values) - _P - len(_OF_SESSION)
    return record(*values[:own], _grant(work, values[own:]))


def _grant(work: UnitOfWork, values: list[Any]) -> GrantRecord:
    account = session = held = None
    if values[_G] is not None:
        held = values[_G - 1] or ()
        account = account_of(values[_G:_P])
        if values[_P] is not None:
            session = SessionRecord(*[*values[_P:], account])
    client = client_records.by_id(work, values[1])
    return GrantRecord(*[*values[: _G - 1], client, account, session, held])
