"""Accounts as a provisioning client reads them: frozen values, read by Core statements that are
built once for clients with and without a limit to participants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, TypeAlias

from sqlalchemy import BindParameter, Column, ColumnElement, Select, and_, bindparam, select

from idp.db import UtcDateTime, table
from idp.directory import provisioning_scope
from idp.directory.provisioning_scope import ProvisioningScope
from idp.directory.role_group_assignments import AssignmentTerms
from idp.models import (
    Account,
    AccountKind,
    AccountState,
    Assignment,
    Participant,
    Person,
    ProvisionedAccount,
    RegisteredNetwork,
    RoleGroup,
)
from idp.models.records import columns
from idp.policy.names import full_name
from idp.transaction import UnitOfWork
from service_base.prepared import Prepared

#: Longer subject identifiers belong to no account.
MAX_SUBJECT = 40
#: The parameters of statements that are built once: the time, and the client with its participants.
NOW: BindParameter[datetime] = bindparam("now", type_=UtcDateTime)
LIMITS: tuple[Any, Any] = (bindparam("client"), bindparam("participants", expanding=True))


#: The terms of role groups, by role group and participant.
Grants: TypeAlias = Mapping[tuple[str, str], AssignmentTerms]


@dataclass(frozen=True, slots=True)
class ShownPerson:
    """The holder of an account."""

    person_id: str
    given_name: str
    middle_name: str
    family_name: str
    preferred_name: str
    email: str
    phone: str
    phone_extension: str
    updated_at: datetime

    @property
    def full_name(self) -> str:
        """Given and family name, as shown."""
        return full_name(self.given_name, self.family_name)


@dataclass(frozen=True, slots=True)
class ShownRegistration:
    """What the provisioning client said of the account in its last push."""

    external_id: str | None
    request_number: str
    sequence: int


@dataclass(frozen=True, slots=True)
class ShownAccount:
    """An account with its holder, registration, role groups and networks."""

    id: int
    subject: str
    kind: AccountKind
    state: AccountState
    username: str
    locale: str
    zoneinfo: str
    second_reason: str
    ends_at: datetime | None
    created_at: datetime
    updated_at: datetime
    second_participant_number: str
    person: ShownPerson
    provisioned: ShownRegistration | None
    #: The terms of its role groups, by role group and participant.
    grants: dict[tuple[str, str], AssignmentTerms] = field(default_factory=dict)
    #: Its registered networks with their labels, in order.
    networks: list[tuple[str, str]] = field(default_factory=list)


_ACCOUNT, _PERSON, _ONLY = table(Account), table(Person), table(Participant)
_PUSHED = table(ProvisionedAccount)
_OF_ACCOUNT = columns(Account, ShownAccount)
_OF_PERSON = columns(Person, ShownPerson)
_OF_PUSHED = columns(ProvisionedAccount, ShownRegistration)
_A = len(_OF_ACCOUNT)
_P = _A + 1 + len(_OF_PERSON)
_G = _P + 1 + len(_OF_PUSHED)
_KEYS: BindParameter[Any] = bindparam("keys", expanding=True)


def _accounts(*pushed: ColumnElement[bool]) -> Select[Any]:
    """Accounts with what the registration system says of them, where that fulfils ``pushed``."""
    return select(
        *_OF_ACCOUNT, _ONLY.c.number, *_OF_PERSON, _PUSHED.c.account_id, *_OF_PUSHED
    ).select_from(
        _ACCOUNT.join(_PERSON, _PERSON.c.id == _ACCOUNT.c.person_id)
        .outerjoin(_PUSHED, and_(_PUSHED.c.account_id == _ACCOUNT.c.id, *pushed))
        .outerjoin(_ONLY, _ONLY.c.id == _ACCOUNT.c.second_participant_id)
    )


# The keys twice: for a page PostgreSQL would otherwise read all rows of what was pushed.
_BY_KEYS = Prepared(_accounts(_PUSHED.c.account_id.in_(_KEYS)).where(_ACCOUNT.c.id.in_(_KEYS)))
_NETWORKS = Prepared(
    select(RegisteredNetwork.account_id, RegisteredNetwork.network, RegisteredNetwork.label)
    .where(RegisteredNetwork.account_id.in_(_KEYS))
    .order_by(RegisteredNetwork.network)
)
_HELD, _GROUP, _PLACE = table(Assignment), table(RoleGroup), table(Participant).alias()
_OF_GRANT: tuple[Any, ...] = (
    _HELD.c.account_id,
    _GROUP.c.name,
    _PLACE.c.number,
    *columns(Assignment, AssignmentTerms),
)


@cache
def _with(column: Column[str], is_limited: bool) -> Prepared:
    """The open accounts with this value. Those of a client without a limit have a row for each role
    group."""
    found = _accounts().where(column == bindparam("value"), Account.is_open(NOW))
    if is_limited:
        return Prepared(found.where(provisioning_scope.seen_by(*LIMITS)).order_by(_ACCOUNT.c.id))
    (source,) = found.get_final_froms()
    held = (
        source.outerjoin(
            _HELD, and_(_HELD.c.account_id == _ACCOUNT.c.id, _HELD.c.revoked_at.is_(None))
        )
        .outerjoin(_GROUP, _GROUP.c.id == _HELD.c.role_group_id)
        .outerjoin(_PLACE, _PLACE.c.id == _HELD.c.participant_id)
    )
    whole = found.add_columns(*_OF_GRANT).select_from(held)
    return Prepared(whole.order_by(_ACCOUNT.c.id))


@cache
def _grants(is_limited: bool) -> Prepared:
    found = (
        select(*_OF_GRANT)
        .select_from(
            _HELD.join(_GROUP, _GROUP.c.id == _HELD.c.role_group_id).join(
                _PLACE, _PLACE.c.id == _HELD.c.participant_id
            )
        )
        .where(_HELD.c.account_id.in_(_KEYS), _HELD.c.revoked_at.is_(None))
    )
    return Prepared(found.where(_PLACE.c.number.in_(LIMITS[1])) if is_limited else found)


def limits_of(scope: ProvisioningScope) -> dict[str, Any]:
    """The values of ``LIMITS``; none for a client without a limit."""
    if not scope.participants:
        return {}
    return {"client": scope.client.id, "participants": sorted(scope.participants)}


def of_subject(work: UnitOfWork, scope: ProvisioningScope, subject: str) -> ShownAccount | None:
    """The open account of this subject identifier, if the client may see it."""
    return next(iter(with_value(work, scope, _ACCOUNT.c.subject, subject[:MAX_SUBJECT])), None)


def with_value(
    work: UnitOfWork, scope: ProvisioningScope, column: Column[str], value: str
) -> list[ShownAccount]:
    """The open accounts that have this value in a column of few accounts each, and that the client
    may see, by primary key."""
    values = {"value": value, "now": work.now, **limits_of(scope)}
    rows = work.run(_with(column, bool(scope.participants)), values).all()
    if scope.participants:
        return _whole(work, scope, rows)
    found: dict[int, ShownAccount] = {}
    for row in rows:
        account = found.get(row[0]) or found.setdefault(row[0], _account(row))
        key, name, number, *terms = row[_G:]
        if key is not None:
            account.grants[name, number] = AssignmentTerms(*terms)
    return _with_networks(work, found)


def of_keys(work: UnitOfWork, scope: ProvisioningScope, keys: Sequence[int]) -> list[ShownAccount]:
    """The accounts with these primary keys, in their order, with the role groups that the client
    may see."""
    if not keys:
        return []
    found = {row.id: row for row in _whole(work, scope, work.run(_BY_KEYS, {"keys": keys}).all())}
    return [found[key] for key in keys if key in found]


def of_new(account: Account, pushed: ShownRegistration, grants: Grants) -> ShownAccount:
    """As ``of_keys``, for an account of a person that this transaction has made: all role groups
    that it holds are known to the client."""
    person = account.person
    return ShownAccount(
        **{column.key: getattr(account, column.key) for column in _OF_ACCOUNT},
        second_participant_number=account.second_participant_number,
        person=ShownPerson(**{column.key: getattr(person, column.key) for column in _OF_PERSON}),
        provisioned=pushed,
        grants=dict(grants),
    )


def _whole(work: UnitOfWork, scope: ProvisioningScope, rows: Sequence[Any]) -> list[ShownAccount]:
    """The accounts of these rows, with their lists."""
    found = {row[0]: _account(row) for row in rows}
    if found:
        values = limits_of(scope) | {"keys": list(found)}
        for key, name, number, *terms in work.run(_grants(bool(scope.participants)), values):
            found[key].grants[name, number] = AssignmentTerms(*terms)
    return _with_networks(work, found)


def _with_networks(work: UnitOfWork, found: Mapping[int, ShownAccount]) -> list[ShownAccount]:
    """The accounts with their networks. Only machine accounts have any."""
    machines = [key for key, account in found.items() if account.kind == AccountKind.MACHINE]
    if machines:
        for key, network, label in work.run(_NETWORKS, {"keys": machines}):
            found[key].networks.append((network, label))
    return list(found.values())


def _account(row: Sequence[Any]) -> ShownAccount:
    pushed = ShownRegistration(*row[_P + 1 : _G]) if row[_P] is not None else None
    person = ShownPerson(*row[_A + 1 : _P])
    return ShownAccount(*[*row[:_A], row[_A] or "", person, pushed])
