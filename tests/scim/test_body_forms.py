"""What clients send, in the form of the specification: the exact bodies, without a gateway."""

from __future__ import annotations

import json
from typing import Any

import pytest
from scim2_models import (
    InvalidSyntaxException,
    InvalidValueException,
    MutabilityException,
    PayloadTooLargeException,
    PreconditionFailedException,
    SCIMException,
)

from idp.models import Client
from registration_bridge import normalise, resource_changes
from registration_bridge.body_rules import (
    CORE,
    ENTERPRISE,
    GROUP,
    GROUP_ALIAS,
    MAX_OPERATIONS,
    PARTICIPANT,
    PLACES,
    BodyRules,
    attribute_of,
    id_of,
    place_of,
)
from registration_bridge.bulk_body import read_bulk
from registration_bridge.clean_values import MAX_TEXT, clean, clean_request_number
from registration_bridge.mapping_profile import ROLE, Profile
from registration_bridge.mapping_profile import USER as EXTENSION
from registration_bridge.request_context import MAX_BULK_BODY
from registration_bridge.time_zones import iana_zone

USERS, GROUPS = PLACES["Users"], PLACES["Groups"]
ENTRA = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
BY_NUMBER = Profile("employeeNumber", "email", "")
BY_ID = Profile("externalId", "email", "109120")


def refused(kind: type[SCIMException], act: Any) -> str:
    """The detail of a refusal of exactly this kind."""
    with pytest.raises(SCIMException) as found:
        act()
    assert type(found.value) is kind
    return str(found.value.detail)


@pytest.mark.parametrize(
    ("body", "kind", "detail"),
    [
        (b"[" * 100_000, InvalidSyntaxException, "The body must be a JSON object."),
        (b"{", InvalidSyntaxException, "The body must be a JSON object."),
        (b"\xff", InvalidSyntaxException, "The body must be a JSON object."),
        (b'{"a": 1, "A": 2}', InvalidSyntaxException, "An attribute is repeated."),
        (b'{"a": 1, "a": 1}', InvalidSyntaxException, "An attribute is repeated."),
        (b"1234567890 ", PayloadTooLargeException, "The body must not exceed 10 bytes."),
    ],
)
def test_n86_n87_a_body_that_cannot_be_read(
    body: bytes, kind: type[SCIMException], detail: str
) -> None:
    """N86, N87: too long, no JSON, or of two meanings."""
    longest = 10 if kind is PayloadTooLargeException else 200_000
    assert refused(kind, lambda: normalise.parse(body, longest)) == detail


def test_n87_the_longest_body_is_read() -> None:
    """N87: exactly as long as allowed."""
    assert normalise.parse(b"1234567890", 10) == 1234567890


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"locale": "fr-CA"}, {"preferredLanguage": "fr-CA"}),
        ({"locale": 1}, {}),
        ({"preferredLanguage": "en", "Locale": "fr"}, {"preferredLanguage": "en"}),
        ({"ID": "x", "meta": {}, "groups": [], "title": "T", ENTRA: {}}, {}),
        ({"schemas": [CORE, CORE, ENTRA]}, {"schemas": [CORE]}),
        ({"Schemas": ["urn:scim:schemas:core:1.0", 1]}, {"Schemas": [CORE, 1]}),
        ({"schemas": "x"}, {"schemas": "x"}),
        ({"active": "TRUE"}, {"active": True}),
        ({"Active": "false"}, {"Active": False}),
        ({"active": 0}, {"active": 0}),
        ({"nickName": "true"}, {"nickName": "true"}),
        (
            {"name": {"familyName": "B", "Formatted": "A B", "honorificPrefix": "Dr"}},
            {"name": {"familyName": "B"}},
        ),
        ({"name": {"GivenName": "Cher"}}, {"name": {"familyName": "Cher"}}),
        (
            {"name": {"givenName": "Cher", "FamilyName": "", "middleName": "M"}},
            {"name": {"familyName": "Cher", "middleName": "M"}},
        ),
        ({"name": {"givenName": 1}}, {"name": {"givenName": 1}}),
        ({"name": {"middleName": "M"}}, {"name": {"middleName": "M"}}),
        ({"name": "x"}, {"name": "x"}),
        (
            {"name": {"givenName": "A", "familyName": "B"}},
            {"name": {"givenName": "A", "familyName": "B"}},
        ),
        (
            {EXTENSION: {"formatted": "x", "givenName": "A"}},
            {EXTENSION: {"formatted": "x", "givenName": "A"}},
        ),
        (
            {"members": [{"value": "a", "Display": "x"}, "b"]},
            {"members": [{"value": "a"}, "b"]},
        ),
        ({"members": "a"}, {"members": "a"}),
        ({"emails": [{"display": "x"}]}, {"emails": [{"display": "x"}]}),
        ({"password": ""}, {}),
    ],
)  # fmt: skip
def test_n75_a_whole_resource_keeps_what_the_gateway_has(
    sent: dict[str, Any], kept: dict[str, Any]
) -> None:
    """N75: names of attributes in any case."""
    assert normalise.normalise_resource(sent, USERS, is_new=True) == kept
    body = normalise.resource(json.dumps(sent).encode(), USERS, is_new=True)
    assert json.loads(body) == kept


