"""Separation of duties: operators do not act on their own accounts (N74).

A person may hold several accounts and be the custodian of machine accounts. The console, and the
command line with ``--as``, name the operator in the ``Origin`` of the unit of work. The services
that change access check it here, so that pages and commands do not have to.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from idp.directory.directory_refusals import DualControlNeeded, OwnAccount, OwnPerson
from idp.policy.scopes import SCIM
from idp.transaction import UnitOfWork

if TYPE_CHECKING:
    from idp.models import Account, Person


def is_same_person(one: Account, other: Account) -> bool:
    """Whether one person is the holder or custodian of both accounts."""
    return one.person_id == other.person_id


def check(work: UnitOfWork, account: Account) -> None:
    """Raises Forbidden if the operator is the holder or custodian of the account."""
    if work.origin.person_id is not None and work.origin.person_id == account.person_id:
        raise OwnAccount(account.username, account=account)


def check_person(work: UnitOfWork, person: Person) -> None:
    """Raises Forbidden if the operator is this person."""
    if work.origin.person_id is not None and work.origin.person_id == person.id:
        raise OwnPerson(person.person_id)


def needs_dual_control(scopes: Collection[str]) -> bool:
    """Whether creating a client with these scopes, or extending it, needs two operators: such a
    client creates accounts and grants role groups."""
    return SCIM in scopes


def check_dual_control(scopes: Collection[str], *, is_approved: bool) -> None:
    """Raises Refused for a change that needs a second operator's approval
    (``client_proposals``)."""
    if needs_dual_control(scopes) and not is_approved:
        raise DualControlNeeded()
