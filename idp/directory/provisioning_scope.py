"""What a provisioning client may see and change.

Its registration names its operations and participants (N73). Operators of the gateway and their
role groups are always out of scope (N72, N74). An object that the client may not see is not found;
a change that it may not make raises OutOfScope.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import exists, or_, select

from idp.directory import held_role_groups, persons
from idp.directory.directory_refusals import (
    OperationNotAllowed,
    OperatorAccount,
    OperatorParticipant,
    OperatorRole,
    OtherClientsPerson,
    OtherParticipant,
    SharedAccount,
)
from idp.directory.persons import PersonChanges
from idp.directory.search_conditions import ALWAYS, Condition
from idp.models import Account, Assignment, Participant, Person, ProvisionedAccount
from idp.models.records import AnyClient
from idp.policy.console import OPERATOR, ConsoleRole
from idp.policy.scopes import PushOperation
from idp.transaction import UnitOfWork

Item = TypeVar("Item")
#: How many accounts are looked up by one statement.
BATCH = 500


@dataclass(frozen=True)
class ProvisioningScope:
    """The operations of one client and its participants; none named: all of them. Each check raises
    OutOfScope."""

    client: AnyClient
    operations: frozenset[str]
    participants: frozenset[str]

    @classmethod
    def of(cls, client: AnyClient) -> ProvisioningScope:
        """As it is registered."""
        return cls(client, frozenset(client.push_operations), frozenset(client.push_participants))

    def check(self, operation: PushOperation) -> None:
        """The client may do this at all."""
        if operation not in self.operations:
            raise OperationNotAllowed(operation)

    def check_role_group(self, name: str, participant: str) -> None:
        """The client may grant and revoke this role group there. No push makes or unmakes an
        operator."""
        self.check(PushOperation.GRANT)
        if name in set(ConsoleRole):
            raise OperatorRole()
        self.check_participant(participant)

    def check_no_operator(self, number: str) -> None:
        """The participant is not the gateway's own operator."""
        if number == OPERATOR:
            raise OperatorParticipant()

    def check_participant(self, number: str) -> None:
        """The client acts for this participant."""
        if self.participants and number not in self.participants:
            raise OtherParticipant()

    def check_accounts(self, work: UnitOfWork, accounts: Collection[Account]) -> None:
        """None of the accounts belongs to an operator, by whichever account."""
        for batch in batches(accounts):
            if held_role_groups.any_is_operator(work, batch):
                raise OperatorAccount()

    def check_whole_account(self, work: UnitOfWork, account: Account) -> None:
        """No participant of another client needs the account (PR-05)."""
        self.check_accounts(work, [account])
        if self.participants and work.db.scalar(
            select(Assignment.id)
            .join(Participant, Participant.id == Assignment.participant_id)
            .where(
                Assignment.account_id == account.id,
                Assignment.revoked_at.is_(None),
                Participant.number.not_in(self.participants),
            )
            .limit(1)
        ):
            raise SharedAccount()

    def check_person(self, work: UnitOfWork, person: Person) -> None:
        """The person is no operator, and the client may see one of the person's accounts."""
        self.check_accounts(work, persons.accounts_of(work, person))
        if self.participants and not work.db.scalar(
            select(Account.id)
            .where(Account.person_id == person.id, self.visible_accounts())
            .limit(1)
        ):
            raise OtherClientsPerson()

    def update_person(self, work: UnitOfWork, person: Person, changes: PersonChanges) -> None:
        """Change a person. Name and address belong to all accounts of the person, so the client has
        to be allowed to change each of them. Raises the errors of ``persons.update`` too."""
        if persons.update(work, person, changes):
            self.check(PushOperation.UPDATE)
            for account in persons.accounts_of(work, person):
                self.check_whole_account(work, account)

    def visible_accounts(self) -> Condition:
        """The accounts that the client may see: those it made, and those of its participants."""
        return seen_by(self.client.id, self.participants) if self.participants else ALWAYS

    def visible_participants(self) -> Condition:
        """The participants that the client acts for."""
        return Participant.number.in_(self.participants) if self.participants else ALWAYS


def seen_by(client: Any, participants: Any) -> Condition:
    """The accounts that a client with a limit may see. Both are values, or parameters of a
    statement that is built once."""
    made = exists().where(
        ProvisionedAccount.account_id == Account.id,
        ProvisionedAccount.client_id == client,
    )
    held = exists().where(
        Assignment.account_id == Account.id,
        Assignment.revoked_at.is_(None),
        Participant.id == Assignment.participant_id,
        Participant.number.in_(participants),
    )
    return or_(made.correlate(Account), held.correlate(Account))


def batches(rows: Collection[Item]) -> Iterator[list[Item]]:
    """The rows in parts that are small enough for one statement."""
    listed = list(rows)
    for start in range(0, len(listed), BATCH):
        yield listed[start : start + BATCH]
