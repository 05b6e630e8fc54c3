"""Separation of duties: operators do not act on their own accounts (N74).

A person may hold several accounts and be the custodian of machine accounts. The console, and the
command line with ``--as``, name the operator in the ``Origin`` of the unit of work. The services
that change access check it here, so that pages and commands do not have to.
"""

from __future__ import annotations

from collections.abc import Collection

from idp.errors import GatewayError, Refused
from idp.models import Account, Person
from idp.policy.scopes import SCIM
from idp.transaction import UnitOfWork

TWO = "a change to a client with the scope scim requires approval by a second operator"


class Forbidden(GatewayError):
    """The operator may not do this to this account. The page shows no further detail."""

    code = "forbidden"

    def __init__(self, detail: str, account: Account | None = None) -> None:
        super().__init__(detail)
        self.account = account


def is_same_person(one: Account, other: Account) -> bool:
    """Whether one person is the holder or custodian of both accounts."""
    return one.person_id == other.person_id


def check(work: UnitOfWork, account: Account) -> None:
    """Raises Forbidden if the operator is the holder or custodian of the account."""
    if work.origin.person_id is not None and work.origin.person_id == account.person_id:
        raise Forbidden(f"{account.username} is an account of the operator who acts", account)


def check_person(work: UnitOfWork, person: Person) -> None:
    """Raises Forbidden if the operator is this person."""
    if work.origin.person_id is not None and work.origin.person_id == person.id:
        raise Forbidden(f"{person.person_id} is the operator who acts")


def needs_dual_control(scopes: Collection[str]) -> bool:
    """Whether creating a client with these scopes, or extending it, needs two operators: such a
    client creates accounts and grants role groups."""
    return SCIM in scopes


def check_dual_control(scopes: Collection[str], *, is_approved: bool) -> None:
    """Raises Refused for a change that needs a second operator's approval
    (``client_proposals``)."""
    if needs_dual_control(scopes) and not is_approved:
        raise Refused(TWO)