def test_n75_groups_keep_their_name() -> None:
    """N75: a Group has a displayName, and its schema has another name at Entra."""
    sent = {"schemas": [GROUP_ALIAS], "id": "x", "meta": {}, "displayName": "T", "title": "x"}
    kept = {"schemas": [GROUP], "displayName": "T", "title": "x"}
    assert normalise.normalise_resource(sent, GROUPS, is_new=False) == kept


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ([], InvalidSyntaxException),
        (None, InvalidSyntaxException),
        ({"active": "yes"}, InvalidValueException),
        ({"password": "x"}, InvalidValueException),
        ({f"{CORE}:PASSWORD": "x"}, InvalidValueException),
    ],
)
def test_n75_a_resource_that_is_refused(value: Any, kind: type[SCIMException]) -> None:
    """N75: no object, no boolean, a password."""
    refused(kind, lambda: normalise.normalise_resource(value, USERS, is_new=False))


def patched(*operations: Any, rules: BodyRules = USERS, **more: Any) -> list[Any]:
    body = normalise.normalise_patch({"operations": list(operations)} | more, rules, "me")
    assert body == more | {"Operations": body["Operations"]}
    return list(body["Operations"])


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ({"Op": "Add", "Path": "nickName", "Value": "J"},
         [{"op": "add", "path": "nickName", "value": "J"}]),
        ({"op": 1, "path": "nickName"}, [{"op": 1, "path": "nickName"}]),
        ({"op": "replace", "path": "active", "value": "False"},
         [{"op": "replace", "path": "active", "value": False}]),
        ({"op": "replace", "path": f"{CORE}:active", "value": "False"},
         [{"op": "replace", "path": f"{CORE}:active", "value": False}]),
        ({"op": "replace", "path": "name.formatted", "value": "x"}, []),
        ({"op": "replace", "path": "title", "value": "x"}, []),
        ({"op": "replace", "path": f"{ENTRA}:department", "value": "x"}, []),
        ({"op": "replace", "path": "ID", "value": "me"}, []),
        ({"op": "replace", "path": "Name.Formatted", "value": "x"}, []),
        ({"Op": "Add", "Value": {"a.b": 1}}, [{"op": "add", "path": "a.b", "value": 1}]),
        ({"op": "replace", "path": "id", "value": "me"}, []),
        ({"op": "replace", "value": {"id": "me"}}, []),
        ({"op": "replace", "value": {"title": "x"}}, []),
        ({"op": "replace", "value": {}}, [{"op": "replace", "value": {}}]),
        ({"op": "replace", "path": "", "value": {"active": "true", "title": "x"}},
         [{"op": "replace", "value": {"active": True}}]),
        ({"op": "replace", "path": None, "value": "x"}, [{"op": "replace", "value": "x"}]),
        ({"op": "replace"}, [{"op": "replace"}]),
        ({"op": "replace", "value": {"name.givenName": "A", "nickName": "J"}},
         [{"op": "replace", "value": {"nickName": "J"}},
          {"op": "replace", "path": "name.givenName", "value": "A"}]),
        ({"op": "add", "value": {'emails[type eq "work"].value': "a"}},
         [{"op": "add", "path": 'emails[type eq "work"].value', "value": "a"}]),
        ({"op": "add", "value": {"members": [{"value": "a", "display": "x"}]}},
         [{"op": "add", "path": "members", "value": [{"value": "a"}]}]),
        ({"op": "Remove", "value": {f"{GROUP}:members": [], "x.y": 1}},
         [{"op": "remove", "value": {"x.y": 1}},
          {"op": "remove", "path": "members", "value": []}]),
        ({"op": "add", "value": {EXTENSION: {"personId": "R1"}}},
         [{"op": "add", "value": {EXTENSION: {"personId": "R1"}}}]),
        ({"op": "add", "value": {f"{EXTENSION}:personId": "R1"}},
         [{"op": "add", "path": f"{EXTENSION}:personId", "value": "R1"}]),
        ({"op": "add", "path": "nickName", "value": {"a.b": 1}},
         [{"op": "add", "path": "nickName", "value": {"a.b": 1}}]),
    ],
)  # fmt: skip
def test_n79_an_operation_is_read_in_one_form(sent: Any, read: list[Any]) -> None:
    """N79, RFC 7644 section 3.5.2: each key that is a path is an operation of its own."""
    assert patched(sent, schemas=["x"]) == read


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("x", InvalidSyntaxException),
        ({"op": "replace", "path": "id", "value": "other"}, MutabilityException),
        ({"op": "replace", "value": {"ID": "other"}}, MutabilityException),
        ({"op": "replace", "path": "meta", "value": "me"}, MutabilityException),
        ({"op": "remove", "path": "groups"}, MutabilityException),
        ({"op": "replace", "value": {"displayName": "x"}}, MutabilityException),
        ({"op": "replace", "path": "password", "value": "x"}, InvalidValueException),
        ({"op": "replace", "value": {"Password": "x"}}, InvalidValueException),
    ],
)
def test_n75_an_operation_that_is_refused(operation: Any, kind: type[SCIMException]) -> None:
    """N75, N79: what is read-only, and a password."""
    refused(kind, lambda: patched(operation))


