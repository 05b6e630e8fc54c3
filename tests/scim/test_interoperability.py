"""What unmodified clients met: paths and keys in every form, what is refused by name, zones, and
errors in the gateway's own words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.scim.pusher import CORE, EXTENSION, PATCH, USERS, Pusher, fault, user
from tests.scim.test_dialects import ENTERPRISE, base, plain
from tests.world import World

BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"


def test_a_slash_at_the_end_is_the_same_resource(pusher: Pusher) -> None:
    """In every method, and in a Bulk."""
    made = pusher.send("POST", f"{USERS}/", user(1))
    assert made.status_code == 201, made.text
    path = f"{USERS}/{made.json['id']}/"
    assert plain(pusher.send("GET", path)) == base()
    assert pusher.send("GET", f"{USERS}/").json["totalResults"] == 1
    nick = [{"op": "replace", "path": "nickName", "value": "Jimmy"}]
    answer = pusher.send("PATCH", path, {"schemas": [PATCH], "Operations": nick})
    assert (answer.status_code, plain(answer)) == (200, base(nickName="Jimmy"))
    body = {"schemas": [BULK], "Operations": [
        {"method": "DELETE", "path": f"/Users/{made.json['id']}/"}]}  # fmt: skip
    done = pusher.send("POST", "/scim/v2/Bulk/", body)
    assert [row["status"] for row in done.json["Operations"]] == ["204"]
    assert pusher.send("GET", "/scim/v2/ServiceProviderConfig/").status_code == 200


def test_an_empty_filter_is_ignored(pusher: Pusher) -> None:
    """As any parameter that is empty, in the address and in a search by POST."""
    pusher.create(1)
    asked = pusher.send("GET", f"{USERS}?filter=&attributes=&sortBy=&count=")
    assert (asked.status_code, asked.json["totalResults"]) == (200, 1)
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": ""}
    found = pusher.send("POST", f"{USERS}/.search", body)
    assert (found.status_code, found.json["totalResults"]) == (200, 1)


def test_attribute_paths_as_keys_are_accepted(pusher: Pusher) -> None:
    """Dotted, with a filter, with their schema: a PATCH without a path says all of it at once."""
    made = pusher.create(1)
    value = {
        "nickName": "Jimmy",
        "name.givenName": "James",
        f"{CORE}:name.middleName": "T",
        'emails[type eq "work"].value': "james@participant.example",
        f'{CORE}:phoneNumbers[type eq "work"].value': "416 967 1111",
        f"{EXTENSION}:requestNumber": "Q-1",
        f"{ENTERPRISE}:department": "Trading",
    }
    answer = pusher.patch(made["id"], {"op": "Replace", "value": value})
    ours = {"personId": "R00001", "accountKind": "personal", "requestNumber": "Q-1"}
    assert (answer.status_code, plain(answer)) == (200, base(
        nickName="Jimmy", displayName="James Smithb",
        name={"familyName": "Smithb", "givenName": "James", "middleName": "T"},
        emails=[{"value": "james@participant.example", "type": "work", "primary": True}],
        phoneNumbers=[{"value": "tel:+14169671111", "type": "work", "primary": True}],
        **{EXTENSION: ours},
    ))  # fmt: skip


@pytest.mark.parametrize("path", ["id", "meta.created", "groups", "displayName", f"{CORE}:Meta"])
def test_n75_a_patch_of_a_read_only_attribute_is_refused(pusher: Pusher, path: str) -> None:
    """RFC 7644 section 3.5.2, N75; who repeats the id only says of whom the PATCH is."""
    made = pusher.create(1)
    value = "2000-01-01T00:00:00Z"
    for operation in (
        {"op": "replace", "path": path, "value": value},
        {"op": "add", "value": {path: value, "nickName": "Jimmy"}},
        {"op": "remove", "path": path},
    ):
        answer = pusher.patch(made["id"], operation)
        assert fault(answer) == (400, "mutability"), operation
        assert answer.json["detail"] == f"{path} cannot be changed."
    named = {"id": made["id"], "nickName": "Jimmy"}
    same = pusher.patch(made["id"], {"op": "replace", "value": named})
    assert (same.status_code, plain(same)) == (200, base(nickName="Jimmy"))


def test_n75_a_password_is_refused(world: World, pusher: Pusher) -> None:
    """N75: however it comes; whoever sends it would think that it works."""
    made = pusher.create(1)
    detail = "password is not supported: people choose it with the link in their e-mail."
    for answer in (
        pusher.send("POST", body=user(2) | {"password": "Evil-Panther6-doorway"}),
        pusher.send("PUT", made["id"], user(1) | {"PassWord": "Evil-Panther6-doorway"}),
        pusher.patch(made["id"], {"op": "replace", "path": "password", "value": "x"}),
        pusher.patch(made["id"], {"op": "add", "value": {f"{CORE}:password": "x"}}),
    ):
        assert fault(answer) == (400, "invalidValue")
        assert answer.json["detail"] == detail
    assert pusher.found("userName pr") == ["smithbj"]
    assert world.account_row("smithbj").password_hash is None


@pytest.mark.parametrize(
    ("attribute", "word", "values"),
    [
        ("emails", "e-mail address", ("jim1@participant.example", "jim@home.example")),
        ("phoneNumbers", "telephone", ("416 967 1111", "416 967 2222")),
    ],
)
def test_a_second_address_or_phone_of_a_type_is_refused(
    pusher: Pusher, attribute: str, word: str, values: tuple[str, str]
) -> None:
    """Nothing is dropped in silence; the same one twice is one."""
    one, two = ({"value": value, "type": kind}
                for value, kind in zip(values, ("work", "home"), strict=True))  # fmt: skip
    made = pusher.create(1, **{attribute: [one]})
    for answer in (
        pusher.send("POST", body=user(2, **{attribute: [one, two]})),
        pusher.send("PUT", made["id"], user(1, **{attribute: [one, two]})),
        pusher.patch(made["id"], {"op": "add", "path": attribute, "value": [two]}),
    ):
        assert fault(answer) == (400, "invalidValue")
        assert answer.json["detail"] == (f"a person has one {word}: send only one")
    assert pusher.send("PUT", made["id"], user(1, **{attribute: [one, one]})).status_code == 200
    moved = pusher.patch(made["id"], {"op": "replace", "path": attribute, "value": [two]})
    assert moved.status_code == 200, moved.text
    assert len(moved.json[attribute]) == 1


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("Eastern Standard Time", "America/New_York"),
        ("central standard time", "America/Chicago"),
        ("America/Winnipeg", "America/Winnipeg"),
        ("Middle-earth/Shire", "America/Toronto"),
        ("../../etc/passwd", "America/Toronto"),
    ],
)
def test_time_zones_under_any_name_are_accepted(pusher: Pusher, sent: str, kept: str) -> None:
    """Names of Windows are those of CLDR; a zone that nobody knows refuses no account."""
    assert pusher.create(1, timezone=sent)["timezone"] == kept


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"active": 7}, "active must be true or false."),
        ({"userName": {"x": 1}}, "userName must be a string."),
        ({"emails": "x"}, "emails must be an array."),
        ({"shoeSize": 9}, "Unknown attribute: shoeSize."),
        (
            {EXTENSION: {"personId": "R1", "sequence": "x"}},
            f"{EXTENSION}.sequence must be an integer.",
        ),
        (
            {EXTENSION: {"personId": "R1", "endDate": "x"}},
            f"{EXTENSION}.endDate must be a date and time with a time zone, "
            "such as 2027-01-01T00:00:00Z.",
        ),
    ],
)
def test_errors_have_the_messages_of_the_gateway(
    pusher: Pusher, changes: dict[str, Any], detail: str
) -> None:
    """No link, no class, no word of a library: alone, in a PATCH, and in a Bulk."""
    answer = pusher.send("POST", body=user(1) | changes)
    assert (answer.status_code, answer.json["detail"]) == (400, detail)
    operation = {"method": "POST", "path": "/Users", "bulkId": "1", "data": user(1) | changes}
    body = {"schemas": [BULK], "Operations": [operation]}
    bulk = pusher.send("POST", "/scim/v2/Bulk", body)
    made = pusher.create(1)
    path, value = next(iter(changes.items()))
    changed = pusher.patch(made["id"], {"op": "replace", "path": path, "value": value})
    for text in (changed.text, bulk.text):
        assert '"400"' in text
        words = json.dumps(text).casefold().replace("invalidvalue", "")
        assert not any(word in words for word in ("http", "pydantic", "validation", "input")), text


@pytest.mark.parametrize(
    ("operation", "detail"),
    [
        ({"value": {f"{EXTENSION}:personId": 2**70}}, "personId must be a string."),
        (
            {"path": "schemas", "value": "x"},
            "A value is missing or invalid.",
        ),
    ],
)
def test_errors_of_a_patch_name_attributes_as_scim_does(
    pusher: Pusher, operation: dict[str, Any], detail: str
) -> None:
    """Whatever the fields of the library are called."""
    made = pusher.create(1)
    answer = pusher.patch(made["id"], {"op": "replace", **operation})
    assert (answer.status_code, answer.json["detail"]) == (400, detail)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "PATCH part"])
@pytest.mark.parametrize(
    ("attribute", "value", "word"),
    [
        ("emails", "jim1@participant.example", "e-mail address"),
        ("phoneNumbers", "+14165550100", "telephone"),
    ],
)
def test_a_single_value_is_primary(
    pusher: Pusher, method: str, attribute: str, value: str, word: str
) -> None:
    """UI-09: said not to be, it is refused and not turned into its opposite; left out, it is."""
    one = {attribute: [{"value": value, "type": "work"}]}
    no = {attribute: [{"value": value, "type": "work", "primary": False}]}
    if method == "POST":
        answer = pusher.send("POST", body=user(**no))
    else:
        made = pusher.create(**one)
        assert made[attribute][0]["primary"] is True
        part = {"path": f'{attribute}[type eq "work"].primary', "value": False}
        operation = {"op": "replace"} | ({"value": no} if method == "PATCH" else part)
        answer = (
            pusher.send("PUT", made["id"], user(**no))
            if method == "PUT"
            else pusher.patch(made["id"], operation)
        )
    assert fault(answer) == (400, "invalidValue")
    assert answer.json["detail"] == (f"the only {word} is primary: omit primary or set it to true")
