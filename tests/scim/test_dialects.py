"""What Okta, Microsoft Entra, OneLogin and others really send, each with
its exact answer (G9)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from idp.models import AccountState
from tests.scim.pusher import CORE, EXTENSION, USERS, Pusher, fault, user
from tests.scim.test_groups import GROUP, GROUPS, ROLE, SHOWN, TRADER, group
from tests.scim.test_groups import patch as patch_group
from tests.world import World

LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


def plain(answer: Any) -> dict[str, Any]:
    """A resource without what differs at each run."""
    body = dict(answer.json)
    meta = body.pop("meta")
    assert meta["location"].endswith(f"/{body.pop('id')}")
    return body


def base(number: int = 1, **changes: Any) -> dict[str, Any]:
    """The User that ``pusher.create`` makes, without id and meta."""
    letter = "abcdefghij"[number]
    found: dict[str, Any] = {
        "schemas": [CORE, EXTENSION],
        "externalId": f"reg-{number}",
        "userName": f"smith{letter}j",
        "name": {"familyName": f"Smith{letter}", "givenName": "Jim"},
        "displayName": f"Jim Smith{letter}",
        "preferredLanguage": "en",
        "timezone": "America/Toronto",
        "active": True,
        "emails": [{"value": f"jim{number}@participant.example", "type": "work", "primary": True}],
        EXTENSION: {"personId": f"R{number:05}", "accountKind": "personal"},
    } | changes
    return {name: value for name, value in found.items() if value is not None}


def search(pusher: Pusher, place: str, **query: str) -> Any:
    text = "&".join(f"{name}={quote(value)}" for name, value in query.items())
    return pusher.send("GET", f"/scim/v2/{place}?{text}")


def test_dialect_1_okta_looks_up_first(pusher: Pusher) -> None:
    """200 with nobody in it, never 404."""
    answer = search(pusher, "Users", filter='userName eq "x"', startIndex="1", count="100")
    assert answer.status_code == 200
    assert answer.json == {
        "schemas": [LIST], "totalResults": 0, "startIndex": 1, "itemsPerPage": 0,
    } | {name: value for name, value in answer.json.items() if name == "Resources"}  # fmt: skip
    assert answer.json.get("Resources", []) == []


def test_dialect_2_okta_creates(world: World, pusher: Pusher) -> None:
    """With groups and more that is never written; the language is taken."""
    body = user(1) | {
        "password": "", "groups": [], "active": True, "displayName": "Jimbo",
        "locale": "fr-CA", "userType": "Contractor",
    }  # fmt: skip
    answer = pusher.send("POST", body=body)
    assert answer.status_code == 201
    assert plain(answer) == base(preferredLanguage="fr")
    assert world.account_row("smithbj").state == AccountState.PENDING


def test_dialect_3_okta_puts_the_whole_user(pusher: Pusher) -> None:
    """Read-only attributes inside; what is ours and absent is kept."""
    made = pusher.create(1, extension={"grants": [TRADER]})
    body = made | {"nickName": "Jimmy", "groups": [{"value": "x"}], "roles": ["admin"]}
    del body[EXTENSION]
    answer = pusher.send("PUT", made["id"], body | {"schemas": [CORE]})
    assert answer.status_code == 200, answer.text
    kept = {"personId": "R00001", "accountKind": "personal", "grants": [TRADER]}
    assert plain(answer) == base(nickName="Jimmy", **{EXTENSION: kept})


def test_dialect_4_okta_suspends(world: World, pusher: Pusher) -> None:
    made = pusher.create(1)
    answer = pusher.patch(made["id"], {"op": "replace", "value": {"active": False}})
    assert (answer.status_code, plain(answer)) == (200, base(active=False))
    assert world.account_row("smithbj").state == AccountState.SUSPENDED


def test_dialect_5_okta_pushes_groups(pusher: Pusher) -> None:
    """Add, remove by filter, replace without a path, replace all."""
    one, two = (pusher.create(number)["id"] for number in (1, 2))
    key = pusher.send("POST", GROUPS, group()).json["id"]
    steps: list[tuple[dict[str, Any], list[str], str]] = [
        ({"op": "add", "path": "members", "value": [{"value": one, "display": "smithbj"}]},
         [one], "Traders of 109120"),
        ({"op": "replace", "path": "members", "value": [{"value": two, "display": "x"}]},
         [two], "Traders of 109120"),
        ({"op": "replace", "value": {"id": key, "displayName": "Traders"}}, [two], "Traders"),
        ({"op": "remove", "path": f'members[value eq "{two}"]'}, [], "Traders"),
    ]  # fmt: skip
    for operation, left, name in steps:
        answer = patch_group(pusher, key, operation)
        rows = [
            {"value": id_, "$ref": f"https://gateway.test{USERS}/{id_}", "type": "User"}
            for id_ in left
        ]
        expected = {
            "schemas": [GROUP, ROLE], "externalId": "traders-109120", "displayName": name,
            ROLE: SHOWN,
        } | ({"members": rows} if rows else {})  # fmt: skip
        assert (answer.status_code, plain(answer)) == (200, expected), operation


def test_dialect_6_entra_writes_ops_and_booleans_in_words(pusher: Pusher) -> None:
    made = pusher.create(1)
    for word, active in (("False", False), ("True", True)):
        answer = pusher.patch(made["id"], {"op": "Replace", "path": "active", "value": word})
        assert (answer.status_code, plain(answer)) == (200, base(active=active))
    bad = pusher.patch(made["id"], {"op": "Replace", "path": "active", "value": "Maybe"})
    assert fault(bad) == (400, "invalidValue")


def test_dialect_7_entra_adds_a_value_that_its_path_does_not_find(pusher: Pusher) -> None:
    """The telephone for work, of somebody who has none."""
    made = pusher.create(1)
    path = 'phoneNumbers[type eq "work"].value'
    for value, kept in (("416 967 1111", "tel:+14169671111"), ("416 967 2222", "tel:+14169672222")):
        answer = pusher.patch(made["id"], {"op": "Add", "path": path, "value": value})
        rows = [{"value": kept, "type": "work", "primary": True}]
        assert (answer.status_code, plain(answer)) == (200, base(phoneNumbers=rows))


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "Replace", "path": "name.givenName", "value": "James"},
        {"op": "replace", "path": f"{CORE}:name.givenName", "value": "James"},
        {"op": "Replace", "value": {"name.givenName": "James"}},
        {"op": "replace", "value": {f"{CORE}:name.givenName": "James"}},
        {"op": "replace", "value": {"name": {"givenName": "James", "familyName": "Smithb"}}},
    ],
)
def test_dialect_8_paths_in_every_form(pusher: Pusher, operation: dict[str, Any]) -> None:
    made = pusher.create(1)
    answer = pusher.patch(made["id"], operation)
    name = {"familyName": "Smithb", "givenName": "James"}
    expected = base(name=name, displayName="James Smithb")
    assert (answer.status_code, plain(answer)) == (200, expected)


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": f"{EXTENSION}:requestNumber", "value": "Q-1"},
        {"op": "Add", "value": {f"{EXTENSION}:requestNumber": "Q-1"}},
        {"op": "Add", "value": {EXTENSION: {"requestNumber": "Q-1"}}},
    ],
)
def test_dialect_8_paths_of_our_extension(pusher: Pusher, operation: dict[str, Any]) -> None:
    made = pusher.create(1)
    answer = pusher.patch(made["id"], operation)
    ours = {"personId": "R00001", "accountKind": "personal", "requestNumber": "Q-1"}
    assert (answer.status_code, plain(answer)) == (200, base(**{EXTENSION: ours}))


@pytest.mark.parametrize("form", ["value", "filter"])
def test_dialect_9_entra_removes_members(pusher: Pusher, form: str) -> None:
    one, two = (pusher.create(number)["id"] for number in (1, 2))
    key = pusher.send("POST", GROUPS, group(one, two)).json["id"]
    operation: dict[str, Any] = {"op": "Remove", "path": "members", "value": [{"value": one}]}
    if form == "filter":
        operation = {"op": "Remove", "path": f'members[value eq "{one}"]'}
    answer = patch_group(pusher, key, operation)
    assert answer.status_code == 200
    assert [row["value"] for row in answer.json["members"]] == [two]


def test_dialect_10_entra_asks_for_groups_without_members(pusher: Pusher) -> None:
    one = pusher.create(1)["id"]
    key = pusher.send("POST", GROUPS, group(one)).json["id"]
    found = search(
        pusher, "Groups", excludedAttributes="members", filter='displayName eq "Traders of 109120"'
    )
    assert (found.json["totalResults"], "members" in found.json["Resources"][0]) == (1, False)
    alone = pusher.send("GET", f"{GROUPS}/{key}?excludedAttributes=members")
    assert plain(alone) == {
        "schemas": [GROUP, ROLE], "externalId": "traders-109120",
        "displayName": "Traders of 109120", ROLE: SHOWN,
    }  # fmt: skip


def test_dialect_11_external_ids_and_the_case_of_names(pusher: Pusher) -> None:
    body = {name[0].upper() + name[1:] if name[0].islower() and ":" not in name else name: value
            for name, value in user(1).items()}  # fmt: skip
    made = pusher.send("POST", body=body)
    assert (made.status_code, plain(made)) == (201, base())
    path = {"op": "Replace", "path": "ExternalId", "value": "reg-9"}
    answer = pusher.patch(made.json["id"], path)
    assert (answer.status_code, plain(answer)) == (200, base(externalId="reg-9"))
    for text, count in (('externalId eq "reg-9"', 1), ('EXTERNALID eq "reg-1"', 0)):
        assert search(pusher, "Users", filter=text).json["totalResults"] == count


@pytest.mark.parametrize("manager", ["", "26118915", None, {"value": "26118915"}])
def test_dialect_12_a_manager_in_any_form_is_left_out(pusher: Pusher, manager: Any) -> None:
    body = user(1) | {ENTERPRISE: {"manager": manager, "department": "Trading"}}
    answer = pusher.send("POST", body=body | {"schemas": [CORE, EXTENSION, ENTERPRISE]})
    assert (answer.status_code, plain(answer)) == (201, base())
    path = f"{ENTERPRISE}:manager"
    same = pusher.patch(answer.json["id"], {"op": "Add", "path": path, "value": manager})
    assert (same.status_code, plain(same)) == (200, base())


def test_dialect_12_null_removes_a_value_and_is_refused_if_required(pusher: Pusher) -> None:
    made = pusher.send("POST", body=user(1) | {"nickName": None, "phoneNumbers": None})
    assert (made.status_code, plain(made)) == (201, base())
    for path in ("emails", "name.familyName", f"{EXTENSION}:personId"):
        bad = pusher.patch(made.json["id"], {"op": "replace", "path": path, "value": None})
        assert fault(bad)[0] == 400, path
    assert plain(pusher.send("GET", made.json["id"])) == base()


def test_dialect_13_removals(pusher: Pusher) -> None:
    """Of what is absent: nothing; without a path, or of what a filter does not find: noTarget."""
    made = pusher.create(1)
    absent = pusher.patch(made["id"], {"op": "remove", "path": "nickName"})
    assert (absent.status_code, plain(absent)) == (200, base())
    assert fault(pusher.patch(made["id"], {"op": "remove"})) == (400, "noTarget")
    missing = {"op": "replace", "path": 'emails[value eq "nobody@x.example"].type', "value": "home"}
    assert fault(pusher.patch(made["id"], missing)) == (400, "noTarget")
    assert plain(pusher.send("GET", made["id"])) == base()


def test_dialect_13_an_operation_finds_what_an_earlier_one_added(pusher: Pusher) -> None:
    """Operations are applied one after the other."""
    network = {"value": "192.0.2.1"}
    made = pusher.create(1, extension={"accountKind": "machine", "registeredNetworks": [network]})
    path = f"{EXTENSION}:registeredNetworks"
    add = {"op": "add", "path": path, "value": [{"value": "192.0.2.2"}]}
    name = {"op": "replace", "path": f'{path}[value eq "192.0.2.2"].label', "value": "Desk"}
    answer = pusher.patch(made["id"], add, name)
    assert answer.status_code == 200, answer.text
    assert {"value": "192.0.2.2/32", "label": "Desk"} in answer.json[EXTENSION][
        "registeredNetworks"
    ]
    missing = name | {"path": f'{path}[value eq "192.0.2.9"].label'}
    assert fault(pusher.patch(made["id"], missing)) == (400, "noTarget")


def test_dialect_14_a_member_twice(world: World, pusher: Pusher) -> None:
    """No double, no event; G3 also with another ``display``."""
    one = pusher.create(1)["id"]
    key = pusher.send("POST", GROUPS, group(one)).json["id"]
    before = len(world.events())
    for display in ("a", "b"):
        value = [{"value": one, "display": display}]
        answer = patch_group(pusher, key, {"op": "add", "path": "members", "value": value})
        assert (answer.status_code, len(answer.json["members"])) == (200, 1)
    assert len(world.events()) == before


def test_dialect_15_plain_json(pusher: Pusher) -> None:
    answer = pusher.send(
        "POST", raw=json.dumps(user(1)).encode(), headers={"Content-Type": "application/json"}
    )
    assert (answer.status_code, answer.mimetype) == (201, "application/scim+json")
    assert plain(answer) == base()


def test_dialect_16_chosen_attributes(pusher: Pusher) -> None:
    made = pusher.create(1)
    answer = pusher.send("GET", f"{USERS}/{made['id']}?attributes=userName")
    assert answer.json == {"schemas": [CORE], "id": made["id"], "userName": "smithbj"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('userName sw "smith" and active eq true', ["smithbj", "smithcj"]),
        ('userName eq "smithbj" or externalId eq "reg-2"', ["smithbj", "smithcj"]),
        ('not (userName co "bj")', ["smithcj"]),
        ("phoneNumbers pr", []),
        ('meta.lastModified gt "2011-05-13T04:42:34Z"', ["smithbj", "smithcj"]),
        (f'{EXTENSION}:personId eq "R00002"', ["smithcj"]),
        ('emails[type eq "work" and value co "jim1@"]', ["smithbj"]),
    ],
)
def test_dialect_17_filters(pusher: Pusher, text: str, found: list[str]) -> None:
    for number in (1, 2):
        pusher.create(number)
    assert sorted(pusher.found(text)) == found


def test_dialect_17_groups_of_a_member(pusher: Pusher) -> None:
    one = pusher.create(1)["id"]
    key = pusher.send("POST", GROUPS, group(one)).json["id"]
    found = search(pusher, "Groups", filter=f'members.value eq "{one}"').json
    assert [row["id"] for row in found["Resources"]] == [key]


@pytest.mark.parametrize(
    ("header", "status"),
    [("bearer {}", 200), ("BEARER {}", 200), ("Bearer ", 401), ("Bearer null", 401),
     ("Bearer undefined", 401), ("Basic {}", 401), ("{}", 401)],
)  # fmt: skip
def test_dialect_18_the_scheme_in_any_case(pusher: Pusher, header: str, status: int) -> None:
    answer = pusher.send("GET", headers={"Authorization": header.format(pusher.token)})
    assert answer.status_code == status
    assert answer.mimetype == "application/scim+json"


@pytest.mark.parametrize(
    "path", ["/scim/v2/users", f"{USERS}//", "/scim/v2/Userz", "/scim/v2/USERS/x"]
)
def test_dialect_19_other_paths(pusher: Pusher, path: str) -> None:
    """404 with a body of SCIM, no page."""
    answer = pusher.send("GET", path)
    assert fault(answer) == (404, None)
    assert answer.json["schemas"] == [ERROR]


def test_dialect_20_a_deleted_user_is_not_found_and_its_name_not_reused(
    world: World, pusher: Pusher
) -> None:
    made = pusher.create(1, userName="jsmith")
    assert pusher.send("DELETE", made["id"]).status_code == 204
    assert fault(pusher.send("GET", made["id"])) == (404, None)
    assert fault(pusher.patch(made["id"], {"op": "replace", "path": "active", "value": True})) == (
        404, None)  # fmt: skip
    again = pusher.send("POST", body=user(2, userName="JSmith"))
    assert fault(again) == (409, "uniqueness")
    assert "never reused" in again.json["detail"]
    assert world.account_row("jsmith").state == AccountState.DEACTIVATED
