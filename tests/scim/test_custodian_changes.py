"""What a push says about whom: the person behind an account (MA-10, RG-02, RG-03, RG-09, N74)."""

from __future__ import annotations

from typing import Any

import pytest

from idp.models import AccountState
from idp.policy.console import OPERATOR, ConsoleRole
from tests.scim.pusher import EXTENSION, PATCH, Pusher, fault, user
from tests.world import World

CUSTODIAN = f"{EXTENSION}:personId"
OLD = {
    "name": {"givenName": "Ola", "familyName": "Old", "middleName": "Quinn"},
    "nickName": "Olly",
    "emails": [{"value": "ola@participant.example", "type": "work", "primary": True}],
    "phoneNumbers": [{"value": "tel:+14169671111", "type": "work", "primary": True}],
}
NEW = {
    "name": {"givenName": "Nia", "familyName": "New"},
    "emails": [{"value": "nia@participant.example", "type": "work", "primary": True}],
    "phoneNumbers": [{"value": "tel:+16135550142;ext=7", "type": "work", "primary": True}],
}
MACHINE = {"accountKind": "machine", "registeredNetworks": [{"value": "192.0.2.1"}]}


def machine(pusher: Pusher, number: int = 1) -> dict[str, Any]:
    """In the custody of R00001, whose record is ``OLD``."""
    return pusher.create(number, **OLD, extension={"personId": "R00001"} | MACHINE)


def person_of(world: World, username: str) -> tuple[str, ...]:
    row = world.account_row(username).person
    return (row.person_id, row.full_name, row.middle_name, row.preferred_name, row.email,
            row.phone, row.phone_extension)  # fmt: skip


NIA = ("R00002", "Nia New", "", "", "nia@participant.example", "+16135550142", "7")
OLA = ("R00001", "Ola Old", "Quinn", "Olly", "ola@participant.example", "+14169671111", "")


def hand_over(pusher: Pusher, way: str, made: dict[str, Any]) -> Any:
    """To R00002, saying nothing else of that person."""
    if way == "patch":
        return pusher.patch(made["id"], {"op": "replace", "path": CUSTODIAN, "value": "R00002"})
    if way == "patch without a path":
        value = {EXTENSION: {"personId": "R00002"}}
        return pusher.patch(made["id"], {"op": "Replace", "value": value})
    if way == "put":
        body = user(1, **{k: v for k, v in NEW.items() if k != "phoneNumbers"})
        body[EXTENSION] = {"personId": "R00002"}
        return pusher.send("PUT", made["id"], body)
    operation = {"method": "PATCH", "path": f"/Users/{made['id']}", "data": {
        "schemas": [PATCH], "Operations": [
            {"op": "replace", "path": CUSTODIAN, "value": "R00002"}]}}  # fmt: skip
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
            "Operations": [operation]}  # fmt: skip
    return pusher.send("POST", "/scim/v2/Bulk", body)


@pytest.mark.parametrize("state", ["pending", "active"])
@pytest.mark.parametrize("way", ["patch", "patch without a path", "put", "bulk"])
def test_ma10_a_new_custodian_keeps_name_and_address(
    world: World, pusher: Pusher, way: str, state: str
) -> None:
    """MA-10: ``personId`` alone changes the custodian, and nothing of either person; mails of the
    machine account and of the new custodian's own account go to the new custodian."""
    made = machine(pusher)
    pusher.create(2, **NEW)
    if state == "active":
        world.set_state(made["userName"], AccountState.ACTIVE)
    answer = hand_over(pusher, way, made)
    assert answer.status_code == 200, answer.text
    assert person_of(world, made["userName"]) == NIA
    assert person_of(world, "newn") == NIA
    kind = "account_created" if state == "pending" else "custodian_changed"
    assert world.mails(kind, to=made["userName"])[-1].recipient == "nia@participant.example"
    assert world.mails("custodian_left")[-1].recipient == "ola@participant.example"
    assert world.mails("profile_changed") == world.mails("address_changed") == []
    shown = pusher.send("GET", made["id"]).json
    assert shown["displayName"] == "Nia New"
    assert "nickName" not in shown
    assert shown["phoneNumbers"] == NEW["phoneNumbers"]


