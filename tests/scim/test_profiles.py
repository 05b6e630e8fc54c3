"""Okta and Microsoft Entra as they come, with a mapping profile."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from idp.clients import client_data, registry
from tests.scim.pusher import CORE, EXTENSION, PATCH, Pusher, fault
from tests.scim.test_bulk import BULK, REQUEST
from tests.scim.test_dialects import ENTERPRISE, search
from tests.scim.test_groups import GROUP, GROUPS, ROLE
from tests.world import World

OKTA = {
    "schemas": [CORE],
    "userName": "isaac.brock@participant.example",
    "name": {"givenName": "Isaac", "familyName": "Brock"},
    "emails": [{"primary": True, "value": "isaac.brock@participant.example", "type": "work"}],
    "displayName": "Isaac Brock",
    "locale": "en-US",
    "externalId": "00ujl29u0le5T6Aj10h7",
    "groups": [],
    "password": "1mz050nq",
    "active": True,
}
ENTRA = {
    "schemas": [CORE, ENTERPRISE],
    "externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef",
    "userName": "laura.secord@participant.example",
    "active": True,
    "addresses": [{"primary": False, "type": "work", "country": "CA"}],
    "displayName": "Laura Secord",
    "emails": [{"primary": True, "type": "work", "value": "laura.secord@participant.example"}],
    "meta": {"resourceType": "User"},
    "name": {"formatted": "Laura Secord", "familyName": "Secord", "givenName": "Laura"},
    "phoneNumbers": [
        {"type": "fax", "value": "416 967 3333"},
        {"type": "mobile", "value": "416 967 2222"},
        {"primary": True, "type": "work", "value": "416 967 1111"},
    ],
    "preferredLanguage": "fr-CA",
    "roles": [],
    "title": "Trader",
    "timezone": "Eastern Standard Time",
    ENTERPRISE: {"employeeNumber": "R00077", "department": "Trading", "manager": "R1"},
}


def profiled(world: World, pusher: Pusher, **changes: Any) -> None:
    """Register the pusher with a profile."""
    with world.work() as work:
        row = registry.get(work, pusher.rp.client_id)
        data = replace(client_data.current_data(row), push_account_kind="email", **changes)
        registry.update(work, row, data, is_approved=True)


def test_a_plain_user_of_okta_is_made(world: World, pusher: Pusher) -> None:
    """UI-09, PR-01: the Person ID is what the profile says; the password is nobody's."""
    profiled(world, pusher, push_person_id="externalId")
    made = pusher.send("POST", body=OKTA)
    assert made.status_code == 201, made.text
    assert made.json["userName"] == OKTA["userName"]
    assert made.json[EXTENSION] == {"personId": "00ujl29u0le5T6Aj10h7", "accountKind": "email"}
    assert world.account_row("isaac.brock@participant.example").password_hash is None
    again = pusher.send("POST", body=OKTA)
    assert (again.status_code, again.json["id"]) == (200, made.json["id"])
    put = pusher.send("PUT", made.json["id"], OKTA | {"nickName": "Ike"})
    assert (put.status_code, put.json["nickName"]) == (200, "Ike")
    off = pusher.patch(made.json["id"], {"op": "replace", "value": {"active": False}})
    assert (off.status_code, off.json["active"]) == (200, False)
    other = pusher.send("PUT", made.json["id"], OKTA | {"externalId": "another"})
    assert fault(other) == (400, "mutability")


