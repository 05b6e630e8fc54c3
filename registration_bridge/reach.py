"""How far a push reaches. Never to the gateway's own operators and their role groups (N72, N74);
and only as far as the pusher's registration allows: its operations, its participants (N73).
Refusals raise ForbiddenException, and the push is rolled back; what a pusher may not see is not
found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from scim2_models import ForbiddenException
from sqlalchemy import ColumnElement, exists, or_, select, true

from idp.directory import persons, role_groups
from idp.directory.persons import PersonChanges
from idp.models import Account, Assignment, Client, Participant, Person, ProvisionedAccount
from idp.policy.console import OPERATOR, ConsoleRole
from idp.policy.scopes import PushOperation
from idp.transaction import UnitOfWork

#: So many accounts are looked up by one statement.
PART = 500


@dataclass(frozen=True)
class Reach:
    """What one pusher may do, and for which participants; none named: for every one."""

    pusher: Client
    operations: frozenset[str]
    participants: frozenset[str]

    @classmethod
    def of(cls, pusher: Client) -> Reach:
        """As it is registered."""
        return cls(pusher, frozenset(pusher.push_operations), frozenset(pusher.push_participants))

    def check(self, operation: PushOperation) -> None:
        """The pusher may do this at all."""
        if operation not in self.operations:
            raise ForbiddenException(detail=f"This client may not {operation} by a push.")

    def check_role_group(self, name: str, participant: str) -> None:
        """The pusher may give and take this role group there; nobody becomes an operator by a
        push, and none ceases to be one."""
        self.check(PushOperation.GRANT)
        if name in set(ConsoleRole):
            raise ForbiddenException(detail="Roles of the gateway's own operators are not pushed.")
        self.check_participant(participant)

    def check_no_operator(self, number: str) -> None:
        """The participant is not the gateway's own operator."""
        if number == OPERATOR:
            raise ForbiddenException(detail="The gateway's own operator is out of reach of pushes.")

    def check_participant(self, number: str) -> None:
        """The pusher acts for this participant."""
        if self.participants and number not in self.participants:
            raise ForbiddenException(detail="This client does not act for that participant.")

    def check_accounts(self, work: UnitOfWork, accounts: Iterable[Account]) -> None:
        """Accounts of operators, whatever they hold themselves, are neither changed nor closed."""
        rows = list(accounts)
        for start in range(0, len(rows), PART):
            if role_groups.any_is_operator(work, rows[start : start + PART]):
                raise ForbiddenException(detail="This account belongs to the gateway's operator.")

    def check_whole(self, work: UnitOfWork, account: Account) -> None:
        """What concerns the account as a whole is not done while another participant needs it
        (PR-05)."""
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
            raise ForbiddenException(detail="The account is needed for another participant too.")

    def check_person(self, work: UnitOfWork, person: Person) -> None:
        """The person is no operator, and the pusher knows the person by an account that it may
        see."""
        self.check_accounts(work, persons.accounts_of(work, person))
        if self.participants and not work.db.scalar(
            select(Account.id).where(Account.person_id == person.id, self.visible()).limit(1)
        ):
            raise ForbiddenException(detail="This personId is not one of this client's.")

    def update_person(self, work: UnitOfWork, person: Person, changes: PersonChanges) -> None:
        """Change a person, by whichever account it is pushed: name and address are those of all
        accounts, so all of them have to be in reach."""
        if persons.update(work, person, changes):
            self.check(PushOperation.UPDATE)
            for account in persons.accounts_of(work, person):
                self.check_whole(work, account)

    def visible(self) -> ColumnElement[bool]:
        """The accounts that the pusher may see: those it made, and those of its participants."""
        if not self.participants:
            return true()
        made = exists().where(
            ProvisionedAccount.account_id == Account.id,
            ProvisionedAccount.client_id == self.pusher.id,
        )
        held = exists().where(
            Assignment.account_id == Account.id,
            Assignment.revoked_at.is_(None),
            Participant.id == Assignment.participant_id,
            self.of_participants(),
        )
        return or_(made.correlate(Account), held.correlate(Account))

    def of_participants(self) -> ColumnElement[bool]:
        """The participants that the pusher acts for."""
        return Participant.number.in_(self.participants) if self.participants else true()
