"""Replay revocations from an export of the audit trail after a restoration.

The restored database is older than the export. Grants since the backup may be lost, but revocations
must be repeated. ``REPLAYS`` has one handler for each event that revokes something.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from sqlalchemy import select

from idp.audit.actions import AuditAction
from idp.directory import (
    contacts,
    participants,
    participations,
    role_groups,
)
from idp.errors import NotFound, ServiceError
from idp.grants import signing_keys
from idp.maintenance import account_revocation_replay, client_revocation_replay
from idp.models import (
    Account,
    Event,
)
from idp.transaction import UnitOfWork

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
    """Replay these events, each in its own savepoint. A refused event is added to the result, and
    the others continue. ``names`` are user names by account id. Raises nothing for a refusal."""
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
        except ServiceError as error:
            whom = names.get(event.account_id or 0) or event.client_id or ""
            found.refused.append(f"{event.name} {whom}: {error.detail or error.code}")
    return found


def _subject(event: Event) -> tuple[object, ...]:
    parts = ("group", "participant", "id", "kid", "person_id", "function")
    about = (event.data.get(part) for part in parts)
    step = event.id if event.name in STEPS else None
    return PAIRS.get(event.name, event.name), event.account_id, event.client_id, step, *about


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


def _key(work: UnitOfWork, event: Event) -> bool:
    signing_keys.revoke(work, event.data["kid"])
    return True


#: By event name. A handler returns whether it changed anything, or raises a refusal.
REPLAYS: dict[str, Callable[[UnitOfWork, Event], bool]] = {
    AuditAction.ACCOUNT_STATE: account_revocation_replay.state_changed,
    AuditAction.PASSWORD_SET: account_revocation_replay.password_set,
    AuditAction.ROLE_GROUP_REVOKED: account_revocation_replay.role_group_revoked,
    AuditAction.ROLE_GROUP_TERMS: account_revocation_replay.terms_changed,
    AuditAction.ROLE_GROUP_RULE: _rule,
    AuditAction.ROLE_GROUP_PARTICIPATION: _needed_participation,
    AuditAction.PARTICIPANT_ENDED: _participant,
    AuditAction.PARTICIPANT_PARTICIPATIONS: _participations,
    AuditAction.PARTICIPANT_CONTACT_ENDED: _contact,
    AuditAction.CLIENT_UPDATED: client_revocation_replay.updated,
    AuditAction.CLIENT_DISABLED: client_revocation_replay.disabled,
    AuditAction.CLIENT_SECRET_ROTATED: client_revocation_replay.secret_rotated,
    AuditAction.CLIENT_ROLE_GROUPS: client_revocation_replay.groups_shown,
    AuditAction.CONSENT_REVOKED: account_revocation_replay.consent_revoked,
    AuditAction.KEY_REVOKED: _key,
    AuditAction.FACTOR_REMOVED: account_revocation_replay.factor_removed,
    AuditAction.FACTORS_RESET: account_revocation_replay.factors_reset,
    AuditAction.FACTOR_CHECKED: account_revocation_replay.recovery_code_used,
    AuditAction.RECOVERY_CODES_MADE: account_revocation_replay.recovery_codes_replaced,
    AuditAction.MACHINE_KEY_REMOVED: account_revocation_replay.machine_key_removed,
    AuditAction.NETWORKS_SET: account_revocation_replay.networks_set,
    AuditAction.CUSTODIAN_CHANGED: account_revocation_replay.custodian_changed,
    AuditAction.PERSON_UPDATED: account_revocation_replay.address_changed,
    AuditAction.PHONE_CHANGED: account_revocation_replay.phone_changed,
    AuditAction.SCIM_ENDING: account_revocation_replay.end_date_set,
}


def missing_accounts(work: UnitOfWork, names: dict[int, str]) -> list[str]:
    """The user names in ``names`` that are not in the database, sorted."""
    here = set(
        work.db.scalars(select(Account.username).where(Account.username.in_(names.values())))
    )
    return sorted(set(names.values()) - here)
