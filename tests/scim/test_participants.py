"""The registration bridge: participants (N72 to N79)."""

from __future__ import annotations

import threading
from itertools import count
from typing import Any
from urllib.parse import urlencode

import pytest
from werkzeug.test import TestResponse

from idp.clients import registry
from idp.directory import participants, role_groups
from idp.policy.console import OPERATOR, ConsoleRole
from idp.policy.scopes import PushOperation
from tests.scim.conftest import registration
from tests.scim.pusher import EXTENSION, PATCH, USERS, Pusher, fault, user
from tests.scim.test_groups import GROUPS, NAMED, ROLE, TRADER, grants, group
from tests.scim.test_provisioning_scope import limit
from tests.world import World, answer_of

PARTICIPANTS = "/scim/v2/Participants"
PARTICIPANT = "urn:ieso:params:scim:schemas:core:2.0:Participant"
NUMBERS = count(1)
ERIE = f"{PARTICIPANTS}/200001"


@pytest.fixture
def pusher(world: World) -> Pusher:
    """The registration system, where no participant is registered yet."""
    return registration(world)


def body(**changes: Any) -> dict[str, Any]:
    """The body of a good push; a change to None leaves an attribute out."""
    found = {"schemas": [PARTICIPANT], "participantId": "200001", "name": "Erie Wind"} | changes
    return {name: value for name, value in found.items() if value is not None}


def create(pusher: Pusher, **changes: Any) -> dict[str, Any]:
    answer = pusher.send("POST", PARTICIPANTS, body(**changes))
    assert answer.status_code == 201, answer.text
    return dict(answer.json or {})


def patch(pusher: Pusher, *operations: dict[str, Any], **more: Any) -> TestResponse:
    return pusher.send("PATCH", ERIE, {"schemas": [PATCH], "Operations": list(operations)}, **more)


def set_status(pusher: Pusher, status: str) -> TestResponse:
    return patch(pusher, {"op": "replace", "path": "status", "value": status})


def holder(pusher: Pusher, number: str = "200001") -> dict[str, Any]:
    """A User that is a trader there."""
    pusher.world.participant(number)
    return pusher.create(next(NUMBERS), extension={"grants": [TRADER | {"participantId": number}]})


def test_a_participant_is_created_read_and_renamed(world: World, pusher: Pusher) -> None:
    """Its number is its id; a retry is answered as the first time; another one of it is 409."""
    made = create(pusher)
    assert made["meta"].pop("version").startswith('W/"')
    assert made == {
        "schemas": [PARTICIPANT],
        "id": "200001",
        "participantId": "200001",
        "name": "Erie Wind",
        "status": "active",
        "meta": made["meta"],
    }
    assert made["meta"]["location"] == f"{world.settings.issuer}{ERIE}"
    assert pusher.send("POST", PARTICIPANTS, body()).status_code == 200
    assert fault(pusher.send("POST", PARTICIPANTS, body(name="Huron Hydro"))) == (409, "uniqueness")
    renamed = patch(pusher, {"op": "Replace", "value": {"name": "Erie Wind and Sun"}})
    assert renamed.json["name"] == "Erie Wind and Sun"
    assert pusher.send("GET", ERIE).json["name"] == "Erie Wind and Sun"
    (event,) = world.events("scim.participant_updated")
    assert event.data["before"] == {"name": "Erie Wind"}
    assert event.data["after"] == {"name": "Erie Wind and Sun"}
    assert (
        patch(pusher, {"op": "replace", "value": {"name": "Erie Wind and Sun"}}).status_code == 200
    )
    assert len(world.events("scim.participant_updated")) == 1


def test_a_new_name_appears_in_groups_and_tokens(world: World, pusher: Pusher) -> None:
    """One table: its name is everybody's."""
    create(pusher, name="Erie")
    patch(pusher, {"op": "replace", "path": f"{PARTICIPANT}:name", "value": "Erie Wind"})
    with world.work() as work:
        assert participants.by_number(work, "200001").name == "Erie Wind"


