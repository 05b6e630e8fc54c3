"""What no push reaches: the gateway's own operators and their role groups (N72, N74). All raise
ForbiddenException; the refused push is then rolled back."""

from __future__ import annotations

from scim2_models import ForbiddenException

from idp.accounts import persons, roles
from idp.accounts.persons import Changes
from idp.models import Account, Person
from idp.policy.console import ConsoleRole
from idp.transaction import Work


def check_account(work: Work, account: Account) -> None:
    """Accounts of operators are neither changed nor closed."""
    if roles.of_console(work, account):
        raise ForbiddenException(detail="This account belongs to the gateway's operator.")


def check_role_group(name: str) -> None:
    """Nobody becomes an operator by a push, and none ceases to be one."""
    if name in set(ConsoleRole):
        raise ForbiddenException(detail="Roles of the gateway's own operators are not pushed.")


def update_person(work: Work, person: Person, changes: Changes) -> None:
    """Change a person; not one who is an operator, by whichever account it is pushed: name and
    address are those of all accounts."""
    if persons.update(work, person, changes):
        for account in persons.accounts_of(work, person):
            check_account(work, account)
