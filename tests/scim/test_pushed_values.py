"""What a push says is cleaned once, at the border, into frozen values."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from scim2_models import InvalidValueException

import registration_bridge
from idp.directory.contacts import ContactRef
from idp.directory.participations import ParticipationRef
from idp.directory.provisioned_accounts import Push
from idp.directory.role_group_assignments import AssignmentTerms
from registration_bridge.pushed_group import PushedGroup
from registration_bridge.pushed_participant import PushedParticipant
from registration_bridge.pushed_user import (
    PushedHolder,
    PushedName,
    PushedSecondAccount,
    PushedUser,
)
from registration_bridge.user_schema import provider
from tests.scim.pusher import user

ROLE = "urn:ieso:params:scim:schemas:extension:role:2.0:Group"


@pytest.fixture(autouse=True)
def schemas() -> Iterator[None]:
    with provider():
        yield


def read(kind: str, body: dict[str, Any]) -> Any:
    """As the protocol library reads a resource."""
    return provider().model_for(kind).model_validate(body)


def test_a_pushed_user_is_clean_and_typed() -> None:
    """Each value without the space around it, times in UTC, zone and language as the gateway has
    them; nothing can be set afterwards."""
    grant = {
        "roleGroup": " EMI Trader ",
        "participantId": "109120 ",
        "validFrom": "2027-01-01T01:00:00+01:00",
        "grantedBy": " R7 ",
        "requestNumber": "7" * 80,
    }
    extension = {
        "accountKind": "machine",
        "personId": " R00001 ",
        "grants": [grant],
        "registeredNetworks": [{"value": " 192.0.2.0/28 ", "label": None}],
        "secondAccount": {"reason": " transmission_rights ", "participantId": " 109120 "},
        "sequence": 4,
    }
    body = user(
        name={"givenName": " Ada ", "familyName": "Lovelace "},
        phoneNumbers=[{"value": "tel:+14169671111;ext=5"}],
        preferredLanguage="fr-CA",
        timezone="Eastern Standard Time",
        extension=extension,
    )
    found = PushedUser.of(read("User", body))
    assert found.push == Push("reg-1", "", 4)
    assert found.holder == PushedHolder(
        "R00001",
        PushedName("Ada", "Lovelace", None),
        None,
        "jim1@participant.example",
        "+14169671111 ext 5",
    )
    assert (found.kind, found.active, found.username, found.end) == ("machine", True, "", None)
    assert (found.language, found.time_zone) == ("fr", "America/New_York")
    assert found.networks == (("192.0.2.0/28", ""),)
    assert found.second_account == PushedSecondAccount("transmission_rights", "109120")
    assert dict(found.grants) == {
        ("EMI Trader", "109120"): AssignmentTerms(
            datetime(2027, 1, 1, tzinfo=UTC), None, "R7", "7" * 60
        )
    }
    with pytest.raises(FrozenInstanceError):
        found.username = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        found.grants["EMI Viewer", "109120"] = AssignmentTerms()  # type: ignore[index]


@pytest.mark.parametrize(
    "changes",
    [
        {"externalId": "x" * 201},
        {"nickName": "a\u0000b"},
        {"emails": [{"value": "a@b.example"}, {"value": "c@b.example"}]},
        {"extension": {"personId": "R" * 41}},
        {"extension": {"accountKind": "robot"}},
        {"extension": {"endDate": "2027-01-01T00:00:00"}},
        {"extension": {"endDate": "0001-01-01T00:00:00+14:00"}},
    ],
)
def test_what_cannot_be_is_refused_at_the_border(changes: dict[str, Any]) -> None:
    """Texts too long or not printable, two values where there is one, other kinds, times without a
    zone or beyond the calendar."""
    with pytest.raises(InvalidValueException):
        PushedUser.of(read("User", user(**changes)))


def test_a_pushed_group_and_participant_are_clean() -> None:
    """Members, participations and contacts are there once each."""
    group = {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group", ROLE],
        "displayName": " Traders ",
        "members": [{"value": "a "}, {"value": "a"}, {"value": "b"}],
        ROLE: {"roleGroup": "EMI Trader", "participantId": " 109120"},
    }
    assert PushedGroup.of(read("Group", group)) == PushedGroup(
        None, "Traders", "EMI Trader", "109120", "", frozenset({"a", "b"})
    )
    participant = {
        "schemas": ["urn:ieso:params:scim:schemas:core:2.0:Participant"],
        "participantId": "109120",
        "name": " Erie Wind ",
        "status": "ended",
        "participations": [{"value": "Energy Market"}, {"value": "Energy Market "}],
        "contacts": [{"value": "R1", "type": "primary_contact"}],
    }
    assert PushedParticipant.of(read("Participant", participant)) == PushedParticipant(
        "109120",
        "Erie Wind",
        None,
        True,
        (ParticipationRef("Energy Market"),),
        (ContactRef("R1", "primary_contact"),),
    )


def test_nothing_behind_the_border_cleans_again() -> None:
    """Only the modules that make the pushed values use ``clean_values``."""
    users = set()
    for path in Path(registration_bridge.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and str(node.module).endswith("clean_values"):
                users.add(path.stem)
    assert users == {"pushed_user", "pushed_group", "pushed_participant"}
