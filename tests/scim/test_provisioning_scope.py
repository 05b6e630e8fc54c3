"""The registration bridge: how far one pusher reaches (N72, N73, N76, PR-05)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from idp.clients import client_data, registry
from idp.policy.scopes import PushOperation
from tests.scim.pusher import EXTENSION, USERS, Pusher, fault, user
from tests.scim.test_groups import GROUPS, ROLE, group
from tests.web.test_limits import gateway
from tests.world import World

HERE = {"roleGroup": "EMI Trader", "participantId": "109120"}
THERE = {"roleGroup": "EMI Trader", "participantId": "111340"}
REPLACE = {"op": "replace", "path": "name.givenName", "value": "James"}
SUSPEND = {"op": "replace", "path": "active", "value": False}
RENAME = {"op": "replace", "path": "displayName", "value": "Team"}
ZONE = {"op": "add", "path": "timezone", "value": "America/Winnipeg"}
ENDING = {"op": "add", "path": f"{EXTENSION}:endDate", "value": "2040-01-01T00:00:00Z"}


def limit(world: World, name: str, **changes: Any) -> None:
    """What the client may do from now on."""
    with world.work() as work:
        client = registry.get(work, name)
        registry.update(
            work, client, replace(client_data.current_data(client), **changes), is_approved=True
        )


def test_n72_a_token_is_refused_after_the_scope_was_removed(world: World, pusher: Pusher) -> None:
    """N72: what an operator takes from a client ends at once, not with its last token."""
    limit(world, "registration", scopes=())
    assert fault(pusher.send("GET")) == (403, None)


@pytest.fixture
def local(world: World, pusher: Pusher) -> Pusher:
    """A client that acts for one participant."""
    made = Pusher.of(world, "Local")
    limit(world, "local", push_participants=("109120",))
    return made


def grant(value: dict[str, str]) -> dict[str, Any]:
    return {"op": "add", "path": f"{EXTENSION}:grants", "value": [value]}


def test_each_operation_is_allowed_by_name(world: World, pusher: Pusher) -> None:
    """N72: what is not in the list is 403 and changes nothing, whichever way it is asked."""
    made = pusher.create(1)
    key = made["id"]
    team = pusher.send("POST", GROUPS, group(key)).json["id"]
    network = {"value": "192.0.2.1"}
    machine = pusher.create(
        2, extension={"accountKind": "machine", "registeredNetworks": [network]}
    )["id"]
    networks = {"op": "add", "path": f"{EXTENSION}:registeredNetworks",
                "value": [{"value": "198.51.100.1"}]}  # fmt: skip
    asked: list[tuple[PushOperation, Any]] = [
        (PushOperation.READ, lambda: pusher.send("GET", key)),
        (PushOperation.READ, lambda: pusher.send("GET", USERS)),
        (PushOperation.READ, lambda: pusher.send("GET", f"{GROUPS}/{team}")),
        (PushOperation.READ, lambda: pusher.send("POST", f"{USERS}/.search", {"schemas": [
            "urn:ietf:params:scim:api:messages:2.0:SearchRequest"]})),
        (PushOperation.CREATE, lambda: pusher.send("POST", USERS, user(5))),
        (PushOperation.UPDATE, lambda: pusher.patch(key, REPLACE)),
        (PushOperation.UPDATE, lambda: pusher.patch(machine, networks)),
        (PushOperation.UPDATE, lambda: pusher.patch(key, ZONE)),
        (PushOperation.GRANT, lambda: pusher.patch(key, grant(THERE))),
        (PushOperation.GRANT, lambda: pusher.patch(
            key, {"op": "remove", "path": f"{EXTENSION}:grants"})),
        (PushOperation.GRANT, lambda: pusher.patch(f"{GROUPS}/{team}", RENAME)),
        (PushOperation.GRANT, lambda: pusher.send("DELETE", f"{GROUPS}/{team}")),
        (PushOperation.GRANT, lambda: pusher.send("POST", GROUPS, group(
            externalId="there", **{ROLE: THERE}))),
        (PushOperation.SUSPEND, lambda: pusher.patch(key, SUSPEND)),
        (PushOperation.DEACTIVATE, lambda: pusher.patch(key, ENDING)),
        (PushOperation.DEACTIVATE, lambda: pusher.send("DELETE", key)),
    ]  # fmt: skip
    before = pusher.send("GET", key).json
    for operation, ask in asked:
        rest = tuple(other for other in PushOperation if other != operation)
        limit(world, "registration", push_operations=rest)
        assert fault(ask()) == (403, None), operation
        limit(world, "registration", push_operations=tuple(PushOperation))
        assert pusher.send("GET", key).json == before, operation
    for operation, ask in asked:
        limit(world, "registration", push_operations=(operation,))
        assert ask().status_code < 300, operation


def test_n73_a_client_of_one_participant_sees_and_grants_only_there(
    world: World, pusher: Pusher, local: Pusher
) -> None:
    """N73: accounts and groups of another participant are not found, grants there are not shown,
    not asked for and not taken."""
    ours = pusher.create(1, extension={"grants": [HERE, THERE]})
    theirs = pusher.create(2, extension={"grants": [THERE]})
    team = pusher.send("POST", GROUPS, group(externalId="there", **{ROLE: THERE})).json["id"]
    assert local.found("userName pr") == [ours["userName"]]
    assert local.send("GET", ours["id"]).json[EXTENSION]["grants"] == [HERE]
    for filter_ in (
        f'{EXTENSION}:grants.participantId eq "111340"',
        f'{EXTENSION}:grants[participantId eq "111340"]',
        f'userName eq "{theirs["userName"]}"',
        'externalId eq "reg-2"',
    ):
        assert local.found(filter_) == [], filter_
    for method, path in (
        ("GET", theirs["id"]),
        ("DELETE", theirs["id"]),
        ("GET", f"{GROUPS}/{team}"),
        ("DELETE", f"{GROUPS}/{team}"),
    ):
        assert fault(local.send(method, path)) == (404, None), path
    assert fault(local.patch(theirs["id"], SUSPEND)) == (404, None)
    assert local.send("GET", GROUPS).json["totalResults"] == 0
    assert fault(local.patch(ours["id"], grant(THERE))) == (403, None)
    assert fault(local.send("POST", GROUPS, group(externalId="x", **{ROLE: THERE}))) == (403, None)
    body = group(ours["id"], theirs["id"])
    assert fault(local.send("POST", GROUPS, body)) == (400, "invalidValue")
    gone = {"op": "remove", "path": f"{EXTENSION}:grants"}
    assert local.patch(ours["id"], gone).status_code == 200
    assert pusher.send("GET", ours["id"]).json[EXTENSION]["grants"] == [THERE]


def test_pr05_an_account_needed_by_another_participant_is_not_changed(
    world: World, pusher: Pusher, local: Pusher
) -> None:
    """PR-05: no suspension, closing, renaming while the account is needed elsewhere; N76: a person
    of somebody else is not taken over by their Person ID, and only who may see an account is told
    which one stands in the way."""
    shared = pusher.create(1, extension={"grants": [HERE, THERE]})
    for change in (SUSPEND, REPLACE, ZONE, ENDING):
        assert fault(local.patch(shared["id"], change)) == (403, None), change
    assert fault(local.send("DELETE", shared["id"])) == (403, None)
    theirs = pusher.create(2, extension={"grants": [THERE]})
    network = [{"value": "192.0.2.1"}]
    for changes in ({"personId": "R00002"}, {"personId": "R00001"}):
        body = user(
            3, extension={"accountKind": "machine", "registeredNetworks": network} | changes
        )
        assert fault(local.send("POST", USERS, body)) == (403, None), changes
    taken = user(4, userName=theirs["userName"])
    answer = local.send("POST", USERS, taken)
    assert fault(answer) == (409, "uniqueness")
    assert theirs["id"] not in answer.text
    assert theirs["id"] in pusher.send("POST", USERS, taken).text
    own = local.create(7, extension={"grants": [HERE]})
    assert local.patch(own["id"], REPLACE, SUSPEND).status_code == 200
    assert local.send("DELETE", own["id"]).status_code == 204
    assert world.mails("address_changed") == []


def test_pr05_a_machine_account_needed_by_another_participant_is_not_changed(
    world: World, pusher: Pusher, local: Pusher
) -> None:
    """PR-05, MA-10: neither its networks nor its custodian; both of one that nobody else needs."""
    local.create(5, extension={"grants": [HERE]})
    mim = {"roleGroup": "MIM"}
    keys = [
        pusher.create(
            number, extension={"accountKind": "machine", "grants": [one | mim for one in places],
                               "registeredNetworks": [{"value": "192.0.2.1"}]},
        )["id"]
        for number, places in ((1, [HERE, THERE]), (2, [HERE]))
    ]  # fmt: skip
    for operation in (
        {"op": "replace", "path": f"{EXTENSION}:registeredNetworks",
         "value": [{"value": "198.51.100.1"}]},
        {"op": "replace", "path": f"{EXTENSION}:personId", "value": "R00005"},
    ):  # fmt: skip
        answers = [local.patch(key, operation).status_code for key in keys]
        assert answers == [403, 200], operation


def test_n73_a_second_account_is_for_a_participant_of_the_client(
    world: World, pusher: Pusher, local: Pusher
) -> None:
    """N73, UI-10: it would act for the other one."""
    local.create(1, extension={"grants": [HERE]})
    for number, place, answer in ((2, THERE, 403), (3, HERE, 201)):
        second = {"reason": "transmission_rights", "participantId": place["participantId"]}
        body = user(1, externalId=f"reg-{number}", extension={"secondAccount": second})
        assert local.send("POST", USERS, body).status_code == answer, place


def test_n73_a_client_sees_only_the_accounts_that_it_created(
    world: World, pusher: Pusher, local: Pusher
) -> None:
    """N73: it finds the accounts that it made, without any grant, and none made by another; N76: a
    person of another client is not taken over, whichever of the two was registered first."""
    before = pusher.create(1, extension={"grants": [THERE]})
    own = local.create(2)
    after = pusher.create(3, extension={"grants": [THERE]})
    assert local.found("userName pr") == [own["userName"]]
    assert local.send("GET", own["id"]).status_code == 200
    for other in (before, after):
        assert fault(local.send("GET", other["id"])) == (404, None)
    machine = {"accountKind": "machine", "registeredNetworks": [{"value": "192.0.2.1"}]}
    for number, answer in ((1, 403), (2, 201), (3, 403)):
        body = user(4, externalId=f"m-{number}",
                    name=user(number)["name"], emails=user(number)["emails"],
                    extension=machine | {"personId": f"R{number:05}"})  # fmt: skip
        assert local.send("POST", USERS, body).status_code == answer, number


def test_pushes_are_limited_for_each_client(world: World) -> None:
    """Too many are 429 in the protocol's form; another client and later ones pass."""
    with gateway(world, replace(world.settings, redis_url="", push_limit="3 per minute")) as other:
        one, two = Pusher.of(other), Pusher.of(other, "Second")
        answers = [one.send("GET", USERS).status_code for _ in range(4)]
        assert answers == [200, 200, 200, 429]
        late = one.send("GET", USERS)
        assert fault(late) == (429, None)
        assert int(late.headers["Retry-After"]) > 0
        assert two.send("GET", USERS).status_code == 200
        bulk = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
                "Operations": [{"method": "DELETE", "path": "/Users/x"}] * 3}  # fmt: skip
        assert fault(two.send("POST", "/scim/v2/Bulk", bulk)) == (429, None)


def test_events_of_pushes_have_the_old_and_the_new_value(world: World, pusher: Pusher) -> None:
    """Every change is answerable by which push, by whom, from what to what."""
    made = pusher.create(1, extension={"grants": [HERE]})
    pusher.patch(made["id"], REPLACE, {"op": "remove", "path": f"{EXTENSION}:grants"})
    created, updated = world.events("scim.created")[0], world.events("scim.updated")[0]
    assert created.data["after"]["userName"] == made["userName"]
    assert updated.data["before"]["name"]["givenName"] == "Jim"
    assert updated.data["after"]["name"]["givenName"] == "James"
    assert updated.data["before"][EXTENSION]["grants"] == [HERE]
    assert "grants" not in updated.data["after"][EXTENSION]
    assert "emails" not in updated.data["after"]
    for event in (created, updated):
        assert event.actor == "client:registration"
        assert event.request_id