@pytest.mark.parametrize("way", ["status", "put", "delete"])
def test_ending_a_participant_revokes_its_grants(world: World, pusher: Pusher, way: str) -> None:
    """All role groups there, at once; those elsewhere stay; holders get a mail, and the
    application that sees the role group is told."""
    rp = world.relying_party("App", backchannel_logout_uri="https://app.rp.test/logout")
    with world.work() as work:
        row = registry.get(work, "app")
        registry.set_visible_groups(work, row, [role_groups.by_name(work, "EMI Trader")])
    user = holder(pusher)
    other = holder(pusher, "300001")
    name = world.account()
    world.grant_role(name, "EMI Trader", "200001")
    browser = world.browser()
    world.redeem(rp, browser.code(rp, name))
    world.mails()
    if way == "delete":
        assert pusher.send("DELETE", ERIE).status_code == 204
        assert fault(pusher.send("GET", ERIE)) == (404, None)
    elif way == "put":
        assert pusher.send("PUT", ERIE, body(status="ended")).json["status"] == "ended"
    else:
        assert set_status(pusher, "ended").json["status"] == "ended"
    assert grants(pusher, f"/scim/v2/Users/{user['id']}") == []
    assert len(grants(pusher, f"/scim/v2/Users/{other['id']}")) == 1
    (event,) = world.events("participant.ended")
    assert event.data == {"participant": "200001", "assignments": 2}
    assert len(world.events("role_group.revoked")) == 2
    # One for each push.
    assert len(world.mails("access_changed", to=name)) == 2
    world.run_worker()
    assert [uri for uri, _ in world.logouts.sent] == ["https://app.rp.test/logout"]
    code = answer_of(browser.authorize(rp, prompt="none"))["code"]
    assert world.introspect(rp, world.redeem(rp, code).json["access_token"])["active"]


def test_no_role_group_is_granted_at_an_ended_participant(world: World, pusher: Pusher) -> None:
    """By whatever door; after it is restored role groups are given again, none come back."""
    user = holder(pusher)
    place = f"/scim/v2/Users/{user['id']}"
    set_status(pusher, "ended")
    set_grant = {"op": "add", "path": f"{EXTENSION}:grants",
                 "value": [TRADER | {"participantId": "200001"}]}  # fmt: skip
    give = {"schemas": [PATCH], "Operations": [set_grant]}
    refused = pusher.send("PATCH", place, give)
    assert fault(refused) == (400, "invalidValue")
    assert "200001 has ended" in refused.json["detail"]
    assert set_status(pusher, "ended").status_code == 200
    assert len(world.events("participant.ended")) == 1
    assert set_status(pusher, "active").json["status"] == "active"
    assert grants(pusher, place) == []
    assert pusher.send("PATCH", place, give).status_code == 200
    assert len(grants(pusher, place)) == 1


def test_a_put_without_status_changes_none(world: World, pusher: Pusher) -> None:
    """G8: absence neither ends nor restores."""
    create(pusher)
    set_status(pusher, "ended")
    assert pusher.send("PUT", ERIE, body(name="Erie")).json["status"] == "ended"


def test_a_removed_number_is_the_same_participant_again(world: World, pusher: Pusher) -> None:
    """Made again it is there again, without its grants."""
    user = holder(pusher)
    pusher.send("DELETE", ERIE)
    assert fault(pusher.send("DELETE", ERIE)) == (404, None)
    assert fault(set_status(pusher, "active")) == (404, None)
    assert pusher.send("GET", PARTICIPANTS).json["totalResults"] == 0
    assert create(pusher, name="Erie Wind again")["status"] == "active"
    assert grants(pusher, f"/scim/v2/Users/{user['id']}") == []


def test_n72_a_push_cannot_change_the_operator_of_the_gateway(world: World, pusher: Pusher) -> None:
    """N72: neither made, renamed nor ended by a push; nor is what an operator holds elsewhere
    taken by ending a participant."""
    name = world.operator(next(iter(ConsoleRole)))
    path = f"{PARTICIPANTS}/{OPERATOR}"
    for answer in (
        pusher.send("POST", PARTICIPANTS, body(participantId=OPERATOR)),
        pusher.send("PUT", path, body(participantId=OPERATOR, name="Mine")),
        pusher.send("DELETE", path),
    ):
        assert fault(answer) == (403, None)
    create(pusher)
    world.grant_role(name, "EMI Viewer", "200001")
    assert fault(set_status(pusher, "ended")) == (403, None)
    assert pusher.send("GET", ERIE).json["status"] == "active"


