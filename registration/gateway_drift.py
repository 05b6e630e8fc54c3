"""How an account differs between registration and the gateway (PR-07): a calculation over two Users
of SCIM, what registration would push and what the gateway has.

The language is not compared: people choose it at the gateway too.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from registration_bridge.message_urns import REGISTRATION_USER

#: The gateway's own participant; its operators grant the role groups there.
GATEWAY_OPERATOR = "IESO"
User = Mapping[str, Any]


class DriftKind(StrEnum):
    """What differs."""

    #: Registration has the account, the gateway does not.
    MISSING = "missing"
    #: The gateway has the account, registration does not.
    EXTRA = "extra"
    #: Registration has ended the account, the gateway has not.
    OPEN = "open"
    #: What is registered of the account and its holder differs.
    VALUES = "values"
    #: The role groups at one organization differ.
    ROLE_GROUPS = "role_groups"
    #: The gateway does not have the organization, or has it otherwise.
    NO_ORGANIZATION = "no_organization"
    ORGANIZATION = "organization"
    #: The gateway has a participant that is no organization here.
    EXTRA_ORGANIZATION = "extra_organization"


class DriftValue(StrEnum):
    """A value that differs."""

    HOLDER = "holder"
    KIND = "kind"
    NAME = "name"
    EMAIL = "email"
    PHONE = "phone"
    SUSPENDED = "suspended"
    NETWORKS = "networks"
    SECOND_ACCOUNT = "second_account"
    STATUS = "status"
    PARTICIPATIONS = "participations"
    OFFICERS = "officers"


@dataclass(frozen=True)
class Drift:
    """One difference: of an account, by its user name or our id for it, or of an organization, by
    its Organization ID. Of role groups: at which organization, which ones only the gateway has,
    which ones only registration has, and which ones start or end at another time."""

    account: str
    kind: DriftKind
    values: tuple[DriftValue, ...] = ()
    organization: str = ""
    only_gateway: tuple[str, ...] = ()
    only_registration: tuple[str, ...] = ()
    other_times: tuple[str, ...] = ()


def differences(ours: User, theirs: User, at: datetime) -> list[Drift]:
    """What differs at this moment."""
    account = str(theirs.get("userName") or ours.get("externalId") or "")
    mine, known = _values(ours), _values(theirs)
    values = tuple(name for name in mine if mine[name] != known[name])
    found = [Drift(account, DriftKind.VALUES, values)] if values else []
    here, there = _grants(ours, at), _grants(theirs, at)
    for number in sorted({*here, *there}):
        mine_at, known_at = here.get(number, {}), there.get(number, {})
        if mine_at == known_at:
            continue
        both = mine_at.keys() & known_at.keys()
        found.append(
            Drift(
                account,
                DriftKind.ROLE_GROUPS,
                organization=number,
                only_gateway=tuple(sorted(known_at.keys() - both)),
                only_registration=tuple(sorted(mine_at.keys() - both)),
                other_times=tuple(sorted(one for one in both if mine_at[one] != known_at[one])),
            )
        )
    return found


def organization_differences(ours: User, theirs: User | None) -> list[Drift]:
    """What differs between two Participants; None: the gateway does not have it."""
    number = str(ours["participantId"])
    if theirs is None:
        return [Drift("", DriftKind.NO_ORGANIZATION, organization=number)]
    mine, known = _of_participant(ours), _of_participant(theirs)
    values = tuple(name for name in mine if mine[name] != known[name])
    return [Drift("", DriftKind.ORGANIZATION, values, number)] if values else []


def extra_organizations(theirs: Iterable[str], ours: Container[str]) -> list[Drift]:
    """The Organization IDs that only the gateway has, apart from that of its own operators."""
    return [
        Drift("", DriftKind.EXTRA_ORGANIZATION, organization=number)
        for number in sorted(theirs)
        if number not in ours and number != GATEWAY_OPERATOR
    ]


def _of_participant(row: User) -> dict[DriftValue, Any]:
    def pairs(name: str) -> set[tuple[str, str]]:
        return {(one.get("value"), one.get("type")) for one in row.get(name) or ()}

    return {
        DriftValue.NAME: row.get("name"),
        DriftValue.STATUS: row.get("status"),
        DriftValue.PARTICIPATIONS: pairs("participations"),
        DriftValue.OFFICERS: pairs("contacts"),
    }


def is_operator(theirs: User) -> bool:
    """Whether the gateway's operators granted something to this account: it is theirs."""
    return any(row.get("participantId") == GATEWAY_OPERATOR for row in _rows(theirs, "grants"))


def _values(user: User) -> dict[DriftValue, Any]:
    extension = _extension(user)
    second = extension.get("secondAccount") or {}
    return {
        DriftValue.HOLDER: extension.get("personId"),
        DriftValue.KIND: extension.get("accountKind"),
        DriftValue.NAME: _name(user),
        DriftValue.EMAIL: _chosen(user, "emails").casefold(),
        DriftValue.PHONE: re.sub(r"[^0-9;]", "", _chosen(user, "phoneNumbers")),
        DriftValue.SUSPENDED: user.get("active") is False,
        DriftValue.NETWORKS: {
            row.get("value"): row.get("label") or "" for row in _rows(user, "registeredNetworks")
        },
        DriftValue.SECOND_ACCOUNT: (second.get("reason"), second.get("participantId")),
    }


def _name(user: User) -> tuple[str, ...]:
    name = user.get("name") or {}
    parts = (name.get("givenName"), name.get("middleName"), name.get("familyName"))
    return tuple(part or "" for part in (*parts, user.get("nickName")))


def _chosen(user: User, attribute: str) -> str:
    rows = user.get(attribute) or []
    return str(rows[0].get("value") or "") if rows else ""


def _grants(user: User, at: datetime) -> dict[str, dict[str, tuple[datetime | None, ...]]]:
    """The role groups that hold now or later by Organization ID, with the start, if it is still to
    come, and the end."""
    found: dict[str, dict[str, tuple[datetime | None, ...]]] = {}
    for row in _rows(user, "grants"):
        since, until = _moment(row.get("validFrom")), _moment(row.get("validUntil"))
        number = str(row.get("participantId"))
        if number == GATEWAY_OPERATOR or (until is not None and until <= at):
            continue
        limits = (since if since is not None and since > at else None, until)
        found.setdefault(number, {})[str(row.get("roleGroup"))] = limits
    return found


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def _rows(user: User, name: str) -> list[dict[str, Any]]:
    return list(_extension(user).get(name) or [])


def _extension(user: User) -> dict[str, Any]:
    return dict(user.get(REGISTRATION_USER) or {})
