"""What a push says is cleaned once, at the border, into frozen values."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from scim2_models import (
    Context,
    InvalidPathException,
    InvalidValueException,
    MutabilityException,
    PatchOp,
)

import registration_bridge
from idp.directory.contacts import ContactRef
from idp.directory.participations import ParticipationRef
from idp.directory.persons import PersonChanges
from idp.directory.provisioned_accounts import Push
from idp.directory.role_group_assignments import AssignmentTerms
from idp.directory.search_conditions import ALWAYS
from idp.models import Person
from registration_bridge import pushed_group, resource_changes
from registration_bridge.pushed_group import PushedGroup
from registration_bridge.pushed_participant import PushedParticipant
from registration_bridge.pushed_user import (
    PushedHolder,
    PushedName,
    PushedSecondAccount,
    PushedUser,
)
from registration_bridge.resource_document import ResourceDocument
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


def test_a_pushed_user_is_cleaned_and_typed() -> None:
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
def test_invalid_values_are_refused_when_the_push_is_read(changes: dict[str, Any]) -> None:
    """Texts too long or not printable, two values where there is one, other kinds, times without a
    zone or beyond the calendar."""
    with pytest.raises(InvalidValueException):
        PushedUser.of(read("User", user(**changes)))


def test_pushed_groups_and_participants_are_cleaned() -> None:
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


def holder(**changes: Any) -> PushedHolder:
    return PushedUser.of(read("User", user(**changes))).holder


@pytest.mark.parametrize(
    ("emails", "address"),
    [
        ([("a", "home", None), ("A", "work", None)], "A"),
        ([("a", "work", None), ("A", None, True)], "A"),
        ([("a", None, True), ("A", "work", None)], "a"),
        ([("A", None, None), ("a", "home", None)], "A"),
        ([("a", None, False), ("a", None, True)], "a"),
        ([(" a ", None, None)], "a"),
    ],
)
def test_one_value_counts(emails: list[tuple[str, str, bool]], address: str) -> None:
    """RFC 7643 section 2.4: the primary one, else the one for work, else the first."""
    rows = [
        {"value": value.replace("a", "a@b.example").replace("A", "A@b.example"), "type": kind,
         "primary": primary} for value, kind, primary in emails
    ]  # fmt: skip
    rows = [{name: value for name, value in row.items() if value is not None} for row in rows]
    assert holder(emails=rows).email == f"{address}@b.example"


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"emails": [{"value": "a@b.example"}, {"value": "c@b.example"}]},
         "a person has one e-mail address: send only one"),
        ({"emails": [{"value": "a@b.example", "primary": False}]},
         "the only e-mail address is primary: omit primary or set it to true"),
        ({"phoneNumbers": [{"value": "416 967 1111"}, {"value": "416 967 1112"}]},
         "a person has one telephone: send only one"),
        ({"extension": {"personId": "R" * 41}},
         "personId is required, with at most 40 characters"),
        ({"extension": {"personId": " "}}, "personId is required, with at most 40 characters"),
        ({"extension": {"accountKind": "robot"}},
         "accountKind must be personal, machine or email."),
        ({"extension": {"endDate": "2027-01-01T00:00:00"}},
         "a date and time needs a time zone, such as 2027-01-01T00:00:00Z"),
        ({"extension": {"endDate": "9999-12-31T23:59:59-14:00"}},
         "the year must be between 1 and 9999"),
    ],
)  # fmt: skip
def test_why_a_value_is_refused(changes: dict[str, Any], detail: str) -> None:
    """PR-06: what to send instead."""
    with pytest.raises(InvalidValueException) as refused:
        PushedUser.of(read("User", user(**changes)))
    assert refused.value.detail == detail


def test_what_a_push_does_not_say() -> None:
    """PR-01: absent is not empty."""
    found = PushedUser.of(read("User", user(externalId=None, active=None, emails=None, name=None)))
    assert (found.push, found.active, found.kind) == (Push(None, "", None), None, None)
    assert (found.second_account, found.networks, dict(found.grants)) == (None, (), {})
    assert found.holder == PushedHolder("R00001")
    assert holder(phoneNumbers=[], emails=[]) == PushedHolder("R00001", PushedName(
        "Jim", "Smithb", None))  # fmt: skip
    assert holder(name={"familyName": "S", "middleName": ""}).name == PushedName("", "S", "")
    same = [{"value": "416 967 1111"}, {"value": "tel:+1-416-967-1111"}]
    assert holder(phoneNumbers=same).phone == "416 967 1111"
    assert holder(phoneNumbers=[{"value": "tel:%2B14169671111"}]).phone == "+14169671111"
    assert holder(extension={"personId": "R" * 40}).person_id == "R" * 40
    bare = user() | {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"]}
    del bare["urn:ieso:params:scim:schemas:extension:registration:2.0:User"]
    with pytest.raises(InvalidValueException) as refused:
        PushedUser.of(read("User", bare))
    assert refused.value.detail == "The registration extension is required."


@pytest.mark.parametrize(
    ("sent", "language"), [("fr_CA", "fr"), ("FR", "fr"), ("EN-us", "en"), ("de", ""), (None, "")]
)
def test_z11_a_language_that_the_gateway_has(sent: str | None, language: str) -> None:
    """RFC 7643 section 4.1.1: any other is no reason to refuse an account."""
    assert PushedUser.of(read("User", user(preferredLanguage=sent))).language == language


def test_ma10_a_holder_is_completed_with_what_is_registered() -> None:
    """MA-10, PR-01: where the push says nothing; what it says stays, the empty too."""
    person = Person(
        person_id="R1", given_name="Ann", middle_name="M", family_name="Lee", preferred_name="A",
        email="ann@x.example", phone="+14169671111", phone_extension="5",
    )  # fmt: skip
    whole = PushedHolder(
        "R1", PushedName("Ann", "Lee", "M"), "A", "ann@x.example", "+14169671111 ext 5"
    )
    assert PushedHolder.registered(person) == whole
    assert PushedHolder("R1").completed(person) == whole
    said = PushedHolder("R1", PushedName("B", "C", ""), "", "b@x.example", "")
    assert said.completed(person) == said
    assert PushedHolder("R1", PushedName("B", "C", None)).completed(person).name == PushedName(
        "B", "C", "M"
    )
    bare = Person(person_id="R1", given_name="", middle_name="", family_name="Lee",
                  preferred_name="", email="a@x.example", phone="", phone_extension="")  # fmt: skip
    assert PushedHolder.registered(bare) == PushedHolder(
        "R1", PushedName("", "Lee", ""), "", "a@x.example", ""
    )
    bare.phone = "+14169671111"
    assert PushedHolder.registered(bare).phone == "+14169671111"
    assert PushedName("ANN", "Lee", None).key == PushedName("Ann", "LEE", "M").key == "ann lee"


def test_pr01_what_a_whole_user_changes() -> None:
    """PR-01: what it leaves out is empty, except the address."""
    assert PushedHolder("R1").changes() == PersonChanges(
        given_name="", middle_name="", family_name="", preferred_name="", email=None, phone=""
    )
    assert PushedHolder("R1", PushedName("A", "C", None)).changes().middle_name == ""
    said = PushedHolder("R1", PushedName("A", "C", "B"), "D", "a@x.example", "1")
    assert said.changes() == PersonChanges(
        given_name="A", middle_name="B", family_name="C", preferred_name="D",
        email="a@x.example", phone="1",
    )  # fmt: skip


def patch(*operations: dict[str, Any]) -> Any:
    """A PATCH of a Group, as the protocol library reads it."""
    model = PatchOp[provider().model_for("Group")]  # type: ignore[misc]
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": list(operations)}  # fmt: skip
    return model.model_validate(body, scim_ctx=Context.RESOURCE_PATCH_REQUEST)


def test_n79_members_are_changed_apart_from_the_rest() -> None:
    """N79: by their ids, each once, or by a condition; the other operations stay a PATCH."""
    changes, rest = pushed_group.split(
        patch(
            {"op": "add", "path": "members", "value": [{"value": "a "}, {"value": "a"}]},
            {"op": "replace", "path": "displayName", "value": "T"},
            {"op": "replace", "path": "Members", "value": {"value": "b", "type": "User"}},
            {"op": "remove", "path": "members"},
            {"op": "remove", "path": "members", "value": [{"value": "c"}]},
            {"op": "remove", "path": 'members[value eq "d"]'},
        )
    )
    assert [(row.op, row.subjects) for row in changes] == [
        ("add", {"a"}), ("replace", {"b"}), ("remove", frozenset()), ("remove", frozenset()),
        ("remove", frozenset()),
    ]  # fmt: skip
    conditions = [row.condition for row in changes]
    assert conditions[:2] == [None, None]
    assert conditions[2] is ALWAYS
    assert [list(row.compile().params.values()) for row in conditions[3:] if row is not None] == [
        [["c"]], ["d"],
    ]  # fmt: skip
    assert [str(row.path) for row in rest.operations or ()] == ["displayName"]
    only, none = pushed_group.split(patch({"op": "replace", "path": "members", "value": []}))
    assert (only[0].subjects, only[0].condition, none) == (frozenset(), None, None)
    role = {"roleGroup": "T", "participantId": "1"}
    none_of_them, _ = pushed_group.split(patch({"op": "replace", "path": ROLE, "value": role}))
    assert none_of_them == []
    pathless, whole = pushed_group.split(patch({"op": "add", "value": {"displayName": "T"}}))
    assert (pathless, len(whole.operations or ())) == ([], 1)


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ({"op": "add", "path": 'members[value eq "a"]', "value": {}}, InvalidPathException),
        ({"op": "remove", "path": "members.value"}, MutabilityException),
        ({"op": "add", "path": "members", "value": ["a"]}, InvalidValueException),
        ({"op": "add", "path": "members", "value": [{"value": "a", "type": "Group"}]},
         InvalidValueException),
    ],
)  # fmt: skip
def test_n79_members_that_are_refused(operation: dict[str, Any], kind: type[Exception]) -> None:
    """N79, G3: by a filter, by a part, no objects, no Users."""
    with pytest.raises(kind):
        pushed_group.split(patch(operation))
    with pytest.raises(ValidationError, match="value is required"):
        patch({"op": "add", "path": "members", "value": None})


def test_what_a_group_and_a_participant_do_not_say() -> None:
    """PR-01: nothing is made of what is absent; a participation is a market unless it is said."""
    bare = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "T"}
    with pytest.raises(InvalidValueException):
        PushedGroup.of(read("Group", bare))
    group = bare | {"externalId": "g", ROLE: {"roleGroup": "T", "participantId": "1",
                                              "participantName": " Erie "}}  # fmt: skip
    assert PushedGroup.of(read("Group", group)) == PushedGroup("g", "T", "T", "1", "Erie",
                                                               frozenset())  # fmt: skip
    body = {"schemas": ["urn:ieso:params:scim:schemas:core:2.0:Participant"],
            "participantId": "1", "name": "N", "externalId": "p"}  # fmt: skip
    assert PushedParticipant.of(read("Participant", body)) == PushedParticipant(
        "1", "N", "p", None, (), ()
    )
    parts = [{"value": "B", "type": "programme"}, {"value": "A"}]
    found = PushedParticipant.of(read("Participant", body | {"participations": parts,
                                                             "status": "active"}))  # fmt: skip
    assert found.participations == (
        ParticipationRef("A"), ParticipationRef("B", "programme"),
    )  # fmt: skip
    assert found.is_ended is False
    with pytest.raises(InvalidValueException) as refused:
        PushedParticipant.of(read("Participant", body | {"status": "asleep"}))
    assert refused.value.detail == "status must be active or ended."


def test_what_the_log_says_of_a_resource() -> None:
    """PR-06: its values, without what the gateway makes of it."""
    body = user()
    whole = body | {"id": "x", "meta": {"resourceType": "User"}}
    assert resource_changes.shown(ResourceDocument(None, whole)) == {
        name: value for name, value in body.items() if name != "schemas"
    }


def test_values_are_cleaned_in_one_place_only() -> None:
    """Only the modules that make the pushed values use ``clean_values``."""
    users = set()
    for path in Path(registration_bridge.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and str(node.module).endswith("clean_values"):
                users.add(path.stem)
    assert users == {"pushed_user", "pushed_group", "pushed_participant"}
