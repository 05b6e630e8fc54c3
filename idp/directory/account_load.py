"""What the accounts of a batch have in common, or one account needs: read ahead and locked by a few
statements, so that the services create each of them without a further one (``idp.gathering``)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from itertools import islice

from sqlalchemy import bindparam, exists, or_, select

from idp.db import table
from idp.directory import (
    accounts,
    contacts,
    participants,
    provisioned_accounts,
    role_group_assignments,
    role_groups,
)
from idp.directory.provisioning_scope import ProvisioningScope
from idp.gathering import Gathering
from idp.models import Account, ContactFunction, Person, ProvisionedAccount
from idp.policy import userid
from idp.policy.names import name_key
from idp.transaction import UnitOfWork
from service_base.database import lock_keys, next_key
from service_base.prepared import Prepared

#: So many user names are read ahead for a person whose user name is generated.
CANDIDATES = 8
#: What an account consists of that has a primary key before it is written.
MODELS = (Person, Account)


@dataclass
class Expected:
    """How many accounts a batch has, and what they will ask for: names as they are written, and
    role groups with the numbers of their participants."""

    count: int = 0
    external_ids: set[str] = field(default_factory=set)
    usernames: set[str] = field(default_factory=set)
    person_ids: set[str] = field(default_factory=set)
    grants: set[tuple[str, str]] = field(default_factory=set)

    def add_names(self, *, given: str, middle: str, family: str) -> None:
        """The user name of this person will be generated."""
        try:
            found = userid.candidates(given=given, middle=middle, family=family)
            self.usernames.update(islice(found, CANDIDATES))
        except userid.NotLatin:
            # The service looks for another name, or refuses this one.
            return


def read_ahead(
    work: UnitOfWork, gathering: Gathering, scope: ProvisioningScope, expected: Expected
) -> None:
    """Read what the services ask for each account, and lock the participants, in the order in which
    every push locks them."""
    for model in MODELS:
        gathering.reserve(model, expected.count)
    pushed, named = provisioned_accounts.PUSHED, provisioned_accounts.NAMED
    client = scope.client.id
    names = {name_key(name) for name in expected.usernames}
    external_keys = {(client, external_id) for external_id in expected.external_ids}
    pushed.read_ahead(work, external_keys)
    named.read_ahead(work, names)
    accounts.TAKEN_NAMES.read_ahead(work, names)
    accounts.PERSONS.read_ahead(work, expected.person_ids)
    known = [
        *pushed.find_many(work, external_keys).values(),
        *named.find_many(work, names).values(),
    ]
    provisioned_accounts.ACCOUNTS.read_ahead(work, {row.account_id for row in known if row})
    _read_grants(work, expected.grants)


def read_new(
    work: UnitOfWork,
    gathering: Gathering,
    scope: ProvisioningScope,
    expected: Expected,
    *,
    username: str,
) -> bool:
    """As ``read_ahead`` for one account, with this user name unless it is generated. False if
    something is known of the account or its person, which is read by one statement."""
    client, (person_id,) = scope.client.id, expected.person_ids
    external_id = next(iter(expected.external_ids), None)
    values = {
        "client": client,
        "external_id": external_id or "",
        "person_id": person_id,
        "username_key": name_key(username),
    }
    lock_keys(work.connection, table(Account))
    known, *keys = work.run(_known(work.connection.dialect.name), values).one()
    if known:
        return False
    for model, key in zip(MODELS, keys, strict=True):
        gathering.have_key(model, key)
    if external_id is not None:
        provisioned_accounts.PUSHED.know_nothing(work, (client, external_id))
    accounts.PERSONS.know_nothing(work, person_id)
    if username:
        accounts.TAKEN_NAMES.know_nothing(work, name_key(username))
    else:
        accounts.TAKEN_NAMES.read_ahead(work, {name_key(name) for name in expected.usernames})
    if expected.grants:
        _read_grants(work, expected.grants)
    return True


@cache
def _known(dialect: str) -> Prepared:
    """Whether there is the push, the person or the user name; and primary keys for new ones."""
    pushed, person, account = table(ProvisionedAccount).c, table(Person).c, table(Account).c
    known = or_(
        exists().where(
            pushed.client_id == bindparam("client"),
            pushed.external_id == bindparam("external_id"),
        ),
        exists().where(person.person_id == bindparam("person_id")),
        exists().where(account.username_key == bindparam("username_key")),
    )
    return Prepared(select(known, *(next_key(dialect, table(model)) for model in MODELS)))


def _read_grants(work: UnitOfWork, grants: set[tuple[str, str]]) -> None:
    numbers = {number for _, number in grants}
    names = {name for name, _ in grants}
    role_group_assignments.LOCKED.read_ahead(work, numbers)
    participants.BY_NUMBER.read_ahead(work, numbers)
    role_groups.BY_NAME.read_ahead(work, names)
    places = participants.BY_NUMBER.find_many(work, numbers)
    groups = role_groups.BY_NAME.find_many(work, names)
    pairs = set()
    for name, number in grants:
        place, group = places[number], groups[name]
        if place is not None and group is not None:
            pairs.add((place.id, group.id))
    role_group_assignments.PLACES.read_ahead(work, pairs)
    notified = {(place, str(ContactFunction.RIGHTS_ADMINISTRATOR)) for place, _ in pairs}
    contacts.SPEAKING.read_ahead(work, notified)