def test_ma10_a_handover_can_update_the_new_custodian(world: World, pusher: Pusher) -> None:
    """RG-09: one attribute said, one changed; a sub-attribute by path too."""
    made = machine(pusher)
    pusher.create(2, **NEW)
    answer = pusher.patch(
        made["id"],
        {"op": "replace", "path": 'emails[type eq "work"].value', "value": "n@participant.example"},
        {"op": "replace", "path": "name.familyName", "value": "Newman"},
        {"op": "replace", "path": CUSTODIAN, "value": "R00002"},
    )
    assert answer.status_code == 200, answer.text
    changed = ("R00002", "Nia Newman", "", "", "n@participant.example", "+16135550142", "7")
    assert person_of(world, "newn") == changed
    assert world.mails("profile_changed")[-1].recipient == "n@participant.example"


def test_ma10_a_custodian_who_is_not_registered_is_described_by_the_push(
    world: World, pusher: Pusher
) -> None:
    """MA-03: nothing is filled in from the former custodian; what is missing is named."""
    made = machine(pusher)
    alone = hand_over(pusher, "patch", made)
    assert fault(alone) == (400, "invalidValue")
    assert "R00002 is a new person" in alone.text
    name_only = pusher.patch(
        made["id"],
        {"op": "replace", "path": CUSTODIAN, "value": "R00002"},
        {"op": "replace", "path": "name.givenName", "value": "Nia"},
    )
    assert fault(name_only) == (400, "invalidValue")
    assert person_of(world, made["userName"]) == OLA
    whole = pusher.patch(
        made["id"],
        {"op": "replace", "path": CUSTODIAN, "value": "R00002"},
        {"op": "replace", "value": {key: NEW[key] for key in ("name", "emails")}},
    )
    assert whole.status_code == 200, whole.text
    expected = ("R00002", "Nia New", "", "", "nia@participant.example", "", "")
    assert person_of(world, made["userName"]) == expected


@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.parametrize("attribute", ["name", "emails", "phoneNumbers"])
def test_ma10_a_put_that_sends_back_the_former_custodian_is_refused(
    world: World, pusher: Pusher, attribute: str, *, is_known: bool
) -> None:
    """MA-10: the whole User as it was read, with another ``personId``; nothing is changed. A person
    who is not known yet may have the same name."""
    made = machine(pusher)
    if is_known:
        pusher.create(2, **NEW)
    body = made | NEW | {attribute: OLD[attribute]}
    body[EXTENSION] = {"personId": "R00002"}
    del body["nickName"]
    answer = pusher.send("PUT", made["id"], body)
    if attribute == "name" and not is_known:
        assert answer.status_code == 200, answer.text
        return
    assert fault(answer) == (400, "invalidValue")
    assert "the previous custodian" in answer.text
    assert person_of(world, made["userName"]) == OLA
    if is_known:
        assert person_of(world, "newn") == NIA


@pytest.mark.parametrize("way", ["patch", "put"])
def test_ma10_a_handover_keeps_omitted_values_of_the_new_custodian(
    world: World, pusher: Pusher, way: str
) -> None:
    """MA-10: a second given name and the name used, which the request leaves out."""
    made = machine(pusher)
    name = NEW["name"] | {"middleName": "Rae"}
    pusher.create(2, **NEW | {"name": name, "nickName": "Ni"})
    assert hand_over(pusher, way, made).status_code == 200
    expected = ("R00002", "Nia New", "Rae", "Ni", *NIA[4:])
    assert person_of(world, made["userName"]) == person_of(world, "newn") == expected


