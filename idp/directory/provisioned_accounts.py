"""Accounts as a provisioning client sees them: found within its scope, with its own key of each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial

from sqlalchemy import FromClause, Select, bindparam, case, exists, func, not_, select

from idp.db import table
from idp.directory import number_of_accounts, shown_accounts
from idp.directory.directory_refusals import EndDatePast
from idp.directory.provisioning_scope import ProvisioningScope, seen_by
from idp.directory.result_pages import Page, PageRequest, page_of
from idp.directory.search_conditions import Attribute, Condition, Equality
from idp.directory.shown_accounts import MAX_SUBJECT
from idp.gathering import Lookup
from idp.models import (
    Account,
    AccountState,
    Assignment,
    Participant,
    Person,
    ProvisionedAccount,
    RegisteredNetwork,
    RoleGroup,
)
from idp.policy.email_address import email_key
from idp.policy.names import name_key
from idp.transaction import UnitOfWork, lock_rows

# Columns of the tables: comparing them takes a fifth of the time of comparing attributes of models.
_ACCOUNT, _PERSON, _PUSHED = table(Account).c, table(Person).c, table(ProvisionedAccount).c

ACTIVE: Condition = _ACCOUNT.state != AccountState.SUSPENDED
SUSPENDED: Condition = not_(ACTIVE)

SUBJECT = Attribute(_ACCOUNT.subject, is_key=True)
USERNAME = Attribute(_ACCOUNT.username_key, name_key, is_key=True)
EXTERNAL_ID = Attribute(_PUSHED.external_id, empty="", is_key=True)
FULL_NAME = Attribute(
    func.trim(func.lower(_PERSON.given_name + " " + _PERSON.family_name)), str.casefold
)
GIVEN_NAME = Attribute(func.lower(_PERSON.given_name), str.casefold)
FAMILY_NAME = Attribute(func.lower(_PERSON.family_name), str.casefold)
MIDDLE_NAME = Attribute(func.lower(_PERSON.middle_name), str.casefold, empty="")
PREFERRED_NAME = Attribute(func.lower(_PERSON.preferred_name), str.casefold, empty="")
EMAIL = Attribute(_PERSON.email_key, email_key)
PHONE = Attribute(_PERSON.phone, empty="")
LANGUAGE = Attribute(_ACCOUNT.locale, str.casefold)
TIME_ZONE = Attribute(func.lower(_ACCOUNT.zoneinfo), str.casefold)
CREATED = Attribute(_ACCOUNT.created_at)
UPDATED = Attribute(_ACCOUNT.updated_at)
PERSON_ID = Attribute(_PERSON.person_id)
KIND = Attribute(_ACCOUNT.kind, str.casefold)
REQUEST_NUMBER = Attribute(_PUSHED.request_number, empty="")
SEQUENCE = Attribute(_PUSHED.sequence, empty=0)
#: Of an order only.
IS_ACTIVE = Attribute(case((ACTIVE, 1), else_=0))
#: Of one role group that an account holds.
ROLE_GROUP = Attribute(table(RoleGroup).c.name)
PARTICIPANT = Attribute(table(Participant).c.number)
#: Of one registered network.
NETWORK = Attribute(table(RegisteredNetwork).c.network)


def holds(scope: ProvisioningScope, condition: Condition) -> Condition:
    """The account holds a role group at a participant of the client, of which the condition is
    true."""
    return exists().where(
        Assignment.account_id == Account.id,
        Assignment.revoked_at.is_(None),
        RoleGroup.id == Assignment.role_group_id,
        Participant.id == Assignment.participant_id,
        scope.visible_participants(),
        condition,
    )


def has_network(condition: Condition) -> Condition:
    """The account has a registered network of which the condition is true."""
    return exists().where(RegisteredNetwork.account_id == Account.id, condition)


def page(
    work: UnitOfWork,
    scope: ProvisioningScope,
    condition: Condition | Equality | None,
    request: PageRequest,
) -> Page:
    """A page of the accounts that are not closed and that the client may see (``ShownAccount``)."""
    if isinstance(condition, Equality):
        key, value = condition.attribute, condition.value
        if key.is_key and request.is_first:
            found = shown_accounts.with_value(work, scope, key.column, key.normalise(value))
            if len(found) <= request.count:
                return Page(len(found), found)
        condition = condition.condition()
    has_holder = condition is not None or request.sort_by is not None
    base = _open_accounts(bool(scope.participants), has_holder)
    if condition is not None:
        base = base.where(condition)
    load = partial(shown_accounts.of_keys, work, scope)
    values = {"now": work.now, **shown_accounts.limits_of(scope)}
    is_all = condition is None and not scope.participants
    number = partial(number_of_accounts.open_now, work) if is_all else None
    return page_of(work, base, _ACCOUNT.id, request, load, values, number)


@cache
def _open_accounts(is_limited: bool, has_holder: bool) -> Select[int]:
    """The open accounts that a client sees. Without a condition or an order on other tables, a page
    needs one table only."""
    accounts: FromClause = table(Account)
    if has_holder:
        accounts = accounts.join(table(Person), _PERSON.id == _ACCOUNT.person_id).outerjoin(
            table(ProvisionedAccount), _PUSHED.account_id == _ACCOUNT.id
        )
    found = select(_ACCOUNT.id).select_from(accounts).where(Account.is_open(shown_accounts.NOW))
    return found.where(seen_by(*shown_accounts.LIMITS)) if is_limited else found


def find(work: UnitOfWork, scope: ProvisioningScope, subject: str) -> Account | None:
    """The open account of this subject identifier, if the client may see it."""
    return next(iter(find_many(work, scope, [subject])), None)


def find_many(
    work: UnitOfWork, scope: ProvisioningScope, subjects: Collection[str]
) -> list[Account]:
    """The open accounts among these that the client may see."""
    wanted = [subject[:MAX_SUBJECT] for subject in subjects]
    query = select(Account).where(
        Account.subject.in_(wanted), Account.is_open(work.now), scope.visible_accounts()
    )
    return list(work.db.scalars(query))


def is_visible(work: UnitOfWork, scope: ProvisioningScope, account: Account) -> bool:
    """Whether the client may see the account, open or closed."""
    query = select(Account.id).where(Account.id == account.id, scope.visible_accounts())
    return work.db.scalar(query) is not None


def lock(work: UnitOfWork, subject: str) -> None:
    """Lock the account of this subject identifier until the transaction ends."""
    lock_rows(work, Account, Account.subject == subject[:MAX_SUBJECT], Account.is_open(work.now))


def assignments(
    work: UnitOfWork, scope: ProvisioningScope, accounts: Collection[Account]
) -> dict[int, list[Assignment]]:
    """The assignments of the accounts at participants of the client, by the key of the account."""
    query = (
        select(Assignment)
        .join(Assignment.participant)
        .where(
            Assignment.account_id.in_([account.id for account in accounts]),
            Assignment.revoked_at.is_(None),
            scope.visible_participants(),
        )
    )
    found: dict[int, list[Assignment]] = {}
    for row in work.db.scalars(query):
        found.setdefault(row.account_id, []).append(row)
    return found


def registration(work: UnitOfWork, account: Account) -> ProvisionedAccount | None:
    """The registration data of the account."""
    return work.db.get(ProvisionedAccount, account.id)


_BY_EXTERNAL_IDS = select(ProvisionedAccount).where(
    ProvisionedAccount.client_id == bindparam("client"),
    ProvisionedAccount.external_id.in_(bindparam("keys", expanding=True)),
)


def _read_pushed(
    work: UnitOfWork, keys: Sequence[tuple[int, str]]
) -> dict[tuple[int, str], ProvisionedAccount]:
    # All are of one client.
    values = {"client": keys[0][0], "keys": [external_id for _, external_id in keys]}
    found = work.db.scalars(_BY_EXTERNAL_IDS, values)
    return {(row.client_id, row.external_id or ""): row for row in found}


def _read_named(work: UnitOfWork, keys: Sequence[str]) -> dict[str, ProvisionedAccount]:
    query = (
        select(Account.username_key, ProvisionedAccount)
        .join(Account, Account.id == ProvisionedAccount.account_id)
        .where(Account.username_key.in_(keys))
    )
    return dict(work.db.execute(query).all())


def _read_accounts(work: UnitOfWork, keys: Sequence[int]) -> dict[int, Account]:
    return {row.id: row for row in work.db.scalars(select(Account).where(Account.id.in_(keys)))}


#: What a client registered under its own key.
PUSHED: Lookup[tuple[int, str], ProvisionedAccount] = Lookup(_read_pushed)
#: What any client registered of the account with this login name.
NAMED: Lookup[str, ProvisionedAccount] = Lookup(_read_named)
ACCOUNTS: Lookup[int, Account] = Lookup(_read_accounts)


def by_external_id(
    work: UnitOfWork, scope: ProvisioningScope, external_id: str | None
) -> ProvisionedAccount | None:
    """What the client registered under its own key; None without a key."""
    if not external_id:
        return None
    return PUSHED.find(work, (scope.client.id, external_id))


def by_username(
    work: UnitOfWork, scope: ProvisioningScope, username: str
) -> ProvisionedAccount | None:
    """What the client registered of the account with this login name; None without a name."""
    row = NAMED.find(work, name_key(username)) if username else None
    return row if row is not None and row.client_id == scope.client.id else None


def account_of(work: UnitOfWork, row: ProvisionedAccount) -> Account:
    """The account, open or closed."""
    return ACCOUNTS.get(work, row.account_id)


@dataclass(frozen=True)
class Push:
    """The metadata of a push: the client's id for the account, the number of the registration
    request, and the sequence number."""

    external_id: str | None = None
    request_number: str = ""
    sequence: int | None = None


def register(
    work: UnitOfWork, scope: ProvisioningScope, account: Account, push: Push, *, content: str = ""
) -> ProvisionedAccount:
    """Remember which client provisions the account. A retry is
    recognised by ``content``, a digest of the push that made the account; empty for an account that
    no push made."""
    row = ProvisionedAccount(
        account_id=account.id,
        client_id=scope.client.id,
        external_id=push.external_id,
        content=content,
        request_number=push.request_number,
        sequence=push.sequence or 0,
        created_at=work.now,
    )
    work.add(row)
    work.flush()
    return row


def record_push(work: UnitOfWork, account: Account, row: ProvisionedAccount, push: Push) -> None:
    """The push was applied to the account."""
    account.updated_at = work.now
    row.external_id = push.external_id
    row.sequence = push.sequence or row.sequence
    row.request_number = push.request_number or row.request_number
    work.db.flush()


def set_preferences(account: Account, *, language: str = "", time_zone: str = "") -> bool:
    """Language, until the holder chooses one, and time zone; empty: as before. False when nothing
    changes."""
    before = (account.locale, account.zoneinfo)
    if language and not account.locale_is_chosen:
        account.locale = language
    account.zoneinfo = time_zone or account.zoneinfo
    return before != (account.locale, account.zoneinfo)


def set_end(work: UnitOfWork, account: Account, end: datetime | None) -> bool:
    """When the account closes without another push; False when that was set before. Raises Invalid
    for a time that is past."""
    if end == account.ends_at:
        return False
    if end is not None and end <= work.now:
        raise EndDatePast()
    account.ends_at = end
    return True