def test_n79_the_number_of_operations() -> None:
    """N79: at least one, and as many as allowed."""
    one = {"op": "replace", "path": "nickName", "value": "J"}
    assert len(patched(*[one] * MAX_OPERATIONS)) == MAX_OPERATIONS
    assert refused(InvalidValueException, lambda: patched(*[one] * (MAX_OPERATIONS + 1))) == (
        f"The request must not exceed {MAX_OPERATIONS} operations."
    )
    assert refused(InvalidValueException, patched) == "Operations is empty."
    for value in ({}, {"Operations": {"op": "add"}}):
        assert refused(
            InvalidSyntaxException, lambda v=value: normalise.normalise_patch(v, USERS, "me")
        ) == "Operations is missing."  # fmt: skip
    assert refused(InvalidSyntaxException, lambda: normalise.operations_of([])) == (
        "The body must be a JSON object."
    )
    assert normalise.has_operations(b'{"operations": [1]}')
    assert not normalise.has_operations(b'{"Operations": []}')


def test_n75_places_and_attributes_of_paths() -> None:
    """N75, N79."""
    assert [place_of(path) for path in ("/users/x/", "GROUPS", "/Bulk")] == [
        "Users", "Groups", "Bulk",
    ]  # fmt: skip
    assert [id_of(path) for path in ("/Users/x/", "/Users")] == ["x", ""]
    assert {path: attribute_of(path) for path in (
        "Name.givenName", 'emails[type eq "a.b"].value', f"{CORE}:Active", f"{GROUP}:members",
        f"{PARTICIPANT}:Status", f"{ENTRA}:manager", "urn:scim:schemas:core:1.0:title",
    )} == {
        "Name.givenName": "name", 'emails[type eq "a.b"].value': "emails",
        f"{CORE}:Active": "active", f"{GROUP}:members": "members", f"{ENTRA}:manager": ENTERPRISE,
        f"{PARTICIPANT}:Status": "status", "urn:scim:schemas:core:1.0:title": "title",
    }  # fmt: skip
    assert USERS.of(None) is USERS
    assert USERS.of(BY_ID).profile is BY_ID
    assert USERS.read_only - USERS.of(BY_ID).read_only == {"displayname"}