def test_n73_a_client_of_one_participant_changes_no_other(world: World, pusher: Pusher) -> None:
    """N73: it finds and changes its own; others are not there."""
    create(pusher)
    mine, other = Pusher.of(world, "Mine"), Pusher.of(world, "Other")
    limit(world, "mine", push_participants=("200001", "200002"))
    limit(world, "other", push_participants=("300001",))
    assert mine.send("GET", PARTICIPANTS).json["totalResults"] == 1
    assert mine.send("POST", PARTICIPANTS, body(participantId="200002")).status_code == 201
    assert other.send("GET", PARTICIPANTS).json["totalResults"] == 0
    assert fault(other.send("GET", ERIE)) == (404, None)
    assert fault(set_status(other, "ended")) == (404, None)
    assert fault(other.send("POST", PARTICIPANTS, body())) == (403, None)
    assert set_status(mine, "ended").status_code == 200


def test_n72_a_group_does_not_rename_the_operator(world: World, pusher: Pusher) -> None:
    """N72: whatever role group the Group is of."""
    world.operator(next(iter(ConsoleRole)))
    own = {ROLE: NAMED | {"participantId": OPERATOR, "participantName": "Mine"}}
    assert fault(pusher.send("POST", GROUPS, group(**own))) == (403, None)


def test_names_that_grow_by_case_folding_are_accepted(pusher: Pusher) -> None:
    """N86: two letters for one."""
    assert create(pusher, name="ß" * 200)["name"] == "ß" * 200
    assert patch(pusher, {"op": "replace", "value": {"name": "ﬃ" * 150}}).status_code == 200


def test_n72_renaming_a_participant_by_a_group_needs_the_same_permission(
    world: World, pusher: Pusher
) -> None:
    """N72: by the Group as by the Participant; before and after are in the trail."""
    create(pusher, participantId="109120")
    made = pusher.send("POST", GROUPS, group()).json
    limit(world, "registration", push_operations=("read", "grant"))
    named = made | {ROLE: NAMED | {"participantName": "Huron Hydro"}}
    assert fault(pusher.send("PUT", f"{GROUPS}/{made['id']}", named)) == (403, None)
    assert pusher.send("PUT", f"{GROUPS}/{made['id']}", made).status_code == 200
    limit(world, "registration", push_operations=("read", "grant", "update"))
    assert pusher.send("PUT", f"{GROUPS}/{made['id']}", named).status_code == 200
    (event,) = world.events("scim.group_updated")
    assert event.data["before"]["participantName"] == "Erie Wind"
    assert event.data["after"]["participantName"] == "Huron Hydro"


@pytest.mark.parametrize("missing", list(PushOperation))
def test_n72_each_operation_is_allowed_by_name(
    world: World, pusher: Pusher, missing: PushOperation
) -> None:
    """N72: what is not in the list is 403 and changes nothing."""
    create(pusher)
    asked = [
        (PushOperation.READ, lambda: pusher.send("GET", ERIE)),
        (PushOperation.CREATE, lambda: pusher.send("POST", PARTICIPANTS, body(participantId="5"))),
        (PushOperation.UPDATE, lambda: patch(pusher, {"op": "replace", "value": {"name": "x"}})),
        (PushOperation.DEACTIVATE, lambda: set_status(pusher, "ended")),
        (PushOperation.CREATE, lambda: set_status(pusher, "active")),
        (PushOperation.DEACTIVATE, lambda: pusher.send("DELETE", ERIE)),
    ]
    limit(world, "registration", push_operations=tuple(set(PushOperation) - {missing}))
    refused = [name for name, ask in asked if ask().status_code == 403]
    assert refused == [name for name, _ in asked if name is missing]


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"participantId": None}, "invalidValue"),
        ({"participantId": ""}, "invalidValue"),
        ({"participantId": "1" * 21}, "invalidValue"),
        ({"participantId": "１２３"}, "invalidValue"),
        ({"participantId": "1/2"}, "invalidValue"),
        ({"name": None}, "invalidValue"),
        ({"name": " "}, "invalidValue"),
        ({"name": "x" * 201}, "invalidValue"),
        ({"name": "a\x00b"}, "invalidValue"),
        ({"status": "asleep"}, "invalidValue"),
        ({"number": "1"}, "invalidSyntax"),
    ],
)
def test_n78_invalid_participants_are_refused(
    pusher: Pusher, changes: dict[str, Any], kind: str
) -> None:
    """N78, G4: with its kind, and nothing is made."""
    assert fault(pusher.send("POST", PARTICIPANTS, body(**changes))) == (400, kind)
    assert pusher.send("GET", PARTICIPANTS).json["totalResults"] == 0


