"""A create for an account that exists: the answer to a retry, and to a name that is taken."""

from __future__ import annotations

from scim2_models import UniquenessException

from idp.directory import accounts, provisioned_accounts
from idp.directory.provisioning_scope import ProvisioningScope
from idp.directory.state_reasons import StateReason
from idp.models import Account, AccountState, ProvisionedAccount
from idp.transaction import UnitOfWork
from registration_bridge.pushed_user import PushedUser

#: The reason of a state that registration set and can undo.
BY_REGISTRATION = StateReason.REGISTRATION


def repeated(
    work: UnitOfWork,
    scope: ProvisioningScope,
    user: PushedUser,
    earlier: ProvisionedAccount,
    *,
    is_same: bool,
) -> Account:
    """The account that the same push created before, if it still matches the push. Raises
    UniquenessException, with the state of the account and what to do (PR-06)."""
    account = provisioned_accounts.account_of(work, earlier)
    is_suspended = account.state == AccountState.SUSPENDED and user.active is not False
    is_closed = account.effective_state(work.now) == AccountState.DEACTIVATED
    if is_same and not is_suspended and not is_closed:
        return account
    detail = f"externalId is already in use by {_described(work, scope, account)}."
    if is_closed:
        detail += " It cannot be reactivated. Create a new account with another externalId."
    raise UniquenessException(detail=detail)


def taken(work: UnitOfWork, scope: ProvisioningScope, user: PushedUser, detail: str) -> str:
    """Why no account can be created, as far as the client may know (N76): its name is taken, or
    ``detail``."""
    other = accounts.find_by_username(work, user.username)
    if other is None:
        return f"{detail}."
    described = _described(work, scope, other)
    return f"userName is already in use by {described}; a UserID is never reused."


def _described(work: UnitOfWork, scope: ProvisioningScope, account: Account) -> str:
    """The account as the client may know it: its id, if the client can read it, and its state."""
    if account.effective_state(work.now) == AccountState.DEACTIVATED:
        return "a deactivated account"
    if not provisioned_accounts.is_visible(work, scope, account):
        return "another account"
    if account.state != AccountState.SUSPENDED:
        return f"the User {account.subject}"
    if account.state_reason == BY_REGISTRATION:
        return f"the User {account.subject}, which is suspended: PATCH active to true"
    return f"the User {account.subject}, which an operator suspended: contact Customer Relations"