def test_a_plain_user_of_entra_is_made(world: World, pusher: Pusher) -> None:
    """Its person is the employee of that number; of three telephones the one for work is taken."""
    profiled(world, pusher, push_person_id="employeeNumber")
    made = pusher.send("POST", body=ENTRA)
    assert made.status_code == 201, made.text
    assert made.json[EXTENSION] == {"personId": "R00077", "accountKind": "email"}
    assert [row["value"] for row in made.json["phoneNumbers"]] == ["tel:+14169671111"]
    assert (made.json["preferredLanguage"], made.json["timezone"]) == ("fr", "America/New_York")
    same = pusher.patch(
        made.json["id"],
        {"op": "Replace", "path": "displayName", "value": "Laura Ingersoll"},
        {"op": "Replace", "path": 'phoneNumbers[type eq "mobile"].value', "value": "416 967 4444"},
        {"op": "Replace", "path": f"{ENTERPRISE}:department", "value": "Sales"},
        {"op": "Replace", "path": "active", "value": "True"},
    )
    assert (same.status_code, same.json["displayName"]) == (200, "Laura Secord")
    assert same.json["phoneNumbers"] == made.json["phoneNumbers"]


EMPLOYEE = f"{ENTERPRISE}:employeeNumber"
#: A PATCH that gives a User to another person, in every form.
OTHER_PERSON: list[tuple[str, dict[str, Any]]] = [
    ("externalId", {"path": "externalId", "value": "another"}),
    ("externalId", {"path": f"{CORE}:externalId", "value": "another"}),
    ("externalId", {"value": {"EXTERNALID": "another"}}),
    ("externalId", {"op": "remove", "path": "externalId"}),
    ("employeeNumber", {"path": EMPLOYEE, "value": "R9"}),
    ("employeeNumber", {"path": ENTERPRISE, "value": {"employeeNumber": "R9"}}),
    ("employeeNumber", {"value": {EMPLOYEE: "R9"}}),
    ("employeeNumber", {"value": {ENTERPRISE: {"employeeNumber": "R9"}}}),
    ("userName", {"path": "userName", "value": "ann@participant.example"}),
]


@pytest.mark.parametrize(("attribute", "operation"), OTHER_PERSON)
def test_a_patch_cannot_change_the_person_of_an_account(
    world: World, pusher: Pusher, attribute: str, operation: dict[str, Any]
) -> None:
    """UI-09: as a PUT does not; the same Person ID again changes nothing. Bulk too."""
    profiled(world, pusher, push_person_id=attribute)
    body = OKTA if attribute != "employeeNumber" else ENTRA
    made = pusher.send("POST", body=body).json
    asked = {"op": "replace"} | operation
    assert fault(pusher.patch(made["id"], asked)) == (400, "mutability")
    bulk = pusher.send("POST", BULK, {"schemas": [REQUEST], "Operations": [
        {"method": "PATCH", "path": f"/Users/{made['id']}", "data": {
            "schemas": [PATCH], "Operations": [asked]}}]})  # fmt: skip
    assert bulk.json["Operations"][0]["status"] == "400"
    after = pusher.send("GET", made["id"]).json
    assert (after["externalId"], after[EXTENSION]) == (made["externalId"], made[EXTENSION])
    same = {"externalId": "00ujl29u0le5T6Aj10h7", "userName": OKTA["userName"],
            "employeeNumber": {"employeeNumber": "R00077"}}[attribute]  # fmt: skip
    path = ENTERPRISE if attribute == "employeeNumber" else attribute
    kept = pusher.patch(made["id"], {"op": "replace", "path": path, "value": same})
    assert (kept.status_code, kept.json["meta"]["version"]) == (200, after["meta"]["version"])


TWO = [{"type": "mobile", "value": "416 967 2222"}, {"type": "work", "value": "416 967 4444"}]


