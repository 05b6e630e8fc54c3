"""Values of an export, and the pushes that make them true: exactly, without a gateway (PR-07)."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from registration_bridge import export, reconciliation
from registration_bridge.export import BadExport, Entry
from registration_bridge.export_grant import Grant, utc_text
from registration_bridge.export_mapping import changes_of, phone_text, user_of, values_of
from tests.scim.pusher import CORE, EXTENSION, PATCH

YEAR, NEXT = "2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("text", "grant"),
    [
        ("EMI Trader@109120", Grant("EMI Trader", "109120")),
        ("a@b@109120", Grant("a@b", "109120")),
        (f" EMI Trader @109120 {YEAR}/..", Grant("EMI Trader", "109120", YEAR)),
        (f"T@1 ../{YEAR}", Grant("T", "1", "", YEAR)),
        (f"T@1  2027-01-01T01:00:00+01:00/{NEXT} ", Grant("T", "1", YEAR, NEXT)),
    ],
)
def test_pr07_a_grant_in_a_file(text: str, grant: Grant) -> None:
    """PR-07, ISO 8601-2: a role group, a participant, and from when until when."""
    found = Grant.of_text(text)
    assert found == grant
    assert Grant.of_text(str(found)) == grant
    assert Grant.of_scim(found.scim()) == grant


@pytest.mark.parametrize(
    "text",
    ["Trader", "@1", "Trader@", "T@1 2027-01-01T00:00:00Z", "T@1 soon/..", "T@1 2027-01-01/..",
     "T@1 0001-01-01T00:00:00+14:00/.."],
)  # fmt: skip
def test_pr07_what_is_no_grant(text: str) -> None:
    """PR-07: a part is missing, or a moment has no zone, or is beyond the calendar."""
    with pytest.raises(ValueError, match=r"."):
        Grant.of_text(text)


def test_pr07_a_grant_as_it_is_written() -> None:
    """PR-07: without bounds that are not there; who granted it is not compared."""
    full = Grant("T", "1", YEAR, NEXT, "R7", "Q-1")
    assert (str(Grant("T", "1")), str(full)) == ("T@1", f"T@1 {YEAR}/{NEXT}")
    assert (str(Grant("T", "1", YEAR)), str(Grant("T", "1", "", NEXT))) == (
        f"T@1 {YEAR}/..", f"T@1 ../{NEXT}",
    )  # fmt: skip
    assert full == Grant("T", "1", YEAR, NEXT)
    assert full.scim() == {
        "roleGroup": "T", "participantId": "1", "validFrom": YEAR, "validUntil": NEXT,
        "grantedBy": "R7", "requestNumber": "Q-1",
    }  # fmt: skip
    assert Grant.of_scim(full.scim()).granted_by == "R7"
    assert Grant.of_scim(full.scim()).request_number == "Q-1"
    assert Grant.of_scim({"roleGroup": "T", "participantId": "1", "grantedBy": None}) == Grant(
        "T", "1"
    )
    assert Grant.of_scim({"roleGroup": "T", "participantId": "1"}).granted_by == ""
    assert Grant.of_scim({"roleGroup": "T", "participantId": "1"}).request_number == ""
    assert utc_text("2027-01-01T01:00:00.5+01:00") == "2027-01-01T00:00:00.500000Z"


USER: dict[str, Any] = {
    "schemas": [CORE, EXTENSION],
    "externalId": "reg-1",
    "userName": "smithj",
    "name": {"givenName": "Jim", "middleName": "L", "familyName": "Smith"},
    "nickName": "J",
    "preferredLanguage": "fr",
    "timezone": "America/Toronto",
    "emails": [{"value": "j@x.example", "type": "work", "primary": True}],
    "phoneNumbers": [{"value": "+14169671111 ext 5", "type": "work", "primary": True}],
    "active": True,
    EXTENSION: {
        "personId": "R1",
        "accountKind": "machine",
        "endDate": YEAR,
        "grants": [{"roleGroup": "T", "participantId": "1"}],
        "registeredNetworks": [{"value": "192.0.2.7/32", "label": "Desk"}, {"value": "::1/128"}],
        "secondAccount": {"reason": "transmission_rights", "participantId": "1"},
        "requestNumber": "Q-1",
        "sequence": 4,
    },
}
VALUES: dict[str, Any] = {
    "externalId": "reg-1", "userName": "smithj", "personId": "R1", "accountKind": "machine",
    "givenName": "Jim", "middleName": "L", "familyName": "Smith", "preferredName": "J",
    "email": "j@x.example", "phone": "+14169671111 ext 5", "language": "fr",
    "timezone": "America/Toronto", "grants": [Grant("T", "1")],
    "networks": {"192.0.2.7/32": "Desk", "::1/128": ""}, "state": "active", "endDate": YEAR,
    "secondAccount": "transmission_rights@1", "requestNumber": "Q-1", "sequence": 4,
}  # fmt: skip


def test_pr07_a_user_and_its_columns_are_the_same() -> None:
    """PR-07: every column, in both directions."""
    assert values_of(USER) == VALUES
    assert user_of(VALUES) == USER
    assert user_of({"state": "suspended"}) == {
        "schemas": [CORE, EXTENSION], EXTENSION: {}, "active": False,
    }  # fmt: skip
    assert user_of({"sequence": 0, "givenName": ""}) == {
        "schemas": [CORE, EXTENSION], EXTENSION: {}, "active": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("user", "values"),
    [
        ({}, {}),
        ({"name": None, "emails": [], EXTENSION: None}, {}),
        ({"phoneNumbers": []}, {"phone": ""}),
        ({"active": False}, {"state": "suspended"}),
        ({EXTENSION: {"grants": None, "registeredNetworks": None}}, {"grants": [], "networks": {}}),
        ({EXTENSION: {"sequence": 0, "requestNumber": ""}}, {"sequence": 0, "requestNumber": ""}),
        ({EXTENSION: {"secondAccount": {"reason": "x"}}}, {"secondAccount": "x@"}),
        ({"emails": [{"value": "a"}, {"value": "b", "primary": True}]}, {"email": "b"}),
        ({"emails": [{"value": "a"}, {"value": "b"}]}, {"email": "a"}),
        ({"phoneNumbers": [{"value": "tel:+14169671111;ext=5"}]}, {"phone": "+14169671111 ext 5"}),
    ],
)
def test_pr07_what_a_user_leaves_out_is_left_out(
    user: dict[str, Any], values: dict[str, Any]
) -> None:
    """PR-07: absent is not empty."""
    assert values_of(user) == values


def test_cr09_a_telephone_in_one_form() -> None:
    """CR-09: as the gateway keeps it; as it is when it is none."""
    numbers = {"416 967 1111": "+14169671111", "416 967 1111 x5": "+14169671111 ext 5",
               "tel:12;ext=5": "12 ext 5"}  # fmt: skip
    assert {typed: phone_text(typed) for typed in numbers} == numbers


@pytest.mark.parametrize(
    ("values", "name", "operation"),
    [
        ({"state": "active"}, "state", ("replace", "active", True)),
        ({"state": "suspended"}, "state", ("replace", "active", False)),
        ({"secondAccount": " x @ 1 "}, "secondAccount",
         ("replace", f"{EXTENSION}:secondAccount", {"reason": "x", "participantId": "1"})),
        ({"secondAccount": ""}, "secondAccount", ("remove", f"{EXTENSION}:secondAccount")),
        ({"email": "a"}, "email",
         ("replace", "emails", [{"value": "a", "type": "work", "primary": True}])),
        ({"phone": ""}, "phone", ("remove", "phoneNumbers")),
        ({"grants": [Grant("T", "1")]}, "grants",
         ("replace", f"{EXTENSION}:grants", [{"roleGroup": "T", "participantId": "1"}])),
        ({"grants": []}, "grants", ("remove", f"{EXTENSION}:grants")),
        ({"networks": {"::1/128": ""}}, "networks",
         ("replace", f"{EXTENSION}:registeredNetworks", [{"value": "::1/128"}])),
        ({"givenName": "A"}, "givenName", ("replace", "name.givenName", "A")),
        ({"middleName": ""}, "middleName", ("remove", "name.middleName")),
        ({"language": "fr"}, "language", ("replace", "preferredLanguage", "fr")),
        ({"endDate": ""}, "endDate", ("remove", f"{EXTENSION}:endDate")),
    ],
)  # fmt: skip
def test_pr07_a_difference_is_an_operation(
    values: dict[str, Any], name: str, operation: tuple[Any, ...]
) -> None:
    """PR-07: what is empty is removed."""
    made = dict(zip(("op", "path", "value"), operation, strict=False))
    assert list(changes_of(values, [name])) == [made]
    assert list(changes_of(values, [])) == []
    more = list(changes_of(values | {"timezone": "UTC"}, [name, "timezone"]))
    assert more == [made, {"op": "replace", "path": "timezone", "value": "UTC"}]


def test_ma10_another_custodian_brings_the_columns_of_the_person() -> None:
    """MA-10: all that the export says of the person, each once, and the bookkeeping."""
    values = {"personId": "R2", "givenName": "A", "phone": "", "language": "fr", "sequence": 5,
              "requestNumber": ""}  # fmt: skip
    assert [step["path"] for step in changes_of(values, ["givenName", "personId"])] == [
        "name.givenName", f"{EXTENSION}:personId", "phoneNumbers", f"{EXTENSION}:sequence",
    ]  # fmt: skip


def lines(*users: Any) -> list[Entry]:
    text = "\n\n".join(json.dumps(user) for user in users)
    return export.read(io.StringIO(text), is_csv=False)


def of_csv(text: str) -> list[Entry]:
    return export.read(io.StringIO(text), is_csv=True)


def test_pr07_values_are_read_in_the_form_of_the_gateway() -> None:
    """PR-07: networks, ends, telephones and numbers in one form; lines of the file are counted."""
    (one, two) = of_csv(
        "externalId,networks,endDate,phone,sequence,grants,state\n"
        " reg-1 ,192.0.2.7 = Desk ; bad;,2027-01-01T01:00:00+01:00,416 967 1111, 7 ,U@2; ; T@1 ;,\n"
        "reg-2,,,,,,closed\n".replace(",\nreg-2", ",active\nreg-2")
    )
    assert one == Entry(2, {
        "externalId": "reg-1", "networks": {"192.0.2.7/32": "Desk", "bad": ""}, "endDate": YEAR,
        "phone": "+14169671111", "sequence": 7, "grants": [Grant("T", "1"), Grant("U", "2")],
        "state": "active",
    })  # fmt: skip
    assert two == Entry(3, {
        "externalId": "reg-2", "networks": {}, "endDate": "", "phone": "", "sequence": "",
        "grants": [], "state": "closed",
    })  # fmt: skip
    assert [entry.line for entry in lines({"userName": "a"}, {"externalId": "b"})] == [1, 3]
    assert [entry.name for entry in lines({"userName": "a", "externalId": "b"}, {"externalId": "c"})
            ] == ["a", "c"]  # fmt: skip
    assert export.keys_of({"externalId": "A", "userName": "B"}) == [
        ("externalId", "A"), ("userName", "b"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "line 1: unknown columns: ; use externalId, userName"),
        ("externalId\n1,2\n", "line 2: the number of values differs from the number of columns"),
        ("externalId,phone\n1\n", "line 2: the number of values differs from the number of"),
        ("userName\nAb\nAB\n", "line 3: ab is already in line 2"),
        ("externalId,state\n1,\n", "line 2: state must be one of active, suspended, closed"),
        ("externalId,endDate\n1,2027-01-01\n", "line 2: write endDate as 2027-12-31T00:00:00Z"),
        ("externalId,sequence\n1,x\n", "line 2: sequence must be an integer"),
        ("externalId,grants\n1,T\n", "line 2: write a grant as 'role group@participant'"),
    ],
)
def test_pr07_a_bad_line_is_named(text: str, reason: str) -> None:
    """PR-07: the line, and what to write there."""
    with pytest.raises(BadExport) as refused:
        of_csv(text)
    assert str(refused.value).startswith(reason)


@pytest.mark.parametrize(
    "user",
    [
        {"userName": "a", EXTENSION: "x"},
        {"userName": "a", "phoneNumbers": [{"type": "w"}]},
        {"userName": "a", "emails": 5},
    ],
)
def test_pr07_a_line_that_is_no_user_is_named(user: dict[str, Any]) -> None:
    """PR-07."""
    with pytest.raises(BadExport, match=r"^line 1: not a SCIM User$"):
        lines(user)
    with pytest.raises(BadExport, match=r"^line 1: write endDate as 2027-12-31T00:00:00Z$"):
        lines({"userName": "a", EXTENSION: {"endDate": "2027-01-01"}})


KNOWN = {("externalId", "reg-1"): USER | {"id": "u1"}}


def step(**values: Any) -> Any:
    """What is done for an entry, beside the User that is there."""
    entry = Entry(1, {"externalId": "reg-1"} | values)
    made = reconciliation.plan([entry], KNOWN)
    return made[0] if made else None


@pytest.mark.parametrize(
    "same",
    [
        {}, {"userName": "SMITHJ"}, {"userName": ""}, {"state": ""}, {"language": ""},
        {"timezone": ""}, {"accountKind": ""}, {"requestNumber": "other", "sequence": 9},
        {"grants": [Grant("T", "1", granted_by="R9")]},
    ],
)  # fmt: skip
def test_pr07_what_is_no_difference(same: dict[str, Any]) -> None:
    """PR-07: user names in any case, what the gateway chooses itself, the bookkeeping."""
    assert step(**same) is None


def test_pr07_what_is_done_for_an_account() -> None:
    """PR-07: made, changed or closed, each as an operation of a Bulk."""
    changed = step(grants=[Grant("T", "1"), Grant("U", "2")], state="suspended")
    assert changed.differences == [
        ("grants", ["T@1"], ["T@1", "U@2"]), ("state", "active", "suspended"),
    ]  # fmt: skip
    assert changed.operation() == {
        "method": "PATCH",
        "path": "/Users/u1",
        "data": {"schemas": [PATCH], "Operations": [
            {"op": "replace", "path": f"{EXTENSION}:grants", "value": [
                {"roleGroup": "T", "participantId": "1"},
                {"roleGroup": "U", "participantId": "2"}]},
            {"op": "replace", "path": "active", "value": False},
        ]},
    }  # fmt: skip
    closed = step(state="closed")
    assert closed.differences == [("state", "active", "closed")]
    assert closed.operation() == {"method": "DELETE", "path": "/Users/u1"}
    new = Entry(1, {"externalId": "reg-9"})
    (made,) = reconciliation.plan([new, Entry(2, {"externalId": "x", "state": "closed"})], KNOWN)
    assert made.operation() == {"method": "POST", "path": "/Users", "data": user_of(new.values)}
    assert step(middleName="").differences == [("middleName", "L", "")]
    bare = {("externalId", "reg-1"): {"id": "u1", "phoneNumbers": []}}
    empty = {"externalId": "reg-1", "phone": "", "preferredName": "", "grants": []}
    (own,) = reconciliation.plan([Entry(1, empty)], bare) or [None]
    assert own.differences == [("externalId", None, "reg-1")]
    (renamed,) = reconciliation.plan([Entry(1, {"externalId": "reg-1", "userName": "b"})], KNOWN)
    assert renamed.differences == [("userName", "smithj", "b")]


def test_pr07_a_grant_keeps_its_source_unless_the_export_names_another() -> None:
    """PR-07: grants are pushed as a whole."""
    sourced = Grant("T", "1", granted_by="R7", request_number="Q-1")
    present = USER | {"id": "u1", EXTENSION: {"grants": [sourced.scim()]}}
    for said, pushed in (
        (Grant("T", "1"), sourced.scim()),
        (Grant("T", "1", granted_by="R8"), Grant("T", "1", granted_by="R8").scim()),
        (Grant("T", "1", request_number="Q"), Grant("T", "1", request_number="Q").scim()),
    ):
        entry = Entry(1, {"externalId": "reg-1", "grants": [said, Grant("U", "2")]})
        (made,) = reconciliation.plan([entry], {("externalId", "reg-1"): present})
        assert made.operation()["data"]["Operations"][0]["value"] == [
            pushed, Grant("U", "2").scim(),
        ]  # fmt: skip
