"""Replay revocations from an export of the audit trail after a restoration.

The database is older than the trail. What was granted since may be lost; what was revoked must be
revoked again. ``REPLAYS`` has one handler for each such event.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import delete, select, update

from idp.audit.actions import AuditAction
from idp.clients import registry
from idp.directory import (
    contacts,
    lifecycle,
    participants,
    participations,
    persons,
    role_group_assignments,
    role_groups,
)
from idp.directory.state_reasons import StateReason
from idp.errors import GatewayError, NotFound
from idp.factors import authenticators, recovery_codes
from idp.grants import signing_keys
from idp.machines import machine_accounts, machine_keys
from idp.maintenance import client_revocation_replay
from idp.mfa.prompt_reasons import AccountChange
from idp.models import (
    Account,
    AccountState,
    Authenticator,
    Consent,
    Event,
    Grant,
    RegisteredNetwork,
)
from idp.session import sessions
from idp.session.end_reasons import EndReason
from idp.transaction import UnitOfWork

DENYING = (
    AccountState.LOCKED,
    AccountState.SUSPENDED,
    AccountState.RESET_REQUIRED,
    AccountState.DEACTIVATED,
)
#: Events of which only the last one for a subject is replayed.
PAIRS: dict[str, str] = {
    AuditAction.ROLE_GROUP_ASSIGNED: AuditAction.ROLE_GROUP_REVOKED,
    AuditAction.PARTICIPANT_RESTORED: AuditAction.PARTICIPANT_ENDED,
    AuditAction.PARTICIPANT_CONTACT_ADDED: AuditAction.PARTICIPANT_CONTACT_ENDED,
    AuditAction.CLIENT_ENABLED: AuditAction.CLIENT_DISABLED,
    AuditAction.CONSENT_GIVEN: AuditAction.CONSENT_REVOKED,
}

#: Events that are all replayed, in order.
STEPS = (AuditAction.CUSTODIAN_CHANGED, AuditAction.PERSON_UPDATED)


@dataclass
class ReplayResult:
    """What was replayed, by event name, and descriptions of what could not be."""

    done: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)


def replay(work: UnitOfWork, events: Iterable[Event], names: dict[int, str]) -> ReplayResult:
    """Replay these events. Each is a separate step: a refused one is reported, and the others
    continue."""
    last: dict[tuple[object, ...], Event] = {}
    for event in events:
        last.pop(_subject(event), None)
        last[_subject(event)] = event
    found = ReplayResult()
    # States come last: a deactivated account lacks what the earlier steps need.
    for event in sorted(last.values(), key=lambda each: each.name == AuditAction.ACCOUNT_STATE):
        act = REPLAYS.get(event.name)
        if act is None or event.outcome != "ok":
            continue
        try:
            with work.db.begin_nested():
                if act(work, event):
                    found.done[event.name] += 1
        except NotFound:
            # Created since the backup: if it is missing, there is nothing to revoke.
            continue
        except GatewayError as error:
            whom = names.get(event.account_id or 0) or event.client_id or ""
            found.refused.append(f"{event.name} {whom}: {error.detail or error.code}")
    return found


def _subject(event: Event) -> tuple[object, ...]:
    parts = ("group", "participant", "id", "kid", "person_id", "function")
    about = (event.data.get(part) for part in parts)
    step = event.id if event.name in STEPS else None
    return PAIRS.get(event.name, event.name), event.account_id, event.client_id, step, *about


def _account(work: UnitOfWork, event: Event) -> Account:
    """The account of the event. An account created since the backup may have had an id that is in
    use again."""
    row = work.db.get(Account, event.account_id) if event.account_id is not None else None
    if row is None or row.created_at > event.at:
        raise NotFound("the account does not exist here")
    return row


def _why(event: Event) -> StateReason:
    """The reason that the event names; an unknown one of an older release is not kept."""
    why = event.data.get("why")
    return StateReason(why) if why in list(StateReason) else StateReason.RESTORED


def _state(work: UnitOfWork, event: Event) -> bool:
    state, row = AccountState(event.data["after"]), _account(work, event)
    if state not in DENYING or state == row.state or row.state == AccountState.DEACTIVATED:
        return False
    if state == AccountState.RESET_REQUIRED and row.state in lifecycle.HELD:
        # It stays locked or suspended; the state restored later requires a new password.
        row.resumes_as = str(state)
    elif state == AccountState.RESET_REQUIRED:
        lifecycle.require_reset(work, row, reason=StateReason.RESTORED)
    else:
        lifecycle.change_state(work, row, state, reason=_why(event))
    return True


def _password(work: UnitOfWork, event: Event) -> bool:
    """The password of the backup is outdated. A pending account has none."""
    row = _account(work, event)
    if row.state != AccountState.ACTIVE:
        return False
    lifecycle.require_reset(work, row, reason=StateReason.RESTORED)
    return True


def _role_group(work: UnitOfWork, event: Event) -> bool:
    group = role_groups.by_name(work, event.data["group"])
    participant = participants.by_number(work, event.data["participant"])
    return role_group_assignments.revoke(work, _account(work, event), group, participant)


def _terms(work: UnitOfWork, event: Event) -> bool:
    """The assignment ends sooner or starts later than in the backup."""
    account, after = _account(work, event), event.data["after"]
    pair = (event.data["group"], event.data["participant"])
    held = {
        (row.role_group.name, row.participant.number): row
        for row in role_group_assignments.list_held(work, account)
    }
    row = held.get(pair)
    if row is None:
        return False
    begins, ends = (_moment(after, name) for name in ("valid_from", "valid_until"))
    if ends is not None and ends <= work.now:
        return role_group_assignments.revoke(work, account, row.role_group, row.participant)
    ends = min((end for end in (ends, row.valid_until) if end is not None), default=None)
    begins = max((start for start in (begins, row.valid_from) if start is not None), default=None)
    terms = replace(role_group_assignments.terms_of(row), valid_from=begins, valid_until=ends)
    return role_group_assignments.assign(work, account, row.role_group, row.participant, terms)


def _moment(values: dict[str, str], name: str) -> datetime | None:
    return datetime.fromisoformat(values[name]) if name in values else None


def _rule(work: UnitOfWork, event: Event) -> bool:
    """The second-factor rule of the role group."""
    group, rule = role_groups.by_name(work, event.data["group"]), event.data["second_factor"]
    is_other = bool(group.second_factor != rule)
    if is_other:
        role_groups.set_rule(work, group, rule)
    return is_other


def _needed_participation(work: UnitOfWork, event: Event) -> bool:
    """The participation that the role group requires; replayed after ended participations."""
    group, needed = role_groups.by_name(work, event.data["group"]), event.data["participation"]
    is_other = bool(needed) and group.participation != needed
    if is_other:
        participations.set_required(work, group, needed)
    return is_other


def _participant(work: UnitOfWork, event: Event) -> bool:
    row = participants.by_number(work, event.data["participant"])
    is_on = row.ended_at is None
    participants.end(work, row)
    return is_on


def _participations(work: UnitOfWork, event: Event) -> bool:
    """End participations; new ones come with the next push."""
    row = participants.by_number(work, event.data["participant"])
    parts = participations.list_participations(work, row)
    return participations.replace(
        work, row, [part for part in parts if part.name in event.data["after"]]
    )


def _contact(work: UnitOfWork, event: Event) -> bool:
    """End contact roles, so that former contacts get no more notices."""
    row = participants.by_number(work, event.data["participant"])
    gone = contacts.ContactRef(event.data["person_id"], event.data["function"])
    known = contacts.to_entries(contacts.list_contacts(work, row))
    return contacts.replace(work, row, [entry for entry in known if entry != gone])


def _consent(work: UnitOfWork, event: Event) -> bool:
    row, client = _account(work, event), registry.get(work, event.client_id or "")
    gone = work.db.execute(
        delete(Consent)
        .where(Consent.account_id == row.id, Consent.client_id == client.id)
        .returning(Consent.id)
    ).all()
    sessions.revoke_grants(
        work, (Grant.account_id == row.id) & (Grant.client_id == client.id), EndReason.RESTORED
    )
    return bool(gone)


def _key(work: UnitOfWork, event: Event) -> bool:
    signing_keys.revoke(work, event.data["kid"])
    return True


def _factor(work: UnitOfWork, event: Event) -> bool:
    row = _account(work, event)
    gone = work.db.execute(
        update(Authenticator)
        .where(
            Authenticator.account_id == row.id,
            Authenticator.public_id == event.data["id"],
            Authenticator.removed_at.is_(None),
        )
        .values(removed_at=work.now)
        .returning(Authenticator.id)
        .execution_options(synchronize_session=False)
    ).all()
    authenticators.require_at_next_sign_in(work, row, AccountChange.FACTOR_CHANGE)
    return bool(gone)


def _factors(work: UnitOfWork, event: Event) -> bool:
    authenticators.reset(work, _account(work, event))
    return True


def _recovery_codes(work: UnitOfWork, event: Event) -> bool:
    recovery_codes.invalidate_all(work, _account(work, event))
    return True


def _recovery_code(work: UnitOfWork, event: Event) -> bool:
    """A code was used. Nobody knows which one, so all are invalidated."""
    return event.data.get("factor") == "recovery" and _recovery_codes(work, event)


def _machine_key(work: UnitOfWork, event: Event) -> bool:
    machine_keys.revoke(work, _account(work, event), event.data["kid"])
    return True


def _networks(work: UnitOfWork, event: Event) -> bool:
    """Remove networks; new ones come with the next push."""
    row = _account(work, event)
    kept = list(event.data["after"])
    gone = work.db.execute(
        delete(RegisteredNetwork)
        .where(RegisteredNetwork.account_id == row.id, RegisteredNetwork.network.not_in(kept))
        .returning(RegisteredNetwork.id)
    ).all()
    return bool(gone)


def _custodian(work: UnitOfWork, event: Event) -> bool:
    """Remove the access of the old custodian. If the new one is missing here, nobody has access."""
    row = _account(work, event)
    if row.state == AccountState.DEACTIVATED or row.person.person_id != event.data["before"]:
        return False
    person = persons.by_person_id(work, event.data["after"])
    if person is not None:
        machine_accounts.change_custodian(work, row, person)
    else:
        lifecycle.change_state(
            work, row, AccountState.SUSPENDED, reason=StateReason.CUSTODIAN_CHANGED
        )
    return True


def _address(work: UnitOfWork, event: Event) -> bool:
    """Links and codes must go to the current address, not to the former one."""
    row = _account(work, event)
    before, after = event.data["before"].get("email"), event.data["after"].get("email")
    if not after or row.person.email != before:
        return False
    return bool(persons.update(work, row.person, persons.PersonChanges(email=after)))


def _phone(work: UnitOfWork, event: Event) -> bool:
    """Remove the number of the backup. The trail does not contain the new one."""
    row = _account(work, event)
    had, row.recovery_phone = row.recovery_phone, None
    return had is not None


def _end_date(work: UnitOfWork, event: Event) -> bool:
    row, end = _account(work, event), datetime.fromisoformat(event.data["at"])
    if row.ends_at is not None and row.ends_at <= end:
        return False
    row.ends_at = end
    return True


#: By event name. A handler returns whether it changed anything, or raises a refusal.
REPLAYS: dict[str, Callable[[UnitOfWork, Event], bool]] = {
    AuditAction.ACCOUNT_STATE: _state,
    AuditAction.PASSWORD_SET: _password,
    AuditAction.ROLE_GROUP_REVOKED: _role_group,
    AuditAction.ROLE_GROUP_TERMS: _terms,
    AuditAction.ROLE_GROUP_RULE: _rule,
    AuditAction.ROLE_GROUP_PARTICIPATION: _needed_participation,
    AuditAction.PARTICIPANT_ENDED: _participant,
    AuditAction.PARTICIPANT_PARTICIPATIONS: _participations,
    AuditAction.PARTICIPANT_CONTACT_ENDED: _contact,
    AuditAction.CLIENT_UPDATED: client_revocation_replay.updated,
    AuditAction.CLIENT_DISABLED: client_revocation_replay.disabled,
    AuditAction.CLIENT_SECRET_ROTATED: client_revocation_replay.secret_rotated,
    AuditAction.CLIENT_ROLE_GROUPS: client_revocation_replay.groups_shown,
    AuditAction.CONSENT_REVOKED: _consent,
    AuditAction.KEY_REVOKED: _key,
    AuditAction.FACTOR_REMOVED: _factor,
    AuditAction.FACTORS_RESET: _factors,
    AuditAction.FACTOR_CHECKED: _recovery_code,
    AuditAction.RECOVERY_CODES_MADE: _recovery_codes,
    AuditAction.MACHINE_KEY_REMOVED: _machine_key,
    AuditAction.NETWORKS_SET: _networks,
    AuditAction.CUSTODIAN_CHANGED: _custodian,
    AuditAction.PERSON_UPDATED: _address,
    AuditAction.PHONE_CHANGED: _phone,
    AuditAction.SCIM_ENDING: _end_date,
}


def missing_accounts(work: UnitOfWork, names: dict[int, str]) -> list[str]:
    """The login names of these accounts that are not in the database."""
    here = set(
        work.db.scalars(select(Account.username).where(Account.username.in_(names.values())))
    )
    return sorted(set(names.values()) - here)
