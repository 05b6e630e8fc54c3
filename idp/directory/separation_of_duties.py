"""Who acts as an operator, and on whom not: on no account of their own person (N74).

A person may hold several accounts and be the custodian of machine accounts. The console, and the
command line with ``--as``, name the person who acts in the ``Origin`` of their work; the services
that change somebody's access ask here, so that no page and no command has to remember it.
"""

from __future__ import annotations

from collections.abc import Collection

from idp.errors import GatewayError, Refused
from idp.models import Account, Person
from idp.policy.scopes import SCIM
from idp.transaction import UnitOfWork

TWO = "a change to a client with the scope scim requires approval by a second operator"


class Forbidden(GatewayError):
    """This operator may not do this to this account; a page says no more than that."""

    code = "forbidden"

    def __init__(self, detail: str, account: Account | None = None) -> None:
        super().__init__(detail)
        self.account = account


def is_same_person(one: Account, other: Account) -> bool:
    """Whether the same person holds both, or is the custodian of one of them."""
    return one.person_id == other.person_id


def check(work: UnitOfWork, account: Account) -> None:
    """Raises Forbidden when the operator who acts is the holder or custodian of the account."""
    if work.origin.person_id is not None and work.origin.person_id == account.person_id:
        raise Forbidden(f"{account.username} is an account of the operator who acts", account)


def check_person(work: UnitOfWork, person: Person) -> None:
    """Raises Forbidden when the operator who acts is this person."""
    if work.origin.person_id is not None and work.origin.person_id == person.id:
        raise Forbidden(f"{person.person_id} is the operator who acts")


def needs_dual_control(scopes: Collection[str]) -> bool:
    """Whether a client with these scopes is made, and made stronger, by two operators: it makes
    accounts and grants role groups."""
    return SCIM in scopes


def check_dual_control(scopes: Collection[str], *, is_approved: bool) -> None:
    """Raises Refused for a change that no second operator has confirmed (``client_proposals``)."""
    if needs_dual_control(scopes) and not is_approved:
        raise Refused(TWO)