def test_ma10_two_custodians_may_share_a_telephone(world: World, pusher: Pusher) -> None:
    """MA-10: a PUT that says so says what is registered already."""
    made = machine(pusher)
    shared = NEW | {"phoneNumbers": OLD["phoneNumbers"]}
    pusher.create(2, **shared)
    body = made | shared
    body[EXTENSION] = {"personId": "R00002"}
    del body["nickName"]
    answer = pusher.send("PUT", made["id"], body)
    assert answer.status_code == 200, answer.text
    assert person_of(world, made["userName"])[:2] == ("R00002", "Nia New")


def test_n74_an_operator_cannot_become_custodian_by_a_push(world: World, pusher: Pusher) -> None:
    """N74: a push puts no account into the hands of an operator, and changes nothing of him."""
    made = machine(pusher)
    pusher.create(2, **NEW)
    world.role_group(ConsoleRole.AGENT)
    world.grant_role("newn", ConsoleRole.AGENT, OPERATOR)
    said = pusher.patch(
        made["id"],
        {"op": "replace", "path": CUSTODIAN, "value": "R00002"},
        {"op": "replace", "path": "emails", "value": OLD["emails"]},
    )
    assert fault(said) == (403, None)
    assert fault(hand_over(pusher, "patch", made)) == (403, None)
    assert person_of(world, "newn") == NIA


def test_rg09_a_second_account_changes_only_the_values_in_its_push(
    world: World, pusher: Pusher
) -> None:
    """RG-09: a create for a person who is known says no more than it says: what it leaves out
    stays, at every account."""
    pusher.create(1, **OLD)
    body = user(2, name={"givenName": "Ola", "familyName": "Old"}, emails=OLD["emails"],
                extension={"personId": "R00001"} | MACHINE)  # fmt: skip
    assert pusher.send("POST", body=body).status_code == 201
    assert person_of(world, "oldo") == OLA
    assert world.mails("profile_changed") == []


def test_rg03_a_person_with_one_name_is_registered(world: World, pusher: Pusher) -> None:
    """RG-03, UI-07: it is the family name, wherever the client has it; a given name can come and
    go, the last name not."""
    made = pusher.create(1, name={"familyName": "Sukarno"})
    assert (made["userName"], made["displayName"]) == ("sukarno", "Sukarno")
    assert made["name"] == {"familyName": "Sukarno"}
    given = pusher.create(2, name={"givenName": "Björk"})
    assert (given["userName"], given["name"]) == ("bjork", {"familyName": "Björk"})
    assert pusher.found('displayName eq "sukarno"') == ["sukarno"]
    assert "Hello Sukarno," in world.mails("account_created", to="sukarno")[-1].text
    first = {"op": "add", "path": "name.givenName", "value": "Ahmed"}
    assert pusher.patch(made["id"], first).json["displayName"] == "Ahmed Sukarno"
    gone = {"op": "remove", "path": "name.givenName"}
    assert pusher.patch(made["id"], gone).json["name"] == {"familyName": "Sukarno"}
    for bad in ({"op": "remove", "path": "name.familyName"}, {"op": "remove", "path": "name"}):
        assert fault(pusher.patch(made["id"], bad))[0] == 400
    for name in ({}, {"givenName": " "}, {"middleName": "Ada"}):
        assert fault(pusher.send("POST", body=user(3, name=name)))[0] == 400, name


def test_oidc_a_missing_name_has_no_claim(world: World, pusher: Pusher) -> None:
    """OIDC Core 5.1: an empty claim is left out."""
    rp = world.relying_party("CROW")
    username = world.account(given_name="", family_name="Sukarno")
    tokens = world.signed_in_tokens(rp, username)
    claims = world.app.test_client().get(
        "/oauth2/v1/userinfo",
        headers={"Authorization": f"Bearer {tokens['access_token']}"},
        base_url=world.settings.issuer,
    ).json  # fmt: skip
    assert claims["name"] == claims["family_name"] == "Sukarno"
    assert "given_name" not in claims
