"""What the accounts of a batch have in common: read ahead and locked by a few statements, so that
the services create each of them without a further one (``idp.gathering``)."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice

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
from idp.models import Account, ContactFunction, Person
from idp.policy import userid
from idp.policy.names import name_key
from idp.transaction import UnitOfWork

#: So many user names are read ahead for a person whose user name is generated.
CANDIDATES = 8


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
    for model in (Person, Account):
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