def test_n79_each_operation_of_a_bulk_is_read_as_if_it_came_alone() -> None:
    """N79: methods and paths as published; a fault is that of its operation only."""
    patch = {"Operations": [{"op": "replace", "path": "title", "value": "x"}]}
    sent = {"Operations": [
        {"Method": "post", "Path": "/Users/", "Data": {"active": "true", "title": "x"}},
        {"method": "PATCH", "path": "/users/me", "data": patch},
        {"method": "PUT", "path": "/Users/me", "data": {"password": "x"}},
        {"method": "DELETE", "path": "/Users/me/", "data": {"title": "x"}},
        {"method": "POST", "path": "/Other", "data": {"title": "x"}},
        {"method": "POST", "path": "/Users"},
        {"method": "PATCH", "path": "/Users/me", "data": {"Operations": [
            {"op": "replace", "path": "id", "value": "me"}, {"op": "remove", "path": "nickName"}]}},
        {"method": "PATCH", "path": 5, "data": {}},
        "x",
    ]}  # fmt: skip
    found = read_bulk(json.dumps(sent).encode())
    assert json.loads(found.body) == {"Operations": [
        {"Method": "POST", "Path": "/Users", "Data": {"active": True}},
        {"method": "PATCH", "path": "/users/me", "data": {"Operations": []}},
        {"method": "PUT", "path": "/Users/me", "data": {"password": "x"}},
        {"method": "DELETE", "path": "/Users/me", "data": {"title": "x"}},
        {"method": "POST", "path": "/Other", "data": {"title": "x"}},
        {"method": "POST", "path": "/Users"},
        {"method": "PATCH", "path": "/Users/me", "data": {"Operations": [
            {"op": "remove", "path": "nickName"}]}},
        {"method": "PATCH", "path": 5, "data": {}},
        "x",
    ]}  # fmt: skip
    assert (found.count, found.empty, list(found.faults)) == (9, {1}, [2])
    assert type(found.faults[2]) is InvalidValueException
    assert read_bulk(b'{"Operations": 5}').count == 1
    assert refused(PayloadTooLargeException, lambda: read_bulk(b" " * (MAX_BULK_BODY + 1))) == (
        f"The body must not exceed {MAX_BULK_BODY} bytes."
    )


def test_ui09_operations_of_a_bulk_follow_the_profile() -> None:
    """UI-09: a new User of a profiled client needs what holds the Person ID, a PUT does not."""
    sent = [
        {"method": method, "path": "/Users", "data": {"userName": "a"}}
        for method in ("POST", "PUT")
    ]
    found = read_bulk(json.dumps({"Operations": sent}).encode(), BY_NUMBER)
    assert list(found.faults) == [0]
    assert str(found.faults[0].detail) == ("employeeNumber is required: it contains the Person ID.")


@pytest.mark.parametrize(
    ("profile", "sent", "made"),
    [
        (BY_ID, {"externalId": "R1"}, {"personId": "R1", "accountKind": "email"}),
        (BY_ID, {"EXTERNALID": "R1", EXTENSION.lower(): {"AccountKind": "personal"}},
         {"personId": "R1", "AccountKind": "personal"}),
        (BY_ID, {"externalId": "R1", EXTENSION: {"personid": "R2"}},
         {"personId": "R2", "accountKind": "email"}),
        (BY_NUMBER, {ENTRA.lower(): {"employeenumber": "R3"}},
         {"personId": "R3", "accountKind": "email"}),
        (BY_NUMBER, {f"{ENTRA}:employeeNumber": "R3", ENTRA: "x"},
         {"personId": "R3", "accountKind": "email"}),
    ],
)  # fmt: skip
def test_ui09_a_profile_completes_a_user(
    profile: Profile, sent: dict[str, Any], made: dict[str, Any]
) -> None:
    """UI-09: the Person ID from its attribute, unless the client says it itself."""
    found = profile.complete("Users", {"schemas": [CORE]} | sent, is_new=True)
    assert found.pop("schemas") == [CORE, EXTENSION]
    assert found.pop(EXTENSION) == made
    assert found == {name: value for name, value in sent.items() if name != EXTENSION.lower()
                     and name != EXTENSION}  # fmt: skip


