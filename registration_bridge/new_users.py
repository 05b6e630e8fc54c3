"""Users of persons who are new: what a load or a push reads ahead for them, and a push that gathers
its rows (``idp.gathering``)."""

from __future__ import annotations

from idp.directory.account_load import Expected, read_new
from idp.directory.provisioning_scope import ProvisioningScope
from idp.directory.shown_accounts import ShownAccount
from idp.errors import Collision
from idp.gathering import NotReadAhead
from idp.models import AccountKind
from idp.transaction import UnitOfWork
from registration_bridge import user_writes
from registration_bridge.pushed_user import PushedUser


def is_alone(user: PushedUser) -> bool:
    """Whether it certainly needs more than is read ahead."""
    return user.kind is AccountKind.MACHINE or user.active is False


def expect(expected: Expected, user: PushedUser) -> None:
    """Expect the account of the User, without its role groups."""
    expected.count += 1
    expected.person_ids.add(user.holder.person_id)
    if user.push.external_id:
        expected.external_ids.add(user.push.external_id)
    if user.username:
        expected.usernames.add(user.username)
    elif name := user.holder.name:
        expected.add_names(
            given=name.given_name, middle=name.middle_name or "", family=name.family_name
        )


def create(
    work: UnitOfWork, scope: ProvisioningScope, user: PushedUser, content: str
) -> ShownAccount | None:
    """Create the account as ``user_writes.create`` does, with few statements. None if that needs
    more than was read ahead, and after a collision: nothing is done then. Raises the errors of
    SCIM and of the gateway."""
    if is_alone(user) or work.is_trial:
        # The effects of a trial are read from the session.
        return None
    expected = Expected(grants=set(user.grants))
    expect(expected, user)
    try:
        with work.gathered() as gathering:
            if not read_new(work, gathering, scope, expected, username=user.username):
                return None
            with gathering.part():
                account, _ = user_writes.create(work, scope, user, content)
                return user_writes.record_new(work, scope, account, user)
    except NotReadAhead:
        return None
    except Collision:
        # With another transaction, which has the name by now.
        work.rollback()
        return None
