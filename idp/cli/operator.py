"""``--as``: run a command as an operator, with the rules of the console.

The operator is not authenticated: a person who can run a command can also write to the database.
The audit trail records the operator and the shell login.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

import click

from idp.cli.cli_refusals import OperatorNotActive, OperatorWithoutRole
from idp.directory.directory_refusals import AccountNotFound
from idp.policy.console import ACCESS, ConsoleRole

if TYPE_CHECKING:
    from idp.models import Account
    from idp.transaction import Origin, UnitOfWork

Command = Callable[..., Any]
_KEY = "idp.cli.operator"


def as_operator(*needed: ConsoleRole) -> Callable[[Command], Command]:
    """The ``--as`` option for a command that changes something: an operator with one of these
    roles, by default Access Management."""

    def note(ctx: click.Context, _option: click.Parameter, username: str | None) -> None:
        ctx.meta[_KEY] = (username, frozenset(needed or (ACCESS,))) if username else None

    return click.option(
        "--as",
        metavar="USERNAME",
        expose_value=False,
        callback=note,
        help="Operator who performs the action. Not on accounts of the same person.",
    )


def origin(work: UnitOfWork, shell: str) -> Origin:
    """The origin for this command's unit of work. Raises NotFound, or Forbidden for an operator
    without a required role."""
    from idp.transaction import Origin

    context = click.get_current_context(silent=True)
    named = context.meta.get(_KEY) if context else None
    if named is None:
        return Origin(actor=shell)
    username, needed = named
    account = _operator(work, username, needed)
    return Origin(actor=account.username, person_id=account.person_id, user_agent=shell)


def named(work: UnitOfWork) -> Account | None:
    """The operator named by ``--as``."""
    from idp.directory import accounts

    if work.origin.person_id is None or work.origin.actor is None:
        return None
    return accounts.find_by_username(work, work.origin.actor)


def _operator(work: UnitOfWork, username: str, needed: Collection[ConsoleRole]) -> Account:
    from idp.directory import accounts, held_role_groups
    from idp.models import AccountState

    account = accounts.find_by_username(work, username)
    if account is None:
        raise AccountNotFound(username)
    if account.effective_state(work.now) != AccountState.ACTIVE:
        raise OperatorNotActive(username, account.state)
    if not held_role_groups.console_roles(work, account) & frozenset(needed):
        raise OperatorWithoutRole(username, tuple(sorted(needed)))
    return account