def test_ui09_a_profile_leaves_what_is_not_said() -> None:
    """UI-09: a PUT without the attribute names no person; other places stay as they are."""
    assert BY_NUMBER.complete("Users", {"nickName": "J"}, is_new=False) == {"nickName": "J"}
    listed = {"externalId": "R1", "schemas": [CORE, EXTENSION]}
    found = BY_ID.complete("Users", listed, is_new=False)
    assert found == {
        "externalId": "R1",
        "schemas": [CORE, EXTENSION],
        EXTENSION: {"personId": "R1"},
    }
    assert BY_ID.complete("Users", {EXTENSION: "x"}, is_new=True) == {EXTENSION: "x"}
    assert BY_ID.complete("Participants", {"a": 1}, is_new=True) == {"a": 1}
    odd = BY_ID.complete("Users", {"externalId": "R1", "schemas": "x"}, is_new=False)
    assert odd["schemas"] == "x"
    assert Profile.of(Client(push_person_id="")) is None
    row = Client(push_person_id="userName", push_account_kind="email", push_default_participant="1")
    assert Profile.of(row) == Profile("userName", "email", "1")


WORK, HOME = {"value": "1", "type": "work"}, {"value": "2", "type": "home"}


@pytest.mark.parametrize(
    ("numbers", "left"),
    [
        ([HOME, WORK], [WORK]),
        ([HOME, {"value": "3", "primary": True}], [{"value": "3"}]),
        ([HOME | {"primary": True}, WORK], [WORK]),
        ([HOME, {"value": "3"}], [HOME]),
        ([WORK | {"value": ""}, HOME], [HOME]),
        ([WORK, {"Value": "4", "Type": "work", "Primary": True}], [{"Value": "4", "Type": "work"}]),
        ([], []),
        ([WORK, 1], [WORK, 1]),
    ],
)
def test_ui09_one_telephone_is_kept(numbers: list[Any], left: list[Any]) -> None:
    """UI-09, CR-09: the one for work, else the primary one, else the first with a number."""
    found = BY_ID.complete("Users", {"externalId": "R1", "PhoneNumbers": numbers}, is_new=False)
    assert found["phoneNumbers"] == left
    assert "PhoneNumbers" not in found
    path = BY_ID.patched("Users", {"op": "add", "path": "phoneNumbers", "value": numbers})
    assert path == [{"op": "add", "path": "phoneNumbers", "value": left}]
    whole = {"phoneNumbers": numbers, "nickName": "J"}
    without = BY_ID.patched("Users", {"op": "add", "value": whole})
    assert without == [{"op": "add", "value": {"phoneNumbers": left, "nickName": "J"}}]


@pytest.mark.parametrize(
    ("profile", "operation", "more"),
    [
        (BY_ID, {"op": "add", "path": f"{CORE}:externalId", "value": "R1"}, "R1"),
        (BY_ID, {"op": "add", "value": {"externalId": "R1"}}, "R1"),
        (BY_NUMBER, {"op": "add", "path": ENTRA, "value": {"employeeNumber": "R1"}}, "R1"),
        (BY_NUMBER, {"op": "add", "path": f"{ENTRA}:employeeNumber", "value": "R1"}, "R1"),
    ],
)
def test_ui09_a_patch_that_names_the_person_says_so(
    profile: Profile, operation: dict[str, Any], more: str
) -> None:
    """UI-09: beside the attribute that holds the Person ID, the Person ID itself."""
    named = {"op": "add", "path": f"{EXTENSION}:personId", "value": more}
    assert profile.patched("Users", operation) == [operation, named]
    assert profile.patched("Groups", operation) == [operation]