def test_the_number_never_changes(pusher: Pusher) -> None:
    """Immutable once set; an id that a client makes up is left out."""
    create(pusher)
    change = {"op": "replace", "path": "participantId", "value": "200009"}
    assert fault(patch(pusher, change)) == (400, "mutability")
    made = create(pusher, participantId="200002", id="x", externalId="y")
    assert (made["id"], made["externalId"]) == ("200002", "y")
    found = pusher.send("GET", f"{PARTICIPANTS}?filter=externalId%20eq%20%22y%22").json
    assert [row["id"] for row in found["Resources"]] == ["200002"]


def test_filters_sorting_and_pages(pusher: Pusher) -> None:
    """By SQL, with cursors (RFC 9865)."""
    for number, name in enumerate(["Erie", "Huron", "Ontario", "Superior"]):
        create(pusher, participantId=f"20000{number}", name=name)
    set_status(pusher, "ended")

    def found(**query: str) -> list[str]:
        answer = pusher.send("GET", f"{PARTICIPANTS}?{urlencode(query)}").json
        return [row["name"] for row in answer.get("Resources", [])]

    assert found(filter='status eq "ended"') == ["Huron"]
    assert found(filter='name sw "er" or participantId eq "200003"') == ["Erie", "Superior"]
    assert found(filter='meta.lastModified gt "2000-01-01T00:00:00Z" and not (id eq "200000")') == [
        "Huron", "Ontario", "Superior"]  # fmt: skip
    assert found(sortBy="name", sortOrder="descending", count="2") == ["Superior", "Ontario"]
    pages: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = pusher.send(
            "GET", f"{PARTICIPANTS}?cursor={cursor}&count=3&sortBy=meta.lastModified"
        ).json
        pages += [row["name"] for row in page["Resources"]]
        cursor = page.get("nextCursor")
    assert sorted(pages) == ["Erie", "Huron", "Ontario", "Superior"]
    bad = pusher.send("GET", f"{PARTICIPANTS}?filter=budget%20eq%201")
    assert fault(bad) == (400, "invalidFilter")


def test_versions_are_checked(pusher: Pusher) -> None:
    """N77: a stale If-Match is 412."""
    version = create(pusher)["meta"]["version"]
    assert patch(
        pusher, {"op": "replace", "value": {"name": "Erie"}}, headers={"If-Match": version}
    ).status_code == 200  # fmt: skip
    stale = {"op": "replace", "value": {"name": "Huron"}}
    assert fault(patch(pusher, stale, headers={"If-Match": version})) == (412, None)


def test_a_bulk_creates_participants_and_users_in_order(world: World, pusher: Pusher) -> None:
    """A dry run of the same leaves nothing."""
    operations = [
        {"method": "POST", "path": "/Participants", "bulkId": "p", "data": body()},
        {"method": "PATCH", "path": "/Participants/200001", "bulkId": "q", "data": {
            "schemas": [PATCH], "Operations": [{"op": "replace", "value": {"name": "Erie"}}]}},
        {"method": "DELETE", "path": "/Participants/200001"},
    ]  # fmt: skip
    request = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
               "Operations": operations}  # fmt: skip
    answer = pusher.send("POST", "/scim/v2/Bulk", request)
    assert [entry["status"] for entry in answer.json["Operations"]] == ["201", "200", "204"]
    pusher.send("POST", f"{PARTICIPANTS}?dryRun=true", body(participantId="200002"))
    assert pusher.send("GET", PARTICIPANTS).json["totalResults"] == 0


