"""Claims about a person for one relying party, as a calculation (OIDC Core 5.1, 5.4, 5.5,
5.6.2)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from idp.policy.held_role_group import HeldRoleGroup

PARTICIPANTS = "urn:ieso:participants"
PARTICIPANT_GROUPS = "urn:ieso:participant_groups"
PERSON_ID = "urn:ieso:person_id"
ACCOUNT_TYPE = "urn:ieso:account_type"
ENVIRONMENT = "urn:ieso:environment"
#: Of a second account: its reason, and the one participant for which it acts (UI-10).
SECOND_ACCOUNT = "urn:ieso:second_account"

#: The claims that each scope requests.
SCOPE_CLAIMS: dict[str, tuple[str, ...]] = {
    "profile": (
        "preferred_username",
        "name",
        "given_name",
        "middle_name",
        "family_name",
        "locale",
        "zoneinfo",
        "updated_at",
        PERSON_ID,
        ACCOUNT_TYPE,
        SECOND_ACCOUNT,
        ENVIRONMENT,
    ),
    "email": ("email", "email_verified"),
    "phone": ("phone_number", "phone_number_verified"),
    "groups": ("groups",),
    "participants": (PARTICIPANTS,),
    "participant_groups": (PARTICIPANT_GROUPS,),
}
#: Scopes whose claims are about role groups. Machine accounts may have them too.
GROUP_SCOPES = ("groups", "participants", "participant_groups")
#: Every claim that the gateway supports, for discovery.
CLAIMS_SUPPORTED = ("sub", *(name for names in SCOPE_CLAIMS.values() for name in names))
_SUPPORTED = frozenset(CLAIMS_SUPPORTED)
#: Claims whose size grows with the number of role groups.
GROUP_CLAIMS = ("groups", PARTICIPANTS, PARTICIPANT_GROUPS)
_OF_GROUPS = frozenset(GROUP_CLAIMS)
#: The most bytes of JSON that they may take in a token.
MAX_GROUP_BYTES = 24_576


@dataclass(frozen=True, kw_only=True)
class Subject:
    """An account and its person, as input for the claims."""

    sub: str
    username: str
    kind: str
    name: str
    given_name: str
    middle_name: str
    family_name: str
    email: str
    phone: str
    person_id: str
    locale: str
    zoneinfo: str
    updated_at: int
    environment: str
    second_reason: str = ""
    second_participant: str = ""


def requested(scopes: Iterable[str], claims: dict[str, Any], target: str) -> frozenset[str]:
    """The names of the claims that the granted ``scopes`` and the ``claims`` parameter request for
    ``target`` (``userinfo`` or ``id_token``). ``claims`` has only claims that the client may
    have."""
    names = _of_scopes(tuple(scopes))
    asked = claims.get(target)
    return names | (_SUPPORTED & set(asked)) if asked else names


@lru_cache(maxsize=256)
def _of_scopes(scopes: tuple[str, ...]) -> frozenset[str]:
    return frozenset(name for scope in scopes for name in SCOPE_CLAIMS.get(scope, ()))


def needs_groups(names: Iterable[str]) -> bool:
    """Whether any of these claims is about role groups."""
    return not _OF_GROUPS.isdisjoint(names)


def build(subject: Subject, names: Set[str], held: Sequence[HeldRoleGroup]) -> dict[str, Any]:
    """The claims with these names. Empty ones are left out, except those about role groups."""
    values = {
        "preferred_username": subject.username,
        "name": subject.name,
        "given_name": subject.given_name,
        "middle_name": subject.middle_name,
        "family_name": subject.family_name,
        "locale": subject.locale,
        "zoneinfo": subject.zoneinfo,
        "updated_at": subject.updated_at,
        PERSON_ID: subject.person_id,
        ACCOUNT_TYPE: subject.kind,
        SECOND_ACCOUNT: _second(subject),
        ENVIRONMENT: subject.environment,
        "email": subject.email,
        "email_verified": bool(subject.email),
        "phone_number": subject.phone,
        "phone_number_verified": False if subject.phone else "",
    }
    chosen = {name: value for name, value in values.items() if name in names and value != ""}
    return {"sub": subject.sub, **chosen, **of_groups(names, held)}


def of_groups(names: Set[str], held: Sequence[HeldRoleGroup]) -> dict[str, Any]:
    """The claims about role groups with these names."""
    chosen: dict[str, Any] = {}
    if "groups" in names:
        chosen["groups"] = sorted({item.group for item in held})
    if PARTICIPANTS in names:
        chosen[PARTICIPANTS] = _by_participant(held)
    if PARTICIPANT_GROUPS in names:
        # For applications that read lists of strings only. A participant number has no colon.
        chosen[PARTICIPANT_GROUPS] = sorted({f"{row.participant}:{row.group}" for row in held})
    return chosen


def _second(subject: Subject) -> dict[str, str] | str:
    if not subject.second_reason:
        return ""
    return {"reason": subject.second_reason, "participant": subject.second_participant}


def _by_participant(held: Sequence[HeldRoleGroup]) -> list[dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    for item in held:
        row = rows.setdefault(
            item.participant,
            {"id": item.participant, "name": item.participant_name, "groups": []},
        )
        row["groups"].append(item.group)
    for row in rows.values():
        row["groups"].sort()
    return [rows[number] for number in sorted(rows)]


def within_limit(claims: dict[str, Any], limit: int, userinfo: str) -> dict[str, Any]:
    """The claims for a token. Above ``limit`` role groups or ``MAX_GROUP_BYTES``, those about role
    groups become distributed claims, which refer to userinfo (OIDC Core 5.6.2)."""
    moved = [name for name in GROUP_CLAIMS if name in claims]
    if not moved:
        return claims
    count = max(
        len(claims.get("groups", ())),
        len(claims.get(PARTICIPANT_GROUPS, ())),
        sum(len(row["groups"]) for row in claims.get(PARTICIPANTS, ())),
    )
    size = len(json.dumps({name: claims[name] for name in moved}))
    if count <= limit and size <= MAX_GROUP_BYTES:
        return claims
    kept = {name: value for name, value in claims.items() if name not in moved}
    return {
        **kept,
        "_claim_names": dict.fromkeys(moved, "userinfo"),
        "_claim_sources": {"userinfo": {"endpoint": userinfo}},
    }