@pytest.mark.parametrize(
    ("profile", "operation"),
    [
        (BY_NUMBER, {"op": "add", "path": "externalId", "value": "R1"}),
        (BY_ID, {"op": "add", "path": ENTRA, "value": {"externalId": "R1"}}),
        (Profile("userName", "email", ""), {"op": "add", "path": "userName", "value": "R1"}),
        (BY_ID, {"op": "add", "value": "externalId"}),
        (BY_ID, "externalId"),
    ],
)
def test_ui09_a_patch_of_anything_else_names_nobody(profile: Profile, operation: Any) -> None:
    """UI-09."""
    assert profile.patched("Users", operation) == [operation]


def test_ui09_other_telephones_are_known_by_their_path() -> None:
    """UI-09: of any kind but work."""
    names = {
        'phoneNumbers[type eq "mobile"].value': True, f'{CORE}:PHONENUMBERS[type eq "fax"]': True,
        'phoneNumbers[type eq "work"].value': False, "phoneNumbers": False,
        'emails[type eq "home"]': False,
    }  # fmt: skip
    assert {name: BY_ID.is_other_telephone(name) for name in names} == names
    rules = USERS.of(BY_ID)
    gone = {"op": "add", "path": 'phoneNumbers[type eq "fax"].value', "value": "1"}
    assert patched(gone, rules=rules) == []
    assert patched(gone) == [gone]


@pytest.mark.parametrize(
    ("profile", "name", "pair"),
    [
        (BY_ID, "EMI Trader", ("EMI Trader", "109120")),
        (BY_ID, "EMI Trader (111340)", ("EMI Trader", "111340")),
        (BY_ID, "Reports (daily)", ("Reports (daily)", "109120")),
        (BY_ID, "Reports (daily) (7)", ("Reports (daily)", "7")),
        (BY_NUMBER, "EMI Trader (111340)", ("EMI Trader", "111340")),
        (BY_NUMBER, "EMI Trader", None),
        (BY_ID, 5, None),
        (BY_ID, None, None),
    ],
)
def test_ui09_the_name_of_a_group_is_that_of_a_role_group(
    profile: Profile, name: Any, pair: tuple[str, str] | None
) -> None:
    """UI-09: with the number of the participant, or at the client's only one."""
    sent = {"schemas": [GROUP], "displayName": name}
    found = profile.complete("Groups", sent, is_new=True)
    if pair is None:
        assert found is sent
    else:
        role = {"roleGroup": pair[0], "participantId": pair[1]}
        assert found == {"displayName": name, "schemas": [GROUP, ROLE], ROLE: role}
        assert profile.name_of_group(*pair) == name
    own = sent | {ROLE: {"roleGroup": "x", "participantId": "1"}}
    assert profile.complete("Groups", own, is_new=True) is own


def test_texts_are_clean_up_to_their_limit() -> None:
    """N82: no control characters; a request number as long as it is stored."""
    assert clean(None) == ""
    assert clean(f" {'x' * MAX_TEXT} ") == "x" * MAX_TEXT
    for text in ("x" * (MAX_TEXT + 1), "a\u202eb"):
        assert refused(InvalidValueException, lambda t=text: clean(t)) == (
            "A value is too long or contains invalid characters."
        )
    assert clean_request_number(f" {'7' * 61}") == "7" * 60


def test_time_zones_are_those_of_the_gateway() -> None:
    """RFC 7643 section 4.1.1: a name of IANA, or of Windows in any case; unknown ones are empty."""
    names = {
        "America/Toronto": "America/Toronto", "eastern standard time": "America/New_York",
        "Mars/Base": "", "": "", "../etc": "",
    }  # fmt: skip
    assert {name: iana_zone(name) for name in names} == names


def test_a_version_is_compared_when_one_is_expected() -> None:
    """RFC 7644 section 3.14."""
    resource_changes.check_version("a", None)
    resource_changes.check_version("a", "a")
    with pytest.raises(PreconditionFailedException):
        resource_changes.check_version("a", "b")