@pytest.mark.parametrize(
    ("operation", "number"),
    [
        ({"path": "phoneNumbers", "value": TWO}, "tel:+14169674444"),
        ({"value": {"phoneNumbers": TWO}}, "tel:+14169674444"),
        ({"path": f'{CORE}:phoneNumbers[type eq "mobile"].value', "value": "416 967 5555"}, None),
        ({"value": {'phoneNumbers[type eq "fax"].value': "416 967 5555"}}, None),
    ],
)
def test_a_patch_ignores_other_phone_numbers(
    world: World, pusher: Pusher, operation: dict[str, Any], number: str | None
) -> None:
    """UI-09: the telephone for work is kept, whatever form the PATCH has."""
    profiled(world, pusher, push_person_id="employeeNumber")
    made = pusher.send("POST", body=ENTRA).json
    answer = pusher.patch(made["id"], {"op": "replace"} | operation)
    assert answer.status_code == 200, answer.text
    shown = [row["value"] for row in answer.json["phoneNumbers"]]
    assert shown == [number or "tel:+14169671111"]


@pytest.mark.parametrize(
    "wrong",
    [
        {EXTENSION: "text"},
        {"phoneNumbers": [1]},
        {"externalId": 5},
        {"externalId": {"a": 1}},
        {"externalId": "  "},
        {"externalId": "x" * 41},
        {"schemas": None},
    ],
    ids=str,
)
def test_invalid_values_are_refused_with_a_profile_too(
    world: World, pusher: Pusher, wrong: dict[str, Any]
) -> None:
    """N85: refused by name, and nobody is made."""
    profiled(world, pusher, push_person_id="externalId")
    answer = pusher.send("POST", body=OKTA | wrong)
    assert answer.status_code == 400
    assert search(pusher, "Users").json["totalResults"] == 0


def test_a_user_without_the_attribute_is_refused(world: World, pusher: Pusher) -> None:
    profiled(world, pusher, push_person_id="employeeNumber")
    answer = pusher.send("POST", body=OKTA)
    assert fault(answer) == (400, "invalidValue")
    assert answer.json["detail"] == "employeeNumber is required: it contains the Person ID."


def test_without_a_profile_a_plain_user_is_refused(pusher: Pusher) -> None:
    body = {name: value for name, value in OKTA.items() if name != "password"}
    assert fault(pusher.send("POST", body=body)) == (400, "invalidValue")


@pytest.mark.parametrize("group", ["Reports", "Reports (daily)"])
@pytest.mark.parametrize("form", ["{} (109120)", "{}"])
def test_a_plain_group_is_a_role_group(world: World, pusher: Pusher, group: str, form: str) -> None:
    """RG-01: by its name, and that of the participant if it is not the client's own."""
    name = form.format(group)
    world.role_group(group, kind="email")
    profiled(world, pusher, push_person_id="externalId", push_default_participant="109120")
    one = pusher.send("POST", body=OKTA).json["id"]
    body = {"schemas": [GROUP], "displayName": name, "externalId": "g-1",
            "members": [{"value": one, "display": "Isaac"}]}  # fmt: skip
    made = pusher.send("POST", GROUPS, body)
    assert made.status_code == 201, made.text
    assert (made.json[ROLE]["roleGroup"], made.json[ROLE]["participantId"]) == (group, "109120")
    grants = pusher.send("GET", one).json[EXTENSION]["grants"]
    assert grants == [{"roleGroup": group, "participantId": "109120"}]


def test_all_role_groups_are_listed(world: World, pusher: Pusher) -> None:
    """RG-01, N74: those that the client may grant, at its participants; no operator's."""
    assert search(pusher, "Groups").json["totalResults"] == 0
    profiled(
        world, pusher, push_person_id="externalId",
        push_default_participant="109120", push_participants=("109120", "111340"),
    )  # fmt: skip
    world.participant("300001", "Superior Wind")
    world.role_group("Needs a market", participation="Energy")
    found = search(pusher, "Groups").json
    names = ["EMI Trader", "EMI Viewer", "MIM"]
    expected = sorted([*names, *(f"{name} (111340)" for name in names)])
    assert sorted(row["displayName"] for row in found["Resources"]) == expected
    assert search(pusher, "Groups").json["Resources"] == found["Resources"]
    one = search(pusher, "Groups", filter='displayName eq "EMI Viewer (111340)"').json
    assert one["totalResults"] == 1