def test_concurrent_group_changes_and_the_end_of_a_participant_do_not_block(
    world: World, pusher: Pusher
) -> None:
    """Members go and come, by the Group and by Users, at the same moment: nobody waits for ever,
    nobody gets a fault of ours, nobody is left a member."""
    first = [holder(pusher)["id"] for _ in range(6)]
    others = [holder(pusher, "300001")["id"] for _ in range(6)]
    key = pusher.send(
        "POST", GROUPS, group(*first, **{ROLE: TRADER | {"participantId": "200001"}})
    ).json["id"]
    start = threading.Barrier(8)
    statuses: list[int] = []

    def change(path: str, *operations: dict[str, Any]) -> None:
        mine = Pusher(world, pusher.rp, pusher.token)
        start.wait()
        body = {"schemas": [PATCH], "Operations": list(operations)}
        statuses.append(mine.send("PATCH", path, body).status_code)

    path = f"{EXTENSION}:grants"
    value = [TRADER | {"participantId": "200001", "validUntil": "2040-01-01T00:00:00Z"},
             TRADER | {"participantId": "200001", "roleGroup": "EMI Viewer"}]  # fmt: skip
    calls: list[tuple[str, list[dict[str, Any]]]] = [
        (f"{GROUPS}/{key}", [
            {"op": "remove", "path": f'members[value eq "{first[n]}"]'},
            {"op": "add", "path": "members", "value": [{"value": others[n]}]},
        ]) for n in range(3)
    ] + [
        (f"/scim/v2/Users/{first[n]}", [{"op": "replace", "path": path, "value": value}])
        for n in range(3, 6)
    ]  # fmt: skip
    threads = [threading.Thread(target=change, args=(place, *ops)) for place, ops in calls]
    threads.append(threading.Thread(target=change, args=(
        ERIE, {"op": "replace", "path": "status", "value": "ended"})))  # fmt: skip
    for thread in threads:
        thread.start()
    start.wait()
    for thread in threads:
        thread.join()
    assert set(statuses) <= {200, 400}
    assert pusher.send("GET", ERIE).json["status"] == "ended"
    assert pusher.found(f'{EXTENSION}:grants.participantId eq "200001"') == []


def test_a_grant_concurrent_with_the_end_of_its_participant_does_not_remain(
    world: World, pusher: Pusher
) -> None:
    """Eight grants while the participant ends: whatever comes first, none is left."""
    users = [holder(pusher, "300001") for _ in range(8)]
    create(pusher)
    start = threading.Barrier(9)
    statuses: list[int] = []

    def give(user: dict[str, Any]) -> None:
        mine = Pusher(world, pusher.rp, pusher.token)
        value = [TRADER | {"participantId": "200001"}]
        operation = {"op": "add", "path": f"{EXTENSION}:grants", "value": value}
        start.wait()
        answer = mine.send(
            "PATCH",
            f"/scim/v2/Users/{user['id']}",
            {"schemas": [PATCH], "Operations": [operation]},
        )
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=give, args=(user,)) for user in users]
    for thread in threads:
        thread.start()
    start.wait()
    set_status(Pusher(world, pusher.rp, pusher.token), "ended")
    for thread in threads:
        thread.join()
    assert set(statuses) <= {200, 400}
    assert pusher.send("GET", ERIE).json["status"] == "ended"
    assert pusher.found(f'{EXTENSION}:grants.participantId eq "200001"') == []


@pytest.mark.parametrize("door", ["create", "patch", "put", "group", "bulk"])
def test_tm08_a_grant_creates_no_participant(world: World, pusher: Pusher, door: str) -> None:
    """TM-08: an organization that nobody registered is refused at every door of a push."""
    key = pusher.create(1)["id"]
    extension = {"personId": "R00001", "grants": [TRADER]}
    whole = user(1, extension=extension)
    add = {"op": "add", "path": f"{EXTENSION}:grants", "value": [TRADER]}
    change = {"schemas": [PATCH], "Operations": [add]}
    operation = {"method": "PATCH", "path": f"/Users/{key}", "data": change}
    bulk = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
            "Operations": [operation]}  # fmt: skip
    path, method, sent = {
        "create": (USERS, "POST", user(2, extension={"grants": [TRADER]})),
        "patch": (f"{USERS}/{key}", "PATCH", change),
        "put": (f"{USERS}/{key}", "PUT", whole),
        "group": (GROUPS, "POST", group(key)),
        "bulk": ("/scim/v2/Bulk", "POST", bulk),
    }[door]
    answer = pusher.send(method, path, sent)
    error = answer.json["Operations"][0]["response"] if door == "bulk" else answer.json
    assert (error["status"], error["scimType"]) == ("400", "invalidValue")
    assert error["detail"] == "participant 109120 is not registered"
    assert pusher.send("GET", PARTICIPANTS).json["totalResults"] == 0
    create(pusher, participantId="109120")
    again = pusher.send(method, path, sent)
    assert again.status_code in (200, 201)
    assert "not registered" not in again.text
