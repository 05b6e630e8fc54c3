"""Apply a pushed User to an account.

The rules are those of the shared services. This module checks what the client may push, and calls
the services in a fixed order.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from scim2_models import MutabilityException, SCIMException, UniquenessException

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.directory import (
    accounts,
    activation,
    lifecycle,
    mass_change_breaker,
    participants,
    persons,
    provisioned_accounts,
    role_group_assignments,
    role_groups,
    shown_accounts,
    suspension,
    userids,
)
from idp.directory.directory_refusals import PersonalAccountExists
from idp.directory.provisioning_scope import ProvisioningScope
from idp.directory.second_accounts import SecondAccountGrounds
from idp.directory.shown_accounts import ShownAccount, ShownRegistration
from idp.errors import Collision, Conflict
from idp.machines import machine_accounts, registered_networks
from idp.models import Account, AccountKind, AccountState, Person
from idp.policy.names import name_key
from idp.policy.scopes import PushOperation
from idp.transaction import UnitOfWork
from registration_bridge import earlier_pushes
from registration_bridge.bridge_refusals import (
    NetworksOfPerson,
    NewPersonIncomplete,
    SuspendedByOperator,
)
from registration_bridge.earlier_pushes import BY_REGISTRATION
from registration_bridge.pushed_user import PushedHolder, PushedSecondAccount, PushedUser
from registration_bridge.user_resource import values_of

#: Reasons for a deactivation (PR-04, TM-14): the manual's list, other reasons, and a mistake of
#: registration. The first is the default.
REASONS = (
    "no_longer_required",
    "left_organization",
    "affiliation_change",
    "bankruptcy",
    "compromise",
    "superseded",
    "registered_in_error",
    "other",
)
#: An end within this time counts as a deactivation.
SOON = timedelta(days=7)
NO_SECOND_ACCOUNT = PushedSecondAccount()


class MassChange(SCIMException):
    """The mass-change circuit breaker is open; clients try again later (RFC 6585 section 4)."""

    status = 429


class StalePush(SCIMException):
    """The push has a lower sequence number than the last one of the account: nothing is done, and
    the client must not take it for done (PR-06)."""

    status = 409

    def __init__(self, account: Account, sequence: int, last: int) -> None:
        super().__init__(
            detail=f"sequence {sequence} is lower than {last}, the last one applied to this "
            "account. Nothing was changed."
        )
        self.account, self.sequence = account, sequence


def create(
    work: UnitOfWork,
    scope: ProvisioningScope,
    user: PushedUser,
    content: str,
    *,
    knows_names: bool = False,
) -> tuple[Account, bool]:
    """A pending account with its mail, or the one that the same push created before (False).
    ``content`` is the push as it was sent. With ``knows_names``, a push without ``externalId`` is
    recognised by its ``userName``. Raises the errors of SCIM and of the gateway."""
    digest = work.vault.digest("scim-content", content)
    earlier = provisioned_accounts.by_external_id(work, scope, user.push.external_id)
    if earlier is None and knows_names and not user.push.external_id:
        named = provisioned_accounts.by_username(work, scope, user.username)
        earlier = named if named is not None and named.content == digest else None
    if earlier is not None:
        is_same = earlier.content == digest
        return earlier_pushes.repeated(work, scope, user, earlier, is_same=is_same), False
    try:
        account = _make(work, scope, user)
        _set_networks(work, account, user)
        provisioned_accounts.set_preferences(
            account, language=user.language, time_zone=user.time_zone
        )
        provisioned_accounts.set_end(work, account, user.end)
        if user.grants:
            _set_grants(work, scope, account, user, is_new=True)
    except (Conflict, PersonalAccountExists) as error:
        if provisioned_accounts.by_external_id(work, scope, user.push.external_id) is not None:
            # The same push was concurrent: this one counts as its repetition.
            raise Collision("the push is carried out already") from error
        detail = earlier_pushes.taken(work, scope, user, error.detail)
        raise UniquenessException(detail=detail) from error
    if user.active is False:
        lifecycle.change_state(work, account, AccountState.SUSPENDED, reason=BY_REGISTRATION)
    else:
        activation.invite(work, account, is_new=True)
    # In one flush with the link and the mail.
    provisioned_accounts.register(work, scope, account, user.push, content=digest)
    return account, True


def record_new(
    work: UnitOfWork, scope: ProvisioningScope, account: Account, user: PushedUser, **about: Any
) -> ShownAccount:
    """Record that the push made the account. Returns it as the client reads it."""
    if account.kind == AccountKind.MACHINE:
        # Networks are stored in another form than they are pushed.
        (made,) = shown_accounts.of_keys(work, scope, [account.id])
    else:
        push = user.push
        pushed = ShownRegistration(push.external_id, push.request_number, push.sequence or 0)
        made = shown_accounts.of_new(account, pushed, user.grants)
    events.record(work, AuditAction.SCIM_CREATED, account=account, after=values_of(made), **about)
    return made


def _make(work: UnitOfWork, scope: ProvisioningScope, user: PushedUser) -> Account:
    kind = user.kind or AccountKind.PERSONAL
    holder = _register_holder(work, scope, user.holder, keeps_unsaid=True)
    second = _second_account(work, scope, user.second_account)
    if user.username:
        return accounts.create_account(
            work, holder, kind=kind, username=user.username, second=second
        )
    return userids.create(work, holder, kind=kind, second=second)


def _second_account(
    work: UnitOfWork, scope: ProvisioningScope, wanted: PushedSecondAccount | None
) -> SecondAccountGrounds | None:
    if wanted is None:
        return None
    scope.check_no_operator(wanted.participant_id)
    scope.check_participant(wanted.participant_id)
    return SecondAccountGrounds.of(
        wanted.reason, participants.by_number(work, wanted.participant_id)
    )


def _register_holder(
    work: UnitOfWork, scope: ProvisioningScope, holder: PushedHolder, *, keeps_unsaid: bool = False
) -> Person:
    """The person named by a User: created, or changed to its values. With ``keeps_unsaid``, omitted
    values stay as registered. Raises Invalid and the errors of the scope."""
    known = persons.by_person_id(work, holder.person_id)
    if known is not None:
        scope.check_person(work, known)
        whole = holder.completed(known) if keeps_unsaid else holder
        scope.update_person(work, known, whole.changes())
        return known
    said = holder.changes()
    if not said.email or not (said.given_name or said.family_name):
        raise NewPersonIncomplete(holder.person_id)
    return accounts.create_person(
        work,
        accounts.NewPerson(
            person_id=holder.person_id,
            given_name=said.given_name or "",
            middle_name=said.middle_name or "",
            family_name=said.family_name or "",
            preferred_name=said.preferred_name or "",
            email=said.email,
            phone=said.phone or "",
        ),
    )


def update(work: UnitOfWork, scope: ProvisioningScope, account: Account, user: PushedUser) -> None:
    """Change an account to the pushed state. A push with a lower sequence number than the last one
    is refused. Raises StalePush, the errors of SCIM and of the gateway."""
    push = user.push
    scope.check_accounts(work, [account])
    row = provisioned_accounts.registration(work, account) or provisioned_accounts.register(
        work, scope, account, provisioned_accounts.Push()
    )
    if push.sequence is not None and push.sequence < row.sequence:
        raise StalePush(account, push.sequence, row.sequence)
    _check_immutable(account, user)
    _set_holder(work, scope, account, user.holder)
    is_changed = _set_networks(work, account, user)
    is_changed |= provisioned_accounts.set_preferences(
        account, language=user.language, time_zone=user.time_zone
    )
    if is_changed:
        scope.check(PushOperation.UPDATE)
        scope.check_whole_account(work, account)
    _set_end(work, scope, account, user)
    _set_grants(work, scope, account, user)
    _set_active(work, scope, account, user.active)
    if push.external_id != row.external_id and provisioned_accounts.by_external_id(
        work, scope, push.external_id
    ):
        raise UniquenessException(detail="externalId is already in use.")
    provisioned_accounts.record_push(work, account, row, push)


def _check_immutable(account: Account, user: PushedUser) -> None:
    """Check that permanent attributes of the account are unchanged. Raises MutabilityException."""
    only = account.second_participant
    second = PushedSecondAccount(account.second_reason, only.number if only else "")
    changed = {
        "userName": bool(user.username) and name_key(user.username) != account.username_key,
        "accountKind": user.kind not in (None, account.kind),
        "secondAccount": (user.second_account or NO_SECOND_ACCOUNT) != second,
    }
    for attribute, is_changed in changed.items():
        if is_changed:
            raise MutabilityException(attribute=attribute, mutability="immutable")


def _set_holder(
    work: UnitOfWork, scope: ProvisioningScope, account: Account, holder: PushedHolder
) -> None:
    """Set the person's data. For a machine account, also change the custodian (MA-10); the push
    then has the registered values of that person and its own changes (``custodian_changes``)."""
    if holder.person_id == account.person.person_id:
        scope.update_person(work, account.person, holder.changes())
    elif account.kind == AccountKind.MACHINE:
        scope.check(PushOperation.UPDATE)
        scope.check_whole_account(work, account)
        custodian = _register_holder(work, scope, holder)
        machine_accounts.change_custodian(work, account, custodian)
    else:
        raise MutabilityException(attribute="personId", mutability="immutable")


def _set_networks(work: UnitOfWork, account: Account, user: PushedUser) -> bool:
    """Returns whether the networks change."""
    if account.kind == AccountKind.MACHINE:
        return registered_networks.replace(work, account, user.networks)
    if user.networks:
        raise NetworksOfPerson()
    return False


def _set_grants(
    work: UnitOfWork,
    scope: ProvisioningScope,
    account: Account,
    user: PushedUser,
    *,
    is_new: bool = False,
) -> None:
    """Assign new role groups and revoke missing ones: the push has all role groups that the client
    sees (RG, PR-07)."""
    after = user.grants
    held = (
        []
        if is_new
        else provisioned_accounts.assignments(work, scope, [account]).get(account.id, [])
    )
    before = {
        (grant.role_group.name, grant.participant.number): role_group_assignments.terms_of(grant)
        for grant in held
    }
    changed = sorted(key for key in {*before, *after} if before.get(key) != after.get(key))
    if not changed:
        return
    for name, number in changed:
        scope.check_role_group(name, number)
    role_group_assignments.lock_participants(work, {number for _, number in changed})
    notice = role_group_assignments.ChangeNotice()
    for name, number in changed:
        if terms := after.get((name, number)):
            participant = participants.by_number(work, number)
            group = role_groups.by_name(work, name)
            role_group_assignments.assign(
                work, account, group, participant, terms, notice=notice, is_new=is_new
            )
    for grant in held:
        if (grant.role_group.name, grant.participant.number) not in after:
            role_group_assignments.revoke(
                work, account, grant.role_group, grant.participant, notice=notice
            )
    notice.send(work, account)


def _set_end(
    work: UnitOfWork, scope: ProvisioningScope, account: Account, user: PushedUser
) -> None:
    """Set the time at which the account is deactivated without another push."""
    if not provisioned_accounts.set_end(work, account, user.end):
        return
    if user.end is not None and user.end < work.now + SOON:
        _check_mass_change(work)
        events.record(work, AuditAction.SCIM_ENDING, account=account, at=user.end.isoformat())
    scope.check(PushOperation.DEACTIVATE)
    scope.check_whole_account(work, account)


def _set_active(
    work: UnitOfWork, scope: ProvisioningScope, account: Account, active: bool | None
) -> None:
    """Suspend or restore the account. A push without ``active`` does neither."""
    if active is None or active == (account.state != AccountState.SUSPENDED):
        return
    scope.check(PushOperation.SUSPEND)
    scope.check_whole_account(work, account)
    if not active:
        _check_mass_change(work)
        lifecycle.change_state(work, account, AccountState.SUSPENDED, reason=BY_REGISTRATION)
        events.record(work, AuditAction.SCIM_SUSPENDED, account=account)
    else:
        if account.state_reason != BY_REGISTRATION:
            raise SuspendedByOperator()
        suspension.lift(work, account, reason=BY_REGISTRATION)


def delete(work: UnitOfWork, scope: ProvisioningScope, account: Account, reason: str) -> list[str]:
    """Deactivate the account; its name stays reserved (N81). ``reason`` is one of ``REASONS``
    (PR-04). Returns the machine accounts whose custodian has no personal account left."""
    scope.check(PushOperation.DEACTIVATE)
    scope.check_whole_account(work, account)
    _check_mass_change(work)
    lifecycle.change_state(work, account, AccountState.DEACTIVATED, reason=BY_REGISTRATION)
    left = _left_in_custody(work, account)
    events.record(work, AuditAction.SCIM_DELETED, account=account, why=reason, custodian_of=left)
    return left


def _left_in_custody(work: UnitOfWork, account: Account) -> list[str]:
    if account.kind != AccountKind.PERSONAL:
        return []
    rest = persons.accounts_of(work, account.person)
    if any(row.kind == AccountKind.PERSONAL for row in rest):
        return []
    return [row.username for row in rest if row.kind == AccountKind.MACHINE]


def _check_mass_change(work: UnitOfWork) -> None:
    if mass_change_breaker.status(work).is_tripped:
        raise MassChange(
            detail="The mass-change circuit breaker is open. An administrator must confirm."
        )
