"""What a pushed User does to an account. The rules are those of the services that everybody uses;
here stands who may push what, and in which order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from scim2_models import (
    InvalidValueException,
    MutabilityException,
    SCIMException,
    UniquenessException,
)
from sqlalchemy import select

from idp.audit import events
from idp.audit.actions import AuditAction
from idp.directory import (
    accounts,
    activation,
    lifecycle,
    mass_change_breaker,
    participants,
    persons,
    role_groups,
    suspension,
    userids,
)
from idp.directory.role_groups import AssignmentTerms
from idp.directory.second_accounts import PersonalAccountExists, SecondAccountGrounds
from idp.errors import Collision, Conflict, Invalid, Refused
from idp.machines import machine_accounts, registered_networks
from idp.models import Account, AccountKind, AccountState, ProvisionedAccount
from idp.policy.names import name_key
from idp.policy.scopes import PushOperation
from idp.transaction import UnitOfWork
from registration_bridge import holders
from registration_bridge.reach import Reach
from registration_bridge.text_values import clean
from registration_bridge.user_resource import View, second_of, terms_of, views
from registration_bridge.user_schema import AccessGrant, Registration, SecondAccount
from registration_bridge.zones import zone_of

#: Why an account is closed (PR-04, TM-14): the manual's list, what it does not foresee, and a
#: mistake of registration. The first is meant when a push does not say.
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


#: The reason of a state that registration brought about, and may take back.
BY_REGISTRATION = "registration"
#: An end that is so near counts as a closing.
SOON = timedelta(days=7)


class MassChange(SCIMException):
    """The breaker is open; clients try again later (RFC 6585 section 4)."""

    status = 429


def create(work: UnitOfWork, reach: Reach, user: Any) -> tuple[Account, bool]:
    """A pending account with its mail, or the one that the same push made before (False). Raises
    the errors of SCIM and of the gateway."""
    reach.check(PushOperation.CREATE)
    content = _content(work, user)
    earlier = _earlier(work, reach, user)
    if earlier is not None:
        return _repeated(work, reach, user, earlier, is_same=earlier.content == content), False
    extension = _extension(user)
    kind = _kind(extension)
    try:
        account = _make(work, reach, user, kind)
        _set_networks(work, account, extension)
        _set_preferences(account, user)
        _set_end(work, account, extension, is_new=True)
        _set_grants(work, reach, account, extension.grants)
        if user.active is False:
            lifecycle.change_state(work, account, AccountState.SUSPENDED, reason=BY_REGISTRATION)
        else:
            activation.invite(work, account)
    except (Conflict, PersonalAccountExists) as error:
        if _earlier(work, reach, user) is not None:
            # The same push came at the same time: this one is its repetition.
            raise Collision("the push is carried out already") from error
        raise UniquenessException(detail=_taken(work, reach, user, error)) from error
    work.db.add(
        ProvisionedAccount(
            account_id=account.id,
            client_id=reach.pusher.id,
            external_id=clean(user.external_id) or None,
            content=content,
            request_number=clean(extension.request_number)[:60],
            sequence=extension.sequence or 0,
            created_at=work.now,
        )
    )
    work.db.flush()
    return account, True


def _repeated(
    work: UnitOfWork, reach: Reach, user: Any, earlier: ProvisionedAccount, *, is_same: bool
) -> Account:
    """The account that the same push made before, if the push is still true of it. Raises
    UniquenessException, with the state of the account and the way out (PR-06)."""
    account = work.db.get_one(Account, earlier.account_id)
    is_suspended = account.state == AccountState.SUSPENDED and user.active is not False
    if (
        is_same
        and not is_suspended
        and account.effective_state(work.now) != AccountState.DEACTIVATED
    ):
        return account
    detail = f"externalId is taken by {_known(work, reach, account)}."
    if account.effective_state(work.now) == AccountState.DEACTIVATED:
        detail += " It is not opened again: push a new account, with another externalId."
    raise UniquenessException(detail=detail)


def _taken(
    work: UnitOfWork, reach: Reach, user: Any, error: Conflict | PersonalAccountExists
) -> str:
    """What stands in the way of a new account, as far as the pusher may know (N76)."""
    other = accounts.find_by_username(work, clean(user.user_name))
    if other is None:
        return f"{error.detail}."
    return f"userName is taken by {_known(work, reach, other)}; a UserID is never given again."


def _known(work: UnitOfWork, reach: Reach, account: Account) -> str:
    """The account as the pusher may know it: by its id if it can read it, and its state."""
    if account.effective_state(work.now) == AccountState.DEACTIVATED:
        return "an account that is closed for good"
    if not work.db.scalar(select(Account.id).where(Account.id == account.id, reach.visible())):
        return "another account"
    if account.state != AccountState.SUSPENDED:
        return f"the User {account.subject}"
    if account.state_reason == BY_REGISTRATION:
        return (
            f"the User {account.subject}, who is suspended: a PATCH of active to true restores it"
        )
    return f"the User {account.subject}, whom an operator suspended: Customer Relations restores it"


def _make(work: UnitOfWork, reach: Reach, user: Any, kind: AccountKind) -> Account:
    holders.fill(work, user)
    holder = holders.register(work, reach, user)
    username = clean(user.user_name)
    second = _second(work, reach, _extension(user).second_account)
    if username:
        return accounts.create_account(work, holder, kind=kind, username=username, second=second)
    return userids.create(work, holder, kind=kind, second=second)


def _second(
    work: UnitOfWork, reach: Reach, wanted: SecondAccount | None
) -> SecondAccountGrounds | None:
    if wanted is None:
        return None
    number = clean(wanted.participant_id)
    reach.check_no_operator(number)
    reach.check_participant(number)
    return SecondAccountGrounds.of(clean(wanted.reason), participants.by_number(work, number))


def _pair(second: SecondAccount | None) -> tuple[str, str]:
    return (clean(second.reason), clean(second.participant_id)) if second else ("", "")


def update(work: UnitOfWork, reach: Reach, view: View, user: Any) -> None:
    """Bring an account to the pushed state. Raises the errors of SCIM and of the gateway."""
    account, extension = view.account, _extension(user)
    reach.check_accounts(work, [account])
    side = view.provisioned or _adopt(work, reach, account)
    if extension.sequence is not None and extension.sequence < side.sequence:
        events.record(work, AuditAction.SCIM_STALE, account=account, sequence=extension.sequence)
        return
    _update(work, reach, view, user, extension)
    _rename(work, reach, side, user)
    account.updated_at = work.now
    side.sequence = extension.sequence or side.sequence
    side.request_number = clean(extension.request_number)[:60] or side.request_number
    work.db.flush()


def _update(work: UnitOfWork, reach: Reach, view: View, user: Any, extension: Registration) -> None:
    account = view.account
    if user.user_name and name_key(user.user_name) != account.username_key:
        raise MutabilityException(attribute="userName", mutability="immutable")
    if extension.account_kind and extension.account_kind != account.kind:
        raise MutabilityException(attribute="accountKind", mutability="immutable")
    if _pair(extension.second_account) != _pair(second_of(account)):
        raise MutabilityException(attribute="secondAccount", mutability="immutable")
    _set_holder(work, reach, account, user, extension)
    if _set_networks(work, account, extension) | _set_preferences(account, user):
        reach.check(PushOperation.UPDATE)
        reach.check_whole(work, account)
    if _set_end(work, account, extension):
        reach.check(PushOperation.DEACTIVATE)
        reach.check_whole(work, account)
    _set_grants(work, reach, account, extension.grants)
    _set_active(work, reach, account, user.active)


def _set_holder(
    work: UnitOfWork, reach: Reach, account: Account, user: Any, extension: Registration
) -> None:
    """The person's data; of a machine account another custodian too (MA-10), of whom ``user`` says
    what is registered and what the push changes of it (``holders``)."""
    if clean(extension.person_id) == account.person.person_id:
        reach.update_person(work, account.person, holders.changes(user))
    elif account.kind == AccountKind.MACHINE:
        reach.check(PushOperation.UPDATE)
        reach.check_whole(work, account)
        machine_accounts.change_custodian(work, account, holders.register(work, reach, user))
    else:
        raise MutabilityException(attribute="personId", mutability="immutable")


def _set_networks(work: UnitOfWork, account: Account, extension: Registration) -> bool:
    """Whether they are others than before."""
    wanted = extension.registered_networks
    if account.kind != AccountKind.MACHINE:
        if wanted:
            raise Invalid("only a machine account has registeredNetworks")
        return False
    pairs = [(clean(entry.value), clean(entry.label)) for entry in wanted or ()]
    is_changed = registered_networks.replace(work, account, pairs)
    work.db.flush()
    return is_changed


def _set_preferences(account: Account, user: Any) -> bool:
    """The language until the holder chooses one, and the zone; whether either is another one."""
    before = (account.locale, account.zoneinfo)
    language = clean(user.preferred_language).replace("_", "-").partition("-")[0].casefold()
    if language in ("en", "fr") and not account.locale_is_chosen:
        account.locale = language
    # A zone that nobody knows is no reason to refuse an account: it keeps the one that it has.
    if zone := zone_of(clean(user.timezone)):
        account.zoneinfo = zone
    return before != (account.locale, account.zoneinfo)


def _set_grants(
    work: UnitOfWork, reach: Reach, account: Account, wanted: list[AccessGrant] | None
) -> None:
    """Assign what is new and revoke what is gone: the push says the whole truth of what the pusher
    sees (RG, PR-07)."""
    after = {
        (clean(grant.role_group), clean(grant.participant_id)): AssignmentTerms(
            _moment(grant.valid_from),
            _moment(grant.valid_until),
            clean(grant.granted_by),
            clean(grant.request_number)[:60],
        )
        for grant in wanted or ()
    }
    held = views(work, reach, [account])[0].grants
    before = terms_of(held)
    changed = sorted(key for key in before | after if before.get(key) != after.get(key))
    for name, number in changed:
        reach.check_role_group(name, number)
    role_groups.lock_participants(work, {number for _, number in changed})
    notice = role_groups.ChangeNotice()
    for name, number in changed:
        if terms := after.get((name, number)):
            participant = participants.by_number(work, number)
            group = role_groups.by_name(work, name)
            role_groups.assign(work, account, group, participant, terms, notice=notice)
    for grant in held:
        if (grant.role_group.name, grant.participant.number) not in after:
            role_groups.revoke(work, account, grant.role_group, grant.participant, notice=notice)
    notice.send(work, account)


def _set_end(
    work: UnitOfWork, account: Account, extension: Registration, *, is_new: bool = False
) -> bool:
    """When the account closes by itself; whether it is another moment than before."""
    end = _moment(extension.end_date)
    if end == account.ends_at:
        return False
    if end is not None and end <= work.now:
        raise Invalid("endDate is past; a DELETE closes an account at once")
    if end is not None and end < work.now + SOON and not is_new:
        _check_mass_change(work)
        events.record(work, AuditAction.SCIM_ENDING, account=account, at=end.isoformat())
    account.ends_at = end
    return True


def _moment(value: datetime | None) -> datetime | None:
    if value is None:
        return None
    if value.tzinfo is None:
        raise Invalid("a moment needs its zone, as in 2027-01-01T00:00:00Z")
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise Invalid("a moment lies between the years 1 and 9999") from error


def _set_active(work: UnitOfWork, reach: Reach, account: Account, active: bool | None) -> None:
    """Absence never activates nor suspends."""
    if active is None or active == (account.state != AccountState.SUSPENDED):
        return
    reach.check(PushOperation.SUSPEND)
    reach.check_whole(work, account)
    if not active:
        _check_mass_change(work)
        lifecycle.change_state(work, account, AccountState.SUSPENDED, reason=BY_REGISTRATION)
        events.record(work, AuditAction.SCIM_SUSPENDED, account=account)
    else:
        if account.state_reason != BY_REGISTRATION:
            raise Refused("an operator suspended this account; registration cannot restore it")
        suspension.lift(work, account, reason=BY_REGISTRATION)


def delete(work: UnitOfWork, reach: Reach, view: View, reason: str) -> list[str]:
    """Close the account for good; its name stays taken (N81). ``reason`` is one of ``REASONS``
    (PR-04). Returns the machine accounts that are left in the custody of a person without a
    personal account."""
    reach.check(PushOperation.DEACTIVATE)
    reach.check_whole(work, view.account)
    _check_mass_change(work)
    lifecycle.change_state(work, view.account, AccountState.DEACTIVATED, reason=BY_REGISTRATION)
    left = _left_in_custody(work, view.account)
    events.record(
        work, AuditAction.SCIM_DELETED, account=view.account, why=reason, custodian_of=left
    )
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
        raise MassChange(detail="Too many accounts within an hour: an administrator must confirm.")


def _adopt(work: UnitOfWork, reach: Reach, account: Account) -> ProvisionedAccount:
    """The side of an account that was not made by a push."""
    side = ProvisionedAccount(
        account_id=account.id, client_id=reach.pusher.id, content="", created_at=work.now,
        request_number="", sequence=0,
    )  # fmt: skip
    work.db.add(side)
    return side


def _rename(work: UnitOfWork, reach: Reach, side: ProvisionedAccount, user: Any) -> None:
    wanted = clean(user.external_id) or None
    if wanted == side.external_id:
        return
    if wanted is not None and _earlier(work, reach, user) is not None:
        raise UniquenessException(detail="externalId is taken.")
    side.external_id = wanted


def _earlier(work: UnitOfWork, reach: Reach, user: Any) -> ProvisionedAccount | None:
    external = clean(user.external_id)
    if not external:
        return None
    return work.db.scalar(
        select(ProvisionedAccount).where(
            ProvisionedAccount.client_id == reach.pusher.id,
            ProvisionedAccount.external_id == external,
        )
    )


def _content(work: UnitOfWork, user: Any) -> str:
    """A digest of what was pushed, the attributes in one order."""
    return work.vault.digest("scim-content", user.model_dump_json(exclude_none=True))


def _extension(user: Any) -> Registration:
    found = user[Registration]
    if found is None:
        raise InvalidValueException(detail="The extension of registration is needed.")
    return found  # type: ignore[no-any-return]


def _kind(extension: Registration) -> AccountKind:
    try:
        return AccountKind(extension.account_kind or AccountKind.PERSONAL)
    except ValueError as error:
        raise InvalidValueException(detail="accountKind is personal, machine or email.") from error
